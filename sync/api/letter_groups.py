"""/api/dead-letters/groups: the causes that letters died of, worked on as one.

The rule: a group's state and counters follow its letters; only whose it is, notes, acknowledgement and
snoozing are set.
"""

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Status

from sync.api import letter_rows as rows
from sync.api import letter_shapes as shapes
from sync.api.letter_answers import refusals
from sync.api.letter_shapes import Id, Word
from sync.dead_letters import groups, search
from sync.dead_letters.fixers import Fixer
from sync.dead_letters.standing import Standing
from sync.models import CauseGroup
from trainu.problem import Problem, documented
from trainu.scopes import Scope, actor

router = Router(tags=["dead letters"])

READ, OPERATE = "sync:read", "sync:operate"
_ONE = documented({404: "There is no such group.", 422: "What was asked for does not fit."})
_STATEFUL = documented(
    {404: "There is no such group.", 409: "Its state does not allow it.", 422: "It does not fit."}
)


@router.get(
    "",
    auth=Scope(READ),
    response=shapes.GroupList,
    summary="List causes, those that were seen last first",
    operation_id="list_dead_letter_groups",
    openapi_extra=documented({422: "A parameter does not fit."}),
)
def list_groups(
    request: HttpRequest,
    state: Literal["open", "regressed", "resolved", "all"] | None = None,
    standing: Standing | None = None,
    fixer: Fixer | None = None,
    location_id: Word | None = None,
    code: Word | None = None,
    snoozed: bool = True,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=groups.MOST_ROWS)] = groups.MOST_ROWS,
) -> dict[str, Any]:
    """Return up to 100 causes with their letters; without `state` and `standing`, those not resolved.

    `standing` goes before `state`: it also tells what is acknowledged or snoozed.
    """
    now = timezone.now()
    with refusals():
        page = groups.page(
            now=now,
            state=state or "",
            standing=[standing] if standing else [],
            fixer=fixer,
            location_id=location_id or "",
            code=code or "",
            with_snoozed=snoozed,
            older_than=rows.position(cursor),
            most=limit,
        )
    return {"groups": [rows.group(one, now) for one in page.groups], "cursor": rows.cursor(page.older)}


@router.get(
    "/{int:group_id}",
    auth=Scope(READ),
    response=shapes.GroupDetail,
    summary="One cause, with its notes",
    operation_id="dead_letter_group",
    openapi_extra=documented({404: "There is no such group."}),
)
def one_group(request: HttpRequest, group_id: Id) -> dict[str, Any]:
    """Return a group with its newest notes."""
    found = CauseGroup.objects.filter(pk=group_id).first()
    if found is None:
        raise Problem(404, "unknown_group", "There is no such group.")
    notes = found.notes.all()[: search.MOST_NOTES]
    return {**rows.group(found, timezone.now()), "notes": [rows.note(one) for one in notes]}


@router.post(
    "/{int:group_id}/assign",
    auth=Scope(OPERATE),
    response=shapes.GroupDetail,
    summary="Make somebody responsible for a cause",
    operation_id="assign_dead_letter_group",
    openapi_extra=_ONE,
)
def assign(request: HttpRequest, group_id: Id, wanted: shapes.Owner) -> dict[str, Any]:
    """Assign a group to a member of staff, or to nobody."""
    with refusals():
        groups.assign(group_id, wanted.user_id, by=actor(request))
    return one_group(request, group_id)


@router.post(
    "/{int:group_id}/note",
    auth=Scope(OPERATE),
    response={201: shapes.NoteLine},
    summary="Note something about a cause",
    operation_id="note_dead_letter_group",
    openapi_extra=_ONE,
)
def note(request: HttpRequest, group_id: Id, wanted: shapes.Note) -> Status[dict[str, Any]]:
    """Write something down for whoever works on it next; it stays when the group is resolved."""
    with refusals():
        written = groups.note(group_id, wanted.words, by=actor(request), now=timezone.now())
    return Status(201, rows.note(written))


@router.post(
    "/{int:group_id}/acknowledge",
    auth=Scope(OPERATE),
    response=shapes.GroupDetail,
    summary="Say that a cause is known",
    operation_id="acknowledge_dead_letter_group",
    openapi_extra=_STATEFUL,
)
def acknowledge(request: HttpRequest, group_id: Id) -> dict[str, Any]:
    """Acknowledge a group: somebody is at it. That ends by itself when it was resolved and comes back."""
    with refusals():
        groups.acknowledge(group_id, by=actor(request), now=timezone.now())
    return one_group(request, group_id)


@router.post(
    "/{int:group_id}/unacknowledge",
    auth=Scope(OPERATE),
    response=shapes.GroupDetail,
    summary="Take back that a cause is known",
    operation_id="unacknowledge_dead_letter_group",
    openapi_extra=_STATEFUL,
)
def unacknowledge(request: HttpRequest, group_id: Id) -> dict[str, Any]:
    """Let a group be news again."""
    with refusals():
        groups.unacknowledge(group_id, by=actor(request))
    return one_group(request, group_id)


@router.post(
    "/{int:group_id}/snooze",
    auth=Scope(OPERATE),
    response=shapes.GroupDetail,
    summary="Have nobody asked about a cause for a while",
    operation_id="snooze_dead_letter_group",
    openapi_extra=_ONE,
)
def snooze(request: HttpRequest, group_id: Id, wanted: shapes.GroupSnooze) -> dict[str, Any]:
    """Snooze a group until a time, or until more than so many letters are open; neither ends that."""
    with refusals():
        groups.snooze(
            group_id, until=wanted.until, to_count=wanted.to_count, by=actor(request), now=timezone.now()
        )
    return one_group(request, group_id)
