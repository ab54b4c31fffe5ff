"""Rows of dead letters, groups and bulk operations as the API shows them, and where a page of them ended.

The rule: one way from a row to its shape; a payload is masked on it.
"""

from datetime import datetime
from typing import Any

from sync import job_search
from sync.api.letter_answers import refusals
from sync.dead_letters import bulk, cursors, explanations, fixers, preflight, search, standing
from sync.dead_letters.outcome import Outcome
from sync.models import BulkItem, BulkOperation, CauseGroup, DeadLetter, GroupNote, LetterNote
from sync.models.bulk_operation import COUNTED

_GROUP = (
    "integration subject code cause message state open redriving recovered discarded superseded total"
    " first_seen_at last_seen_at resolved_at snoozed_until snoozed_to_count acknowledged_at acknowledged_by"
    " people locations oldest_at"
)
_OPERATION = (
    "kind state state_reason group_id messages reason by approved_by step step_size total started_at ended_at"
)


def line(letter: DeadLetter) -> dict[str, Any]:
    """Return a letter as a LetterLine; its group must have been read with it."""
    return {
        "letter_id": letter.pk,
        "job_id": letter.job_id,
        "webhook_id": letter.webhook_id,
        "location_id": letter.location_id,
        "group_id": letter.group_id,
        "subject": letter.group.subject,
        "cause": letter.group.cause,
        "code": letter.code,
        "status": letter.status,
        "state": letter.state,
        "said": letter.words,
        "deaths": letter.deaths,
        "first_died_at": letter.first_died_at,
        "died_at": letter.died_at,
        "resolved_at": letter.resolved_at,
        "discard_reason": letter.discard_reason,
        "assigned_to": letter.assigned_to_id,
        "snoozed_until": letter.snoozed_until,
    }


def detail(letter: DeadLetter) -> dict[str, Any]:
    """Return a letter as a LetterDetail."""
    said = explanations.explain(letter.code, letter.group.cause)
    finding = preflight.of([letter]).get(letter.pk) if letter.state == DeadLetter.State.OPEN else None
    return {
        **line(letter),
        "words": said.words,
        "next_step": said.next_step,
        "in_the_way": {"kind": finding.kind, "words": finding.words} if finding else None,
        "payload": job_search.shown_payload(letter.job) if letter.job else None,
        "notes": [note(one) for one in search.notes(letter)],
    }


def note(one: LetterNote | GroupNote) -> dict[str, Any]:
    """Return a note as a NoteLine."""
    return {"words": one.words, "by": one.by, "at": one.at}


def group(one: CauseGroup, now: datetime) -> dict[str, Any]:
    """Return a group as a GroupLine."""
    said = explanations.explain(one.code, one.cause)
    return {
        "group_id": one.pk,
        "owner": one.owner_id,
        "standing": standing.of(one, now),
        "fixer": fixers.of(one.code, one.cause),
        "words": said.words,
        "next_step": said.next_step,
        **{name: getattr(one, name) for name in _GROUP.split()},
    }


def outcome(done: Outcome) -> dict[str, Any]:
    """Return what became of each letter that a verb was given."""
    left = {**done.refused, **done.undecided}
    return {
        "done": sorted(done.done),
        "superseded": sorted(done.superseded),
        "left": [{"letter_id": id, "why": why} for id, why in sorted(left.items())],
    }


def operation(one: BulkOperation) -> dict[str, Any]:
    """Return a bulk operation as an OperationLine."""
    return {
        "operation_id": one.pk,
        "filter": one.chosen,
        "counts": {name: getattr(one, name) for name in COUNTED},
        **{name: getattr(one, name) for name in _OPERATION.split()},
    }


def operation_detail(one: BulkOperation) -> dict[str, Any]:
    """Return a bulk operation as an OperationDetail."""
    progress = bulk.progress(one)
    return {**operation(one), "percent": progress.percent, "held": progress.held}


def item(one: BulkItem) -> dict[str, Any]:
    """Return an item of a bulk operation as an ItemLine."""
    return {"letter_id": one.letter_id, "state": one.state, "words": one.words, "ended_at": one.ended_at}


def cursor(older: tuple[datetime, int] | None) -> str | None:
    """Return where a page ended, for the next one."""
    return cursors.written(older)


def position(text: str | None) -> tuple[datetime, int] | None:
    """Return where the page before ended; raises Problem 422 for what is no cursor."""
    with refusals():
        return cursors.read(text)
