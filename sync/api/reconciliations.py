"""/api/reconciliations: reading GoHighLevel for what its webhooks have missed, and what came of it.

The rule: 202 means committed; workers begin within a minute, and go on wherever they were stopped.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Router, Schema, Status
from pydantic import ConfigDict, Field

from sync.models import Reconciliation
from sync.reconciliation import runs, span
from trainu.problem import Problem
from trainu.scopes import Scope, actor

router = Router(tags=["reconciliation"])
BY = "api"


class NewReconciliation(Schema):
    model_config = ConfigDict(extra="forbid")

    location_id: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", description="GoHighLevel's id of the location."
    )
    since: str = Field(
        default="24h", max_length=40, description="How far back, 30 days at most: 24h, 7d, or a moment."
    )


class ReconciliationLine(Schema):
    id: int
    location_id: str
    state: Literal["running", "done", "failed"]
    reason: str = Field(description="Why it stopped, for one that failed.")
    since: datetime
    until: datetime
    started_by: str
    created_at: datetime
    ended_at: datetime | None
    requests: int = Field(description="Sent to GoHighLevel so far.")
    contacts_read: int
    appointments_read: int
    missed: int = Field(description="Contacts and appointments that were unknown or stood otherwise.")
    events: int = Field(description="Events that had been missed, with the time of what happened.")


class StartedReconciliation(ReconciliationLine):
    duplicate: bool = Field(description="One that reaches as far back was under way: this is it.")


def _problems(words: dict[int, str]) -> dict[str, Any]:
    """Return OpenAPI's part about errors: what each status means here."""
    schema = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    everywhere = {401: "No valid key.", 403: "The key lacks the scope.", 429: "Over the key's limit."}
    return {
        str(status): {"description": text, "content": schema} for status, text in (words | everywhere).items()
    }


@router.post(
    "",
    auth=Scope("sync:operate"),
    response={202: StartedReconciliation},
    summary="Read GoHighLevel for what was missed",
    operation_id="start_reconciliation",
    openapi_extra={"responses": _problems({422: "The span does not fit, or the location cannot be read."})},
)
def start(request: HttpRequest, wanted: NewReconciliation) -> Status[dict[str, Any]]:
    """Begin a reconciliation of one location; one of the API's under way that reaches as far back is it."""
    now = timezone.now()
    try:
        since = span.since(wanted.since, now=now)
        started = runs.start(wanted.location_id, since=since, now=now, by=BY, actor=actor(request))
    except runs.Refused as refusal:
        raise Problem(422, refusal.code, str(refusal)) from None
    return Status(202, _line(started.run) | {"duplicate": started.goes_on})


@router.get(
    "/{reconciliation_id}",
    auth=Scope("sync:read"),
    response=ReconciliationLine,
    summary="How far is a reconciliation?",
    operation_id="reconciliation",
    openapi_extra={"responses": _problems({404: "There is no such reconciliation."})},
)
def reconciliation(
    request: HttpRequest, reconciliation_id: Annotated[int, Path(ge=1, lt=2**63)]
) -> dict[str, Any]:
    """Return a reconciliation with its counts so far."""
    run = Reconciliation.objects.select_related("location").filter(pk=reconciliation_id).first()
    if run is None:
        raise Problem(
            404,
            "unknown_reconciliation",
            "There is no reconciliation with this id. It may be too old to be kept.",
        )
    return _line(run)


def _line(run: Reconciliation) -> dict[str, Any]:
    names = (
        "id state reason since until started_by created_at ended_at requests contacts_read"
        " appointments_read missed"
    )
    return {name: getattr(run, name) for name in names.split()} | {
        "location_id": run.location.pk,
        "events": run.told,
    }
