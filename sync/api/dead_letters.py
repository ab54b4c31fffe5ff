"""/api/dead-letters: what is dead and why, one by one, and what can be done about it.

The rule: an answer to a verb says of each letter what became of it. More than 100 letters are worked on by
bulk operations.
"""

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Status

from sync import retrying
from sync.api import letter_rows as rows
from sync.api import letter_shapes as shapes
from sync.api.letter_answers import refusals
from sync.api.letter_shapes import Id, LetterState, Word
from sync.dead_letters import changes, letters, revealing, search
from sync.dead_letters.chosen import Chosen
from trainu.problem import Problem, documented
from trainu.scopes import Scope, actor

router = Router(tags=["dead letters"])

READ, OPERATE, REVEAL = "sync:read", "sync:operate", "sync:reveal"
_VERB = documented({422: "What was asked for does not fit; `detail` says what to do."})
_ONE = documented(
    {404: "There is no such letter.", 409: "Its state does not allow it.", 422: "It does not fit."}
)


@router.get(
    "",
    auth=Scope(READ),
    response=shapes.LetterList,
    summary="List dead letters, those that died last first",
    operation_id="list_dead_letters",
    openapi_extra=documented({422: "A parameter does not fit."}),
)
def list_letters(
    request: HttpRequest,
    group_id: Id | None = None,
    location_id: Word | None = None,
    code: Word | None = None,
    subject: Word | None = None,
    state: LetterState | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=search.MOST_ROWS)] = search.MOST_ROWS,
) -> dict[str, Any]:
    """Return up to 100 letters. Pass the answer's cursor to go on; new letters do not shift the pages."""
    chosen = Chosen(group_id, location_id or "", code or "", subject or "")
    with refusals():
        page = search.page(chosen, state=state or "", older_than=rows.position(cursor), most=limit)
    lines = [rows.line(letter) for letter in page.letters]
    return {"letters": lines, "cursor": rows.cursor(page.older)}


@router.get(
    "/{int:letter_id}",
    auth=Scope(READ),
    response=shapes.LetterDetail,
    summary="What is a letter about?",
    operation_id="dead_letter",
    openapi_extra=documented({404: "There is no such letter."}),
)
def one_letter(request: HttpRequest, letter_id: Id) -> dict[str, Any]:
    """Return a letter with what it means, what stands in its way, its masked payload and newest notes."""
    found = search.find(letter_id)
    if found is None:
        raise Problem(404, "unknown_letter", "There is no such letter. It may be too old to be kept.")
    return rows.detail(found)


@router.post(
    "/redrive",
    auth=Scope(OPERATE),
    response=shapes.Outcome,
    summary="Try letters once more",
    operation_id="redrive_dead_letters",
    openapi_extra=_VERB,
)
def redrive(request: HttpRequest, wanted: shapes.Redrive) -> dict[str, Any]:
    """Give open letters one more try. What a newer job has made needless is superseded and not sent."""
    with refusals():
        done = letters.redrive(
            wanted.letter_ids, by=actor(request), now=timezone.now(), look_first=wanted.look_first
        )
    return rows.outcome(done)


@router.post(
    "/discard",
    auth=Scope(OPERATE),
    response=shapes.Outcome,
    summary="Close letters with a reason",
    operation_id="discard_dead_letters",
    openapi_extra=_VERB,
)
def discard(request: HttpRequest, wanted: shapes.Discard) -> dict[str, Any]:
    """Close open letters without another try; restore undoes it."""
    with refusals():
        done = letters.discard(wanted.letter_ids, wanted.reason, by=actor(request), now=timezone.now())
    return rows.outcome(done)


@router.post(
    "/restore",
    auth=Scope(OPERATE),
    response=shapes.Outcome,
    summary="Open discarded letters again",
    operation_id="restore_dead_letters",
    openapi_extra=_VERB,
)
def restore(request: HttpRequest, wanted: shapes.Restore) -> dict[str, Any]:
    """Undo a discard."""
    with refusals():
        done = letters.restore(wanted.letter_ids, by=actor(request), reason=wanted.reason)
    return rows.outcome(done)


@router.post(
    "/assign",
    auth=Scope(OPERATE),
    response=shapes.Outcome,
    summary="Make somebody responsible for letters",
    operation_id="assign_dead_letters",
    openapi_extra=_VERB,
)
def assign(request: HttpRequest, wanted: shapes.Assign) -> dict[str, Any]:
    """Assign open letters to a member of staff, or to nobody."""
    with refusals():
        done = letters.assign(wanted.letter_ids, wanted.user_id, by=actor(request))
    return rows.outcome(done)


@router.post(
    "/{int:letter_id}/redrive-with-changes",
    auth=Scope(OPERATE),
    response={202: shapes.Copy},
    summary="Try a letter with other data",
    operation_id="change_dead_letter",
    openapi_extra=_ONE,
)
def change(request: HttpRequest, letter_id: Id, wanted: shapes.Change) -> Status[dict[str, Any]]:
    """Replace the letter's job by one with this payload. What the job is about cannot be changed."""
    with refusals():
        job_id = changes.redrive_with_changes(
            letter_id, wanted.payload, by=actor(request), reason=wanted.reason, now=timezone.now()
        )
    return Status(202, {"job_id": job_id})


@router.post(
    "/{int:letter_id}/note",
    auth=Scope(OPERATE),
    response={201: shapes.NoteLine},
    summary="Note something about a letter",
    operation_id="note_dead_letter",
    openapi_extra=_ONE,
)
def note(request: HttpRequest, letter_id: Id, wanted: shapes.Note) -> Status[dict[str, Any]]:
    """Write something down for whoever works on it next. What looks personal is masked."""
    with refusals():
        written = letters.note(letter_id, wanted.words, by=actor(request), now=timezone.now())
    return Status(201, rows.note(written))


@router.post(
    "/{int:letter_id}/snooze",
    auth=Scope(OPERATE),
    response=shapes.LetterDetail,
    summary="Have nobody asked about a letter for a while",
    operation_id="snooze_dead_letter",
    openapi_extra=_ONE,
)
def snooze(request: HttpRequest, letter_id: Id, wanted: shapes.Snooze) -> dict[str, Any]:
    """Snooze a letter until a time; null ends that."""
    with refusals():
        letters.snooze(letter_id, wanted.until, by=actor(request), now=timezone.now())
    return one_letter(request, letter_id)


@router.post(
    "/{int:letter_id}/reveal",
    auth=Scope(REVEAL),
    response=shapes.Revealed,
    summary="See what is masked about a letter",
    operation_id="reveal_dead_letter",
    openapi_extra=_ONE,
)
def reveal(request: HttpRequest, letter_id: Id, wanted: shapes.Why, response: HttpResponse) -> dict[str, Any]:
    """Return a letter's data unmasked. Who has asked and why is in the audit log; keep none of it."""
    with refusals():
        revealed = revealing.reveal(letter_id, wanted.reason, by=actor(request))
    response["Cache-Control"] = "no-store"
    return {"payload": revealed.payload, "body": revealed.body}


@router.post(
    "/retry-waiting",
    auth=Scope(OPERATE),
    response=shapes.Retried,
    summary="Try jobs now that wait for their next try",
    operation_id="retry_waiting_jobs",
    openapi_extra=_VERB,
)
def retry_waiting(request: HttpRequest, wanted: shapes.RetryWaiting) -> dict[str, Any]:
    """Let up to 10,000 jobs of a location, or of one failure's code, come due from now on, one by one."""
    if bool(wanted.location_id) == bool(wanted.code):
        raise Problem(422, "invalid_choice", "Give a location_id or a code.")
    retried = retrying.retry_now(
        location_id=wanted.location_id or "",
        code=wanted.code or "",
        by=actor(request),
        reason=wanted.reason,
        now=timezone.now(),
    )
    return {"jobs": retried.jobs, "is_more": retried.is_more}
