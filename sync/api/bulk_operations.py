"""/api/bulk-operations: one verb for many letters, begun on what was counted, watched, and stopped.

The rule: 202 means that the set is frozen and committed. What became of each letter is in its items.
"""

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Status

from sync.api import bulk_shapes as shapes
from sync.api import letter_rows as rows
from sync.api.letter_answers import refusals
from sync.api.letter_shapes import Id, Reason
from sync.dead_letters import bulk, search
from sync.models import BulkOperation
from trainu.problem import Problem, documented
from trainu.scopes import Scope, actor

router = Router(tags=["bulk operations"])

READ, OPERATE = "sync:read", "sync:operate"
_ONE = documented({404: "There is no such operation.", 409: "Its state does not allow it."})
OperationState = Literal["proposed", "running", "paused", "stopped", "canceled", "done"]
Cursor = Annotated[int | None, Query(ge=0, lt=2**63)]
Limit = Annotated[int, Query(ge=1, le=search.MOST_ROWS)]


@router.get(
    "",
    auth=Scope(READ),
    response=shapes.OperationList,
    summary="List bulk operations, newest first",
    operation_id="list_bulk_operations",
    openapi_extra=documented({422: "A parameter does not fit."}),
)
def list_operations(
    request: HttpRequest,
    state: OperationState | None = None,
    cursor: Cursor = None,
    limit: Limit = search.MOST_ROWS,
) -> dict[str, Any]:
    """Return up to 100 operations. Pass the answer's cursor to go on."""
    page = search.operations(state=state or "", older_than=cursor, most=limit)
    older = None if page.older is None else str(page.older)
    return {"operations": [rows.operation(one) for one in page.operations], "cursor": older}


@router.post(
    "/count",
    auth=Scope(READ),
    response=shapes.Counted,
    summary="How many letters would it be?",
    operation_id="count_bulk_operation",
    openapi_extra=documented({422: "The filter does not fit."}),
)
def count(request: HttpRequest, wanted: shapes.Counting) -> dict[str, Any]:
    """Count what an operation would work on now, up to 100,001. It changes nothing."""
    with refusals():
        return {"count": bulk.count(wanted.kind, wanted.filter.chosen())}


@router.post(
    "",
    auth=Scope(OPERATE),
    response={202: shapes.OperationDetail},
    summary="Begin a bulk operation",
    operation_id="start_bulk_operation",
    openapi_extra=documented(
        {
            409: "There are others now than were shown: count again.",
            422: "It does not fit, or is not confirmed.",
        }
    ),
)
def start(request: HttpRequest, wanted: shapes.NewBulk) -> Status[dict[str, Any]]:
    """Freeze the set of letters and begin.

    A redrive goes in steps of 1, 10, 100 and then 500, and stops by itself where letters fail again. One that
    sends more than 1,000 messages is proposed, and nothing runs until somebody else has approved it.
    """
    with refusals():
        operation = bulk.start(
            wanted.kind,
            wanted.filter.chosen(),
            by=actor(request),
            reason=wanted.reason,
            shown_count=wanted.shown_count,
            confirmed_count=wanted.confirmed_count,
            assignee_id=wanted.assignee_id,
            look_first=wanted.look_first,
            now=timezone.now(),
        )
    return Status(202, rows.operation_detail(operation))


@router.get(
    "/{int:operation_id}",
    auth=Scope(READ),
    response=shapes.OperationDetail,
    summary="How far is a bulk operation?",
    operation_id="bulk_operation",
    openapi_extra=_ONE,
)
def one_operation(request: HttpRequest, operation_id: Id) -> dict[str, Any]:
    """Return an operation with how many of its letters are where."""
    return rows.operation_detail(_find(operation_id))


@router.get(
    "/{int:operation_id}/items",
    auth=Scope(READ),
    response=shapes.ItemList,
    summary="What became of each letter of a bulk operation?",
    operation_id="list_bulk_operation_items",
    openapi_extra=documented({404: "There is no such operation.", 422: "A parameter does not fit."}),
)
def list_items(
    request: HttpRequest,
    operation_id: Id,
    state: shapes.ItemState | None = None,
    cursor: Cursor = None,
    limit: Limit = search.MOST_ROWS,
) -> dict[str, Any]:
    """Return up to 100 items in their order. Pass the answer's cursor to go on."""
    operation = _find(operation_id)
    with refusals():
        found, after = search.items(operation, state=state or "", after=cursor, most=limit)
    return {"items": [rows.item(one) for one in found], "cursor": None if after is None else str(after)}


@router.post(
    "/{int:operation_id}/approve",
    auth=Scope(OPERATE),
    response=shapes.OperationDetail,
    summary="Approve a bulk operation as its second person",
    operation_id="approve_bulk_operation",
    openapi_extra=documented(
        {404: "There is no such operation.", 409: "Its state does not allow it, or this key has started it."}
    ),
)
def approve(request: HttpRequest, operation_id: Id) -> dict[str, Any]:
    """Let one begin that is proposed. The key that has started it is refused; another is somebody else."""
    with refusals():
        operation = bulk.approve(operation_id, by=actor(request), now=timezone.now())
    return rows.operation_detail(operation)


@router.post(
    "/{int:operation_id}/pause",
    auth=Scope(OPERATE),
    response=shapes.OperationDetail,
    summary="Pause a bulk operation",
    operation_id="pause_bulk_operation",
    openapi_extra=_ONE,
)
def pause(request: HttpRequest, operation_id: Id, wanted: Reason) -> dict[str, Any]:
    """Begin no further letters until it is resumed. What is under way ends by itself."""
    with refusals():
        operation = bulk.pause(operation_id, by=actor(request), reason=wanted.reason)
    return rows.operation_detail(operation)


@router.post(
    "/{int:operation_id}/resume",
    auth=Scope(OPERATE),
    response=shapes.OperationDetail,
    summary="Let a bulk operation go on",
    operation_id="resume_bulk_operation",
    openapi_extra=_ONE,
)
def resume(request: HttpRequest, operation_id: Id, wanted: Reason) -> dict[str, Any]:
    """Go on; after it has stopped by itself, with a single letter again."""
    with refusals():
        operation = bulk.resume(operation_id, by=actor(request), reason=wanted.reason)
    return rows.operation_detail(operation)


@router.post(
    "/{int:operation_id}/cancel",
    auth=Scope(OPERATE),
    response=shapes.OperationDetail,
    summary="Cancel a bulk operation",
    operation_id="cancel_bulk_operation",
    openapi_extra=_ONE,
)
def cancel(request: HttpRequest, operation_id: Id, wanted: Reason) -> dict[str, Any]:
    """Begin no further letters, for good. What is under way ends by itself."""
    with refusals():
        operation = bulk.cancel(operation_id, by=actor(request), reason=wanted.reason, now=timezone.now())
    return rows.operation_detail(operation)


def _find(operation_id: int) -> BulkOperation:
    found = BulkOperation.objects.filter(pk=operation_id).first()
    if found is None:
        raise Problem(404, "unknown_operation", "There is no such bulk operation.")
    return found
