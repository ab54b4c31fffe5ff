"""/api/incidents: what is wrong, who sees to it, and the verbs that staff have on its page.

The rule: who calls is the actor of the timeline and of the audit log.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router

from observability.alerts import cursors, incident_search, incidents
from observability.api import alert_shapes as shapes
from observability.api.alert_shapes import Id, Severity
from observability.models import Incident
from trainu.problem import Problem, documented
from trainu.scopes import Scope, actor

router = Router(tags=["alerts"])

READ, WORK = "alerts:read", "alerts:work"
MOST_MOMENTS = 200
MOST_NOTIFICATIONS = 100
_ONE = documented({404: "There is no such incident."})
_VERB = documented(
    {404: "There is no such incident.", 409: "Its state does not allow it.", 422: "It does not fit."}
)


@router.get(
    "",
    auth=Scope(READ),
    response=shapes.IncidentList,
    summary="List incidents, the newest first",
    operation_id="list_incidents",
    openapi_extra=documented({422: "A parameter does not fit."}),
)
def list_incidents(
    request: HttpRequest,
    state: Literal["unresolved", "open", "acknowledged", "resolved", "all"] = "unresolved",
    severity: Severity | None = None,
    rule: Annotated[str, Query(max_length=40, pattern="^[a-z0-9_-]*$")] = "",
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=incident_search.MOST)] = incident_search.MOST,
) -> dict[str, Any]:
    """Return up to 100 incidents; without `state`, those that are open or acknowledged."""
    page = incident_search.page(
        state=state,
        severity=severity or "",
        rule=rule,
        older_than=shapes.position(cursor),
        most=limit,
    )
    lines = [shapes.incident(one) for one in page.incidents]
    return {"incidents": lines, "cursor": cursors.written(page.older) or None}


@router.get(
    "/{int:incident_id}",
    auth=Scope(READ),
    response=shapes.IncidentDetail,
    summary="One incident, with its timeline",
    operation_id="incident",
    openapi_extra=_ONE,
)
def one_incident(request: HttpRequest, incident_id: Id) -> dict[str, Any]:
    """Return an incident, what happened, and who was told."""
    return _detail(_found(incident_id))


@router.post(
    "/{int:incident_id}/acknowledge",
    auth=Scope(WORK),
    response=shapes.IncidentDetail,
    summary="Say that somebody sees to an incident",
    operation_id="acknowledge_incident",
    openapi_extra=_VERB,
)
def acknowledge(request: HttpRequest, incident_id: Id) -> dict[str, Any]:
    """Acknowledge an incident: it is not told again meanwhile. A second time changes nothing."""
    with _refusals(409, "wrong_state"):
        return _detail(incidents.acknowledge(_found(incident_id), by=actor(request), now=timezone.now()))


@router.post(
    "/{int:incident_id}/resolve",
    auth=Scope(WORK),
    response=shapes.IncidentDetail,
    summary="Resolve an incident by hand",
    operation_id="resolve_incident",
    openapi_extra=_VERB,
)
def resolve(request: HttpRequest, incident_id: Id, wanted: shapes.Reason) -> dict[str, Any]:
    """Resolve an incident. If it still holds in an hour, it opens again."""
    found = _found(incident_id)
    with _refusals(422, "invalid_reason"):
        return _detail(incidents.resolve(found, by=actor(request), reason=wanted.reason, now=timezone.now()))


@router.post(
    "/{int:incident_id}/notes",
    auth=Scope(WORK),
    response=shapes.IncidentDetail,
    summary="Note something about an incident",
    operation_id="note_incident",
    openapi_extra=_VERB,
)
def note(request: HttpRequest, incident_id: Id, wanted: shapes.Words) -> dict[str, Any]:
    """Write a line of the timeline."""
    found = _found(incident_id)
    with _refusals(422, "invalid_words"):
        incidents.note(found, wanted.words, by=actor(request), now=timezone.now())
    return _detail(found)


@router.post(
    "/{int:incident_id}/own",
    auth=Scope(WORK),
    response=shapes.IncidentDetail,
    summary="Say who sees to an incident",
    operation_id="own_incident",
    openapi_extra=_VERB,
)
def own(request: HttpRequest, incident_id: Id, wanted: shapes.Owner) -> dict[str, Any]:
    """Make a member of staff, or nobody, the owner."""
    found = _found(incident_id)
    if wanted.user_id is not None:
        people = get_user_model()._default_manager
        # Ids of users are smaller than what an id may be here.
        if (
            wanted.user_id >= 2**31
            or not people.filter(pk=wanted.user_id, is_active=True, is_staff=True).exists()
        ):
            raise Problem(422, "unknown_user", "Name a member of staff who is active, or nobody.")
    owner = f"staff:{wanted.user_id}" if wanted.user_id else ""
    incidents.own(found, owner, by=actor(request), now=timezone.now())
    return _detail(_found(incident_id))


@router.post(
    "/{int:incident_id}/report",
    auth=Scope(WORK),
    response=shapes.IncidentDetail,
    summary="Note that an incident of SEV1 was reported",
    operation_id="report_incident",
    openapi_extra=_VERB,
)
def report(request: HttpRequest, incident_id: Id, wanted: shapes.Report) -> dict[str, Any]:
    """Stop the clock of the first report, or of the final one."""
    found = _found(incident_id)
    if not wanted.words.strip():
        raise Problem(422, "invalid_words", "Say in short what was reported, and to whom.")
    with _refusals(409, "wrong_state"):
        incidents.report(
            found, is_final=wanted.is_final, words=wanted.words, by=actor(request), now=timezone.now()
        )
    return _detail(_found(incident_id))


def _found(incident_id: int) -> Incident:
    found = Incident.objects.filter(pk=incident_id).first()
    if found is None:
        raise Problem(404, "unknown_incident", "There is no such incident.")
    return found


def _detail(found: Incident) -> dict[str, Any]:
    moments = found.moments.order_by("-at", "-id")[:MOST_MOMENTS]
    told = found.notifications.order_by("-id")[:MOST_NOTIFICATIONS]
    return shapes.incident(found) | {
        "timeline": [shapes.moment(one) for one in moments][::-1],
        "notifications": [shapes.notification(one) for one in told][::-1],
    }


@contextmanager
def _refusals(status: int, code: str) -> Iterator[None]:
    try:
        yield
    except incidents.Refused as refusal:
        raise Problem(status, code, str(refusal)) from None
