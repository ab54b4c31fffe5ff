"""What the API says of jobs, attempts and operations, and what it takes: shapes, and rows put into them.

The rule: nothing personal. A payload is masked on its way out, requests and answers when they were stored.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from ninja import Schema
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from sync import job_search
from sync.ghl.operations import AnyOperation, Operation
from sync.models import SyncAttempt, SyncJob
from sync.transitions import State

LocationId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class NewJob(BaseModel):
    """A job to be done. Send the same idempotency_key again when you retry: it is the same job then."""

    model_config = ConfigDict(strict=True, extra="forbid")

    operation: Annotated[str, StringConstraints(min_length=1, max_length=48)] = Field(
        description="A name of GET /api/sync/operations."
    )
    location_id: LocationId = Field(description="GoHighLevel's id of the location.")
    payload: dict[str, Any] = Field(description="As the operation's schema has it.")
    idempotency_key: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")] | None = Field(
        default=None, description="Your own name for this job, unique in its location."
    )
    ordering_key: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,160}$")] | None = Field(
        default=None,
        description="Jobs of a location with the same one run one after another. Default: the operation's.",
    )


class TakenJob(Schema):
    """duplicate: the idempotency key was known, and this is the job it belongs to."""

    job_id: UUID
    state: State
    duplicate: bool


class JobLine(Schema):
    """A job in a list. code: of its last attempt. cause: why it is dead."""

    job_id: UUID
    operation: str
    location_id: str
    state: State
    cause: str
    code: str
    tries: int
    next_at: datetime | None = Field(description="When it is tried next, for a job that waits.")
    created_at: datetime
    settled_at: datetime | None
    correlation_id: str


class JobAttempt(Schema):
    """One try: a request that was sent, or a lookup. request, response: masked; gone after some days."""

    number: int
    kind: str
    outcome: str
    code: str
    words: str
    next_step: str
    status: int | None
    started_at: datetime
    duration_ms: float
    trace_id: str
    request: Any
    response: Any


class JobDetail(JobLine):
    """A job. words, next_step: what its last attempt's end means. payload: masked. attempts: newest first."""

    letter_id: int | None = Field(description="Its dead letter, for one that is or was dead.")
    words: str
    next_step: str
    result: dict[str, Any] = Field(description="Ids that GoHighLevel gave.")
    payload: dict[str, Any]
    attempts: list[JobAttempt]


class JobList(Schema):
    """Jobs, newest first. cursor: for the next page, null at the end."""

    jobs: list[JobLine]
    cursor: str | None


class OperationLine(Schema):
    """What can be done. repeatable: doing it twice is the same as once. ordered: it waits for its turn."""

    operation: str
    description: str
    repeatable: bool
    ordered: bool
    payload: dict[str, Any] = Field(description="The payload's JSON Schema.")


def line(found: SyncJob) -> dict[str, Any]:
    """Return a job as a JobLine."""
    return {
        "job_id": found.pk,
        "operation": found.operation,
        "location_id": found.location_id,
        "state": found.state,
        "cause": found.cause,
        "code": found.code,
        "tries": found.tries,
        "next_at": found.next_at if found.state == State.WAITING else None,
        "created_at": found.created_at,
        "settled_at": found.settled_at,
        "correlation_id": found.correlation_id,
    }


def attempt(one: SyncAttempt) -> dict[str, Any]:
    """Return an attempt as a JobAttempt."""
    said = job_search.in_words(one.outcome, one.code)
    return {
        "number": one.fence,
        "kind": one.kind,
        "outcome": one.outcome,
        "code": one.code,
        "words": said.words,
        "next_step": said.next_step,
        "status": one.status,
        "started_at": one.started_at,
        "duration_ms": one.duration_ms,
        "trace_id": one.trace_id,
        "request": one.request,
        "response": one.response,
    }


def detail(found: SyncJob, tried: list[SyncAttempt], letter_id: int | None) -> dict[str, Any]:
    """Return a job as a JobDetail. tried: its attempts, newest first."""
    attempts = [attempt(one) for one in tried]
    last = attempts[0] if attempts else {"words": "", "next_step": ""}
    return {
        **line(found),
        "letter_id": letter_id,
        "words": last["words"],
        "next_step": last["next_step"],
        "result": found.result,
        "payload": job_search.shown_payload(found),
        "attempts": attempts,
    }


def operation(kind: AnyOperation) -> dict[str, Any]:
    """Return an operation as an OperationLine."""
    return {
        "operation": kind.name,
        "description": kind.description(),
        "repeatable": kind.repeatable,
        "ordered": kind.ordering_key.__func__ is not Operation.ordering_key.__func__,  # type: ignore[attr-defined]
        "payload": kind.payload.model_json_schema(by_alias=False),
    }
