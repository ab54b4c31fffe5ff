"""/api/drafts: having messages drafted, seeing what became of them, and deciding about them for a trainer.

The rule: 202 means committed. Nothing is sent that nobody has approved; an app that names its trainer reaches
that trainer's drafts alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Status

from sync import jobs
from sync.api import bodies, draft_shapes
from sync.api.draft_shapes import (
    Approve,
    ApprovedMany,
    ApproveMany,
    Dismiss,
    DraftDetail,
    DraftLine,
    DraftList,
    For,
    Kind,
    NewDraft,
    PersonId,
    Regenerate,
    Snooze,
    State,
    TakenDraft,
)
from sync.drafts import deciding, intake, search
from sync.drafts.acting import acting_for
from sync.drafts.deciding import Chosen, Outcome, Text
from sync.drafts.refusal import Refused
from sync.drafts.tabs import Tab
from sync.models import Draft
from trainu.bounded_query import TooBroad
from trainu.problem import Problem, documented
from trainu.scopes import Scope, actor

router = Router(tags=["drafts"])

MAX_BYTES = 64 * 1024
_WORK = Scope("drafts:work")
# What stands in the way, and is no mistake of the request.
_CONFLICTS = {"stale", "wrong_state", "already_going", "opted_out", "idempotency_key_reused"}
_UNKNOWN = "There is no such draft, or it is another trainer's."
_STALE = "The client has acted since. Show that, then give the draft's `client_acted_at` as `seen_act_at`."
_ERRORS = {
    404: _UNKNOWN,
    409: "Not as it stands: `code` says wrong_state, stale, already_going or opted_out.",
    422: "It does not fit; `code` and `detail` say what.",
}


@router.post(
    "",
    auth=Scope("drafts:write"),
    response={202: TakenDraft},
    summary="Have a message drafted",
    operation_id="ask_for_draft",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": NewDraft.model_json_schema()}},
        },
        **documented(
            {
                400: "The body is no JSON.",
                409: "The idempotency key belongs to another draft.",
                413: "Over 64 KiB.",
                415: "The body is encoded.",
                422: "The draft does not fit; `code`, `detail` and `errors` say where.",
            }
        ),
    },
)
def ask(request: HttpRequest) -> Status[dict[str, Any]]:
    """Have a message drafted that a trainer then decides about. 202 means committed: it will be written.

    The same idempotency_key again is the same draft, and `duplicate` says so; with anything else it is 409.
    """
    wanted = bodies.read(request, NewDraft, most_bytes=MAX_BYTES, what="A draft")
    with _refusals():
        taken = intake.ask(
            trainer_id=wanted.trainer_id,
            client_id=wanted.client_id,
            contact_id=wanted.contact_id,
            location_id=wanted.location_id,
            channel=wanted.channel,
            kind=wanted.kind,
            context=wanted.context,
            idempotency_key=wanted.idempotency_key or "",
            now=timezone.now(),
        )
    return Status(202, {"draft_id": taken.draft_id, "state": taken.state, "duplicate": taken.is_duplicate})


@router.get(
    "",
    auth=Scope("drafts:read"),
    response=DraftList,
    summary="List drafts, newest first",
    operation_id="list_drafts",
    openapi_extra=documented({422: "A parameter does not fit, or too much would be looked through."}),
)
def list_drafts(
    request: HttpRequest,
    trainer_id: PersonId | None = None,
    client_id: PersonId | None = None,
    kind: Kind | None = None,
    tab: Tab | None = None,
    state: State | None = None,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=search.MOST_ROWS)] = search.MOST_ROWS,
) -> dict[str, Any]:
    """Return up to 100 drafts without their texts. tab: as in the AI Inbox. Pass the cursor to go on."""
    try:
        page = search.page(
            now=timezone.now(),
            trainer_id=trainer_id or "",
            client_id=client_id or "",
            kind=kind or "",
            state=state or "",
            tab=tab,
            older_than=cursor,
            most=limit,
        )
    except TooBroad:
        raise Problem(
            422, "too_broad", "Looking through so many drafts takes too long. Name a trainer or a client."
        ) from None
    return {
        "drafts": [draft_shapes.line(draft) for draft in page.drafts],
        "cursor": None if page.older is None else str(page.older),
    }


@router.post(
    "/approve",
    auth=_WORK,
    response=ApprovedMany,
    summary="Approve many drafts as they stand",
    operation_id="approve_drafts",
    openapi_extra=documented({422: "None or too many are named, or something does not fit."}),
)
def approve_many(request: HttpRequest, wanted: ApproveMany) -> dict[str, Any]:
    """Approve up to 50 drafts, each by itself: what cannot be approved stays, and says why.

    Unknown ones are told last.
    """
    with _refusals(), acting_for(wanted.trainer_id or ""):
        known = search.known([one.draft_id for one in wanted.drafts])
        chosen = [Chosen(one.draft_id, one.seen_act_at) for one in wanted.drafts if one.draft_id in known]
        outcomes = deciding.approve_many(chosen, by=actor(request), now=timezone.now())
    unknown = [one.draft_id for one in wanted.drafts if one.draft_id not in known]
    outcomes += [Outcome(draft_id, "unknown_draft", _UNKNOWN) for draft_id in unknown]
    return {
        "outcomes": [
            {"draft_id": one.draft_id, "approved": not one.code, "code": one.code, "words": one.words}
            for one in outcomes
        ]
    }


@router.get(
    "/{draft_id}",
    auth=Scope("drafts:read"),
    response=DraftDetail,
    summary="What does a draft say, and how did it go?",
    operation_id="draft",
    openapi_extra=documented({404: _UNKNOWN, 422: "A parameter does not fit."}),
)
def draft(
    request: HttpRequest, draft_id: UUID, response: HttpResponse, trainer_id: PersonId | None = None
) -> dict[str, Any]:
    """Return a draft with its text and its newest 50 attempts."""
    found = search.find(draft_id, trainer_id=trainer_id or "")
    if found is None:
        raise _unknown()
    response["Cache-Control"] = "no-store"
    return draft_shapes.detail(found, search.attempts(found))


@router.post(
    "/{draft_id}/approve",
    auth=_WORK,
    response=DraftLine,
    summary="Approve a draft",
    operation_id="approve_draft",
    openapi_extra=documented(_ERRORS),
)
def approve(request: HttpRequest, draft_id: UUID, wanted: Approve) -> dict[str, Any]:
    """Have it sent, as it is or changed, at once or when the client's quiet hours are over.

    A client who has written or booked since makes it stale: show that, then give seen_act_at.
    """
    changed = None
    if wanted.text is not None or wanted.subject is not None:
        found = search.find(draft_id, trainer_id=wanted.trainer_id or "")
        if found is None:
            raise _unknown()
        changed = Text(
            found.text if wanted.text is None else wanted.text,
            found.subject if wanted.subject is None else wanted.subject,
        )
    return _decided(
        request, draft_id, wanted, deciding.approve, changed=changed, seen_act_at=wanted.seen_act_at
    )


@router.post(
    "/{draft_id}/recall",
    auth=_WORK,
    response=DraftLine,
    summary="Take an approval back",
    operation_id="recall_draft",
    openapi_extra=documented(_ERRORS),
)
def recall(request: HttpRequest, draft_id: UUID, wanted: For) -> dict[str, Any]:
    """Let it be reviewed again, while nothing of it has left."""
    return _decided(request, draft_id, wanted, deciding.recall)


@router.post(
    "/{draft_id}/regenerate",
    auth=_WORK,
    response=DraftLine,
    summary="Have a draft written anew",
    operation_id="regenerate_draft",
    openapi_extra=documented(_ERRORS),
)
def regenerate(request: HttpRequest, draft_id: UUID, wanted: Regenerate) -> dict[str, Any]:
    """Have it written anew, as the hint says. Keep names and addresses out of it: the model reads it."""
    return _decided(request, draft_id, wanted, deciding.regenerate, hint=wanted.hint)


@router.post(
    "/{draft_id}/retry",
    auth=_WORK,
    response=DraftLine,
    summary="Try a failed draft again",
    operation_id="retry_draft",
    openapi_extra=documented(_ERRORS),
)
def retry(request: HttpRequest, draft_id: UUID, wanted: For) -> dict[str, Any]:
    """Let the language model be asked again, up to three times."""
    return _decided(request, draft_id, wanted, deciding.retry)


@router.post(
    "/{draft_id}/snooze",
    auth=_WORK,
    response=DraftLine,
    summary="Put a draft off",
    operation_id="snooze_draft",
    openapi_extra=documented(_ERRORS),
)
def snooze(request: HttpRequest, draft_id: UUID, wanted: Snooze) -> dict[str, Any]:
    """Put it out of sight for a while."""
    return _decided(request, draft_id, wanted, deciding.snooze, length=wanted.length)


@router.post(
    "/{draft_id}/wake",
    auth=_WORK,
    response=DraftLine,
    summary="End a snooze",
    operation_id="wake_draft",
    openapi_extra=documented(_ERRORS),
)
def wake(request: HttpRequest, draft_id: UUID, wanted: For) -> dict[str, Any]:
    """Bring it back before its time."""

    def woken(draft_id: UUID, *, now: object, **given: Any) -> Draft:
        return deciding.wake(draft_id, **given)

    return _decided(request, draft_id, wanted, woken)


@router.post(
    "/{draft_id}/dismiss",
    auth=_WORK,
    response=DraftLine,
    summary="Dismiss a draft",
    operation_id="dismiss_draft",
    openapi_extra=documented(_ERRORS),
)
def dismiss(request: HttpRequest, draft_id: UUID, wanted: Dismiss) -> dict[str, Any]:
    """Decide that it is not sent, and say why."""
    return _decided(request, draft_id, wanted, deciding.dismiss, reason=wanted.reason)


def _decided(
    request: HttpRequest, draft_id: UUID, wanted: For, verb: Callable[..., Draft], **given: Any
) -> dict[str, Any]:
    with _refusals(), acting_for(wanted.trainer_id or ""):
        done = verb(draft_id, by=actor(request), now=timezone.now(), **given)
    return draft_shapes.line(done)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except Draft.DoesNotExist:
        raise _unknown() from None
    except (Refused, jobs.Refused) as refusal:
        status = 409 if refusal.code in _CONFLICTS else 422
        raise Problem(status, refusal.code, _STALE if refusal.code == "stale" else str(refusal)) from None


def _unknown() -> Problem:
    return Problem(404, "unknown_draft", f"{_UNKNOWN} It may be too old to be kept.")
