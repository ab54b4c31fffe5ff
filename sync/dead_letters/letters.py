"""Dead letters: what dies gets one, what is tried again ends one, and what people decide about them.

The rules: a letter commits with the death it tells of; it is open until it has recovered, was discarded with
a reason, or something newer has made it needless. Each verb is audited in its own transaction, and says of
each letter what it did. For more than MOST letters there are bulk operations.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import Q

from sync import signals
from sync.dead_letters import burial, moves, wording
from sync.dead_letters.death import Death
from sync.dead_letters.outcome import Outcome
from sync.dead_letters.refusal import Refused
from sync.models import DeadLetter, LetterNote
from sync.signals import Act
from sync.transitions import State as JobState
from trainu.transactions import atomic_retry

State = DeadLetter.State

# One entry of the audit log each.
MOST = 100
LONGEST_SNOOZE = timedelta(days=366)
TARGET_KIND = "sync.deadletter"
_UNENDED = (State.OPEN, State.REDRIVING, State.DISCARDED)
_ENDS = {JobState.SUCCEEDED: State.RECOVERED, JobState.SUPERSEDED: State.SUPERSEDED}


def died(deaths: Sequence[Death], *, now: datetime) -> None:
    """Give what has died a letter, or open its letter again. Inside the transaction of the death.

    A letter that died again stands in the group of its new cause. Told twice, a death counts once.
    """
    for start in range(0, len(deaths), burial.MOST):
        burial.bury(deaths[start : start + burial.MOST], now=now)


def ended(ended: Mapping[UUID, JobState], *, now: datetime) -> None:
    """Close the letters of jobs that have succeeded or were superseded. Inside the caller's transaction.

    Discarded ones too: their job is not dead any more, so nobody could restore them.
    """
    states = {job: _ENDS[state] for job, state in ended.items() if state in _ENDS}
    letters = moves.locked(Q(job__in=states.keys(), state__in=_UNENDED))
    _close({letter.pk: states[letter.job_id] for letter in letters if letter.job_id}, now)


def webhooks_ended(ids: Collection[int], *, now: datetime) -> None:
    """Close the letters of webhooks that were processed after all. Inside the caller's transaction."""
    letters = moves.locked(Q(webhook__in=ids, state__in=_UNENDED))
    _close({letter.pk: State.RECOVERED for letter in letters}, now)


@atomic_retry
def catch_up(*, now: datetime) -> int:
    """Close letters of what has ended without having told; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_ENDED_UNTOLD, [moves.MOST])
        found = {id: State.RECOVERED if well else State.SUPERSEDED for id, well in cursor.fetchall()}
    there = {letter.pk for letter in moves.locked(Q(pk__in=found, state=State.REDRIVING))}
    _close({id: state for id, state in found.items() if id in there}, now)
    return len(there)


_ENDED_UNTOLD = """
select letter.id, coalesce(job.state = 'succeeded', true)
from sync_deadletter letter
left join sync_syncjob job on job.id = letter.job_id
left join sync_webhook webhook on webhook.id = letter.webhook_id
where letter.state = 'redriving'
  and (job.state in ('succeeded', 'superseded') or webhook.state in ('done', 'ignored'))
limit %s
"""


def redrive(ids: Collection[int], *, by: str, now: datetime, look_first: bool = True) -> Outcome:
    """Give open letters one more try.

    by: who asked, as the audit log names people. look_first: have the engine ask GoHighLevel whether it is
    done already; without, what cannot be repeated may be done twice. Raises Refused for too many.
    """
    changes = {"look_first": (None, look_first)}
    return _verb("redrive", ids, by, lambda: moves.redrive(ids, now=now, look_first=look_first), changes)


def discard(ids: Collection[int], reason: str, *, by: str, now: datetime) -> Outcome:
    """Close open letters for good, with a reason; `restore` undoes it. Raises Refused."""
    why = wording.reason(reason)
    return _verb("discard", ids, by, lambda: moves.discard(ids, why, by=by, now=now), reason=why)


def restore(ids: Collection[int], *, by: str, reason: str = "") -> Outcome:
    """Open discarded letters again. Raises Refused for too many."""
    return _verb("restore", ids, by, lambda: moves.restore(ids), reason=reason)


def assign(ids: Collection[int], user_id: int | None, *, by: str) -> Outcome:
    """Make somebody responsible for open letters; None: nobody. Raises Refused."""
    check_user(user_id)
    return _verb("assign", ids, by, lambda: moves.assign(ids, user_id), {"assigned_to": (None, user_id)})


@transaction.atomic
def note(letter_id: int, words: str, *, by: str, now: datetime) -> LetterNote:
    """Write something down about a letter, for whoever works on it next. Raises Refused."""
    text = wording.note(words)
    letter = _one(letter_id)
    written = LetterNote.objects.create(letter=letter, words=text, by=by, at=now)
    _tell("note", [letter.pk], by)
    return written


@transaction.atomic
def snooze(letter_id: int, until: datetime | None, *, by: str, now: datetime) -> DeadLetter:
    """Have nobody asked about a letter until then; None: ask again. Raises Refused."""
    check_snooze(until, now)
    letter = _one(letter_id)
    before, letter.snoozed_until = letter.snoozed_until, until
    letter.save(update_fields=["snoozed_until"])
    _tell("snooze", [letter.pk], by, {"snoozed_until": (before, until)})
    return letter


def check_user(user_id: int | None) -> None:
    """Raise Refused unless somebody works here under this id."""
    people = get_user_model()._default_manager
    if user_id is not None and not people.filter(pk=user_id, is_active=True, is_staff=True).exists():
        raise Refused("unknown_user", "Nobody on the staff has this id.")


def check_snooze(until: datetime | None, now: datetime) -> None:
    """Raise Refused for a time that is over, or too far away."""
    if until is not None and not now < until <= now + LONGEST_SNOOZE:
        raise Refused("invalid_until", "Snooze until a time within a year from now.")


@atomic_retry
@transaction.atomic
def _verb(
    name: str,
    ids: Collection[int],
    by: str,
    move: Callable[[], Outcome],
    changes: Mapping[str, tuple[Any, Any]] | None = None,
    reason: str = "",
) -> Outcome:
    if len(ids) > MOST:
        raise Refused("too_many", f"At most {MOST} letters at once. Start a bulk operation for more.")
    outcome = move()
    _tell(name, sorted(outcome.done | outcome.superseded), by, changes or {}, reason)
    return outcome


def _one(letter_id: int) -> DeadLetter:
    letter = DeadLetter.objects.select_for_update().filter(pk=letter_id).first()
    if letter is None:
        raise Refused("unknown_letter", moves.NO_LETTER)
    return letter


def _close(states: Mapping[int, State], now: datetime) -> None:
    for state in set(states.values()):
        chosen = [id for id, end in states.items() if end is state]
        DeadLetter.objects.filter(pk__in=chosen).update(
            state=state, resolved_at=now, discard_reason="", discarded_by=""
        )


def _tell(
    name: str,
    ids: Sequence[int],
    by: str,
    changes: Mapping[str, tuple[Any, Any]] | None = None,
    reason: str = "",
) -> None:
    acts = [Act(f"dead_letter.{name}", TARGET_KIND, str(id), reason, by, changes or {}) for id in ids]
    if acts:
        signals.acted.send(sender=None, acts=acts)
