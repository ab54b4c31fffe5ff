"""Reconciliations: begun, taken in hand, saved after each step, ended.

The rule: whoever has one in hand holds its fence, and saves nothing once somebody else has taken it. Killed
at any line, it goes on from its cursor.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from sync import locations, signals
from sync.models import Location, Reconciliation
from sync.reconciliation import stages
from sync.signals import Act, Trouble
from trainu import correlation
from trainu.faults import SyncCode

State = Reconciliation.State
FARTHEST = timedelta(days=30)
# Longer than a request, its renewal of a token and its saving may take.
TURN = timedelta(seconds=60)
# The search for contacts is that much behind.
LAG = timedelta(minutes=1)
LONGEST_REASON = 300
REPLACED = "Another one took its place, which reaches further back."
_SAVED = [
    "cursor",
    "failures",
    "requests",
    "contacts_read",
    "appointments_read",
    "missed",
    "told",
    "state",
    "reason",
    "ended_at",
    "next_at",
]


class Refused(ValueError):
    """A reconciliation that cannot be begun. code: a word for machines; str(): why, and what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Lost(Exception):
    """Somebody else has taken it in hand."""


@dataclass(frozen=True, slots=True)
class Started:
    """goes_on: it had been begun before, and goes on where it stopped."""

    run: Reconciliation
    goes_on: bool


@transaction.atomic
def start(
    location_id: str, *, since: datetime, now: datetime, by: str, actor: str | None = None, tell: bool = True
) -> Started:
    """Begin a reconciliation, or return the one under way that was begun by the same and reaches as far back.

    since: at most 30 days ago. by: schedule, silence, command, api or staff. tell: whether it is an act of
    somebody, for the audit log. Raises Refused.
    """
    if not now - FARTHEST - LAG <= since < now - LAG:
        raise Refused("invalid_since", "A reconciliation reaches back 2 minutes to 30 days from now.")
    location = _ready(location_id, now)
    under_way = Reconciliation.objects.filter(location=location, started_by=by, state=State.RUNNING).first()
    if under_way is not None and under_way.since <= since:
        return Started(under_way, goes_on=True)
    if under_way is not None:
        under_way.fence += 1
        Reconciliation.objects.filter(pk=under_way.pk).update(
            fence=F("fence") + 1, state=State.FAILED, reason=REPLACED, ended_at=now
        )
    run = Reconciliation.objects.create(
        location=location,
        started_by=by,
        since=since,
        until=now - LAG,
        cursor=stages.first(),
        next_at=now,
        created_at=now,
        correlation_id=correlation.current() or correlation.new(),
    )
    if tell:
        act = Act("reconciliation.start", "sync.reconciliation", str(run.pk), actor=actor)
        signals.acted.send(sender=None, acts=[act])
    return Started(run, goes_on=False)


def take(*, now: datetime, most: int) -> list[Reconciliation]:
    """Take in hand what is due: begun and never worked on, paused by itself, or left by who was killed."""
    with transaction.atomic():
        due = Reconciliation.objects.filter(state=State.RUNNING, next_at__lte=now).order_by("next_at")
        ids = list(due.select_for_update(skip_locked=True).values_list("pk", flat=True)[:most])
        Reconciliation.objects.filter(pk__in=ids).update(fence=F("fence") + 1, next_at=now + TURN)
    return list(Reconciliation.objects.filter(pk__in=ids).select_related("location").order_by("pk"))


def take_over(pk: int, *, now: datetime) -> Reconciliation:
    """Take one in hand, whoever has it: they notice when they save."""
    Reconciliation.objects.filter(pk=pk, state=State.RUNNING).update(fence=F("fence") + 1, next_at=now + TURN)
    return Reconciliation.objects.select_related("location").get(pk=pk)


def save(run: Reconciliation, *, now: datetime, next_at: datetime | None = None) -> None:
    """Keep how far it has come, inside the caller's transaction. Raises Lost.

    next_at: when to go on, for one that is put down; default: it stays in hand.
    """
    if run.state == State.RUNNING:
        run.next_at = next_at or now + TURN
    values = {name: getattr(run, name) for name in _SAVED}
    mine = Reconciliation.objects.filter(pk=run.pk, fence=run.fence, state=State.RUNNING)
    if not mine.update(**values):
        raise Lost


def end(run: Reconciliation, *, now: datetime) -> None:
    """Let it be done. Raises Lost."""
    run.state, run.ended_at = State.DONE, now
    save(run, now=now)


def stop(run: Reconciliation, words: str, *, now: datetime) -> None:
    """End it without having come to the end, and tell. words: why, for staff. Raises Lost."""
    run.state, run.ended_at, run.reason = State.FAILED, now, words[:LONGEST_REASON]
    save(run, now=now)
    trouble = Trouble("sync", SyncCode.RECONCILIATION_FAILED, run.location.pk, run.reason)
    signals.troubled.send(sender=None, troubles=[trouble])


def _ready(location_id: str, now: datetime) -> Location:
    """Return the location, locked: of two who begin at once, the second finds the first one's."""
    try:
        location = locations.locked(location_id)
    except locations.Refused as error:
        raise Refused(error.code, str(error)) from None
    if locations.is_held(location, now):
        raise Refused("held_location", held(location))
    return location


def held(location: Location) -> str:
    """Return why a location is not read, and what to do."""
    if location.state == Location.State.PAUSED:
        return "The location is paused, and nothing is read for it either. Resume it first."
    return f"The location is set up wrong. {location.state_reason} Mend that first, then start again."
