"""/api/sync/jobs and /api/sync/operations: what may be done in GoHighLevel, having it done, how it went.

The rule: 202 means committed. An answer holds ids, states and codes; a person's data is masked in it.
"""

from typing import Annotated, Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Status

from sync import job_search, jobs, retrying
from sync.api import bodies, job_shapes
from sync.api.job_shapes import (
    JobDetail,
    JobLine,
    JobList,
    LocationId,
    NewJob,
    OperationLine,
    TakenJob,
)
from sync.api.letter_shapes import Reason
from sync.ghl.operations import OPERATIONS
from sync.transitions import State
from trainu.bounded_query import TooBroad
from trainu.problem import Problem, documented
from trainu.scopes import Scope, actor

router = Router(tags=["sync"])

MAX_BYTES = 256 * 1024
_LAST_POSITION = 2**63 - 1


@router.post(
    "/jobs",
    auth=Scope("sync:write"),
    response={202: TakenJob},
    summary="Have something done in GoHighLevel",
    operation_id="enqueue_job",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": NewJob.model_json_schema()}},
        },
        **documented(
            {
                400: "The body is no JSON.",
                409: "The idempotency key belongs to another operation or payload.",
                413: "Over 256 KiB.",
                422: "The job does not fit; `code`, `detail` and `errors` say where.",
            }
        ),
    },
)
def enqueue(request: HttpRequest) -> Status[dict[str, Any]]:
    """Take a job of up to 256 KiB in. 202 means committed: it is done as soon as it may be, and retried.

    The same idempotency_key again is the same job, and `duplicate` says so; with another operation or
    payload it is 409. What is wrong with a payload is 422, and names the fields.
    """
    wanted = bodies.read(request, NewJob, most_bytes=MAX_BYTES, what="A job")
    try:
        with transaction.atomic():
            taken = jobs.enqueue(
                wanted.operation,
                wanted.location_id,
                wanted.payload,
                idempotency_key=wanted.idempotency_key or "",
                ordering_key=wanted.ordering_key or "",
            )
    except jobs.Refused as refusal:
        status = 409 if refusal.code == "idempotency_key_reused" else 422
        raise Problem(status, refusal.code, str(refusal)) from None
    return Status(202, {"job_id": taken.job_id, "state": taken.state, "duplicate": taken.is_duplicate})


@router.get(
    "/jobs",
    auth=Scope("sync:read"),
    response=JobList,
    summary="List jobs, newest first",
    operation_id="list_jobs",
    openapi_extra=documented({422: "A parameter does not fit."}),
)
def list_jobs(
    request: HttpRequest,
    location_id: LocationId | None = None,
    state: State | None = None,
    cursor: Annotated[int | None, Query(ge=0, le=_LAST_POSITION)] = None,
    limit: Annotated[int, Query(ge=1, le=job_search.MOST_ROWS)] = job_search.MOST_ROWS,
) -> dict[str, Any]:
    """Return up to 100 jobs. Pass the answer's cursor to go on; new jobs do not shift the pages."""
    try:
        page = job_search.page(
            location_id=location_id or "",
            state=state.value if state else "",
            older_than=cursor,
            most=limit,
        )
    except TooBroad:
        raise Problem(
            422,
            "too_broad",
            "Looking through so many jobs takes too long. Name a location, or another state.",
        ) from None
    return {
        "jobs": [job_shapes.line(job) for job in page.jobs],
        "cursor": None if page.older is None else str(page.older),
    }


@router.get(
    "/jobs/{job_id}",
    auth=Scope("sync:read"),
    response=JobDetail,
    summary="How did a job go?",
    operation_id="job",
    openapi_extra=documented({404: "There is no such job."}),
)
def job(request: HttpRequest, job_id: UUID) -> dict[str, Any]:
    """Return a job with its newest 50 attempts."""
    found = job_search.find(job_id)
    if found is None:
        raise Problem(404, "unknown_job", "There is no job with this id. It may be too old to be kept.")
    return job_shapes.detail(found, job_search.attempts(found), job_search.letter_id(found))


@router.post(
    "/jobs/{job_id}/retry-now",
    auth=Scope("sync:operate"),
    response=JobLine,
    summary="Try a waiting job now",
    operation_id="retry_job_now",
    openapi_extra=documented(
        {
            404: "There is no such job.",
            409: "It does not wait, is looked up, or is due already; `detail` says which.",
            422: "It does not fit.",
        }
    ),
)
def retry_job_now(request: HttpRequest, job_id: UUID, wanted: Reason) -> dict[str, Any]:
    """Let a job come due now, before its time. That is one of its six tries."""
    try:
        tried = retrying.retry_one(job_id, by=actor(request), reason=wanted.reason, now=timezone.now())
    except retrying.Refused as refusal:
        status = 404 if refusal.code == "unknown_job" else 409
        raise Problem(status, refusal.code, str(refusal)) from None
    return job_shapes.line(tried)


@router.get(
    "/operations",
    auth=Scope("sync:read"),
    response=list[OperationLine],
    summary="What can be done in GoHighLevel?",
    operation_id="list_operations",
    openapi_extra=documented({}),
)
def operations(request: HttpRequest) -> list[dict[str, Any]]:
    """Return every operation with its payload's JSON Schema."""
    return [job_shapes.operation(kind) for _, kind in sorted(OPERATIONS.items())]
