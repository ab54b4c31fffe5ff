"""Bring stored events to PostHog: in order, at least once, with the same uuids at every try.

The rule: the position moves only behind an acknowledgement, and only if nobody else has moved it.
Nothing is written on the events themselves; PostHog's refusals of single events are rows of their own.
"""

import random
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F

from observability import forward_refusals, watermark
from observability.audit.actions import Action
from observability.audit.recording import record
from observability.models import EventDefinition, Forwarder
from observability.posthog import (
    COLUMNS,
    Delivered,
    Misconfigured,
    Refused,
    Sender,
    Sends,
    StoredEvent,
    Unavailable,
)

log = structlog.get_logger(__name__)

BATCH = 500
READ = 2_000
# An idle forwarder moves its position only so often: each move is a transaction itself.
IDLE_XIDS = 1_000
LONGEST_WAIT_S = 3600.0
MISCONFIGURED_WAIT_S = 300.0
# One forwarder at a time, over all hosts: the session that holds this advisory lock.
LOCK_KEY = 0x7472_6169_6E75_0001

_FIRST_TIME = datetime(1, 1, 2, tzinfo=UTC)
_READ = f"""
select {COLUMNS}
from observability_event
where xid >= %(low)s and xid < %(high)s and timestamp >= %(floor)s
  and (xid, timestamp, uuid) > (%(low)s, %(after)s, %(after_uuid)s)
order by xid, timestamp, uuid
limit %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Position:
    """Everything before (xid, timestamp, uuid) is done with; the row itself too, where it is one."""

    xid: int
    timestamp: datetime | None = None
    uuid: UUID | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did. behind: whether to take the next one at once."""

    sent: int
    behind: bool


class MovedByAnother(Exception):
    """Another forwarder has moved the position: this one has lost its lock, and must stop."""


class Forwarding:
    """A run of the forwarder: what it must remember between steps, and nothing that a crash would lose."""

    def __init__(self, sender: Sends) -> None:
        self.sender = sender
        self.window_xids = 1_000
        # Acknowledged, but behind an event that PostHog wants once more: not to be sent twice.
        self.acknowledged: set[UUID] = set()
        # When PostHog last had everything, as far as this run knows: a new run prunes no partitions at first.
        self.caught_up_at = watermark.NEVER

    def step(self, *, now: datetime) -> Step:
        """Read the next events and bring them to PostHog; do nothing while paused or waiting."""
        state = load()
        if state.paused_at or (state.next_attempt_at and state.next_attempt_at > now):
            return Step(0, behind=False)
        position = Position(state.position_xid, state.position_timestamp, state.position_uuid)
        events, end, behind = self._read(position)
        off = set(EventDefinition.objects.filter(forwarded=False).values_list("name", flat=True))
        segments = deque(events[start : start + BATCH] for start in range(0, len(events), BATCH))
        sent = 0
        while segments:
            segment = segments.popleft()
            try:
                position, count = self._send(segment, off, position, now=now)
                sent += count
            except Refused as refusal:
                if len(segment) > 1:
                    middle = len(segment) // 2
                    segments.extendleft((segment[middle:], segment[:middle]))
                else:
                    position = _refuse(segment[0], refusal.status, refusal.reason, position, now=now)
            except (Unavailable, Misconfigured) as failure:
                _fail(failure, segment[0].received_at, now=now)
                return Step(sent, behind=False)
        if events or end.xid - position.xid >= IDLE_XIDS:
            _advance(position, end, waiting=events[-1].received_at if events and behind else None, now=now)
        if not behind:
            self.caught_up_at = now
        return Step(sent, behind=behind)

    def _read(self, after: Position) -> tuple[list[StoredEvent], Position, bool]:
        """Return the next events, where the walk then stands, and whether there may be more."""
        with transaction.atomic(), connection.cursor() as cursor:
            horizon = watermark.horizon(cursor)
            if not watermark.is_whole(cursor, after.xid):
                return [], after, False
            low = after.xid if after.uuid else watermark.next_xid(cursor, after.xid, horizon)
            high = min(horizon, low + self.window_xids)
            if high <= low:
                return [], after, False
            cursor.execute(
                _READ,
                {
                    "low": low,
                    "high": high,
                    "floor": watermark.floor(cursor, low, caught_up_at=self.caught_up_at),
                    "after": after.timestamp if after.xid == low and after.timestamp else _FIRST_TIME,
                    "after_uuid": after.uuid if after.xid == low and after.uuid else UUID(int=0),
                    "limit": READ,
                },
            )
            events = [StoredEvent.from_row(row) for row in cursor.fetchall()]
        if len(events) == READ:
            self.window_xids = max(1, self.window_xids // 2)
            return events, _behind(events[-1]), True
        if len(events) < READ // 4:
            self.window_xids = min(watermark.FAR_XIDS, self.window_xids * 2)
        return events, Position(high), high < horizon

    def _send(
        self, segment: list[StoredEvent], off: set[str], position: Position, *, now: datetime
    ) -> tuple[Position, int]:
        """Deliver a segment and move the position behind it; return it with the number sent."""
        due = [event for event in segment if event.event not in off and event.uuid not in self.acknowledged]
        outcome = self.sender.deliver(due) if due else Delivered()
        refused = [event for event in due if event.uuid in outcome.refused]
        done = [event for event in due if event.uuid not in outcome.again]
        first_again = next(
            (i for i, event in enumerate(segment) if event.uuid in outcome.again), len(segment)
        )
        if outcome.again:
            self.acknowledged |= {event.uuid for event in done}
        reached = _behind(segment[first_again - 1]) if first_again else position
        with transaction.atomic():
            for event in refused:
                forward_refusals.keep(event, 200, outcome.refused[event.uuid], now=now)
            _advance(
                position,
                reached,
                waiting=segment[-1].received_at,
                now=now,
                sent=len(done) - len(refused),
                skipped=sum(event.event in off for event in segment[:first_again]),
                refused=len(refused),
                acknowledged=bool(done),
            )
        if outcome.again:
            raise Unavailable("PostHog asked to send some events again")
        self.acknowledged.clear()
        return reached, len(done) - len(refused)


def _behind(event: StoredEvent) -> Position:
    return Position(event.xid, event.timestamp, event.uuid)


def look() -> Forwarder:
    """Return the forwarder's row, or one that is not stored where it was never asked for; writes nothing."""
    return Forwarder.objects.first() or Forwarder()


def load() -> Forwarder:
    """Return the forwarder's row; the first call makes it."""
    state, _ = Forwarder.objects.get_or_create(pk=1)
    return state


def _advance(
    before: Position,
    reached: Position,
    *,
    waiting: datetime | None,
    now: datetime,
    sent: int = 0,
    skipped: int = 0,
    refused: int = 0,
    acknowledged: bool = False,
) -> None:
    """Move the position, if it still is where this run left it; raises MovedByAnother."""
    changes: dict[str, object] = {
        "position_xid": reached.xid,
        "position_timestamp": reached.timestamp,
        "position_uuid": reached.uuid,
        "sent": F("sent") + sent,
        "skipped": F("skipped") + skipped,
        "refused": F("refused") + refused,
        "oldest_waiting_at": waiting,
    }
    if acknowledged:
        changes |= {"acknowledged_at": now, "failures": 0, "next_attempt_at": None, "last_error": ""}
    moved = Forwarder.objects.filter(
        pk=1,
        position_xid=before.xid,
        position_timestamp=before.timestamp,
        position_uuid=before.uuid,
    ).update(**changes)
    if not moved:
        raise MovedByAnother


def _refuse(event: StoredEvent, status: int, reason: str, before: Position, *, now: datetime) -> Position:
    """Set aside the one event that PostHog will not take, and go on behind it."""
    reached = _behind(event)
    with transaction.atomic():
        forward_refusals.keep(event, status, reason, now=now)
        _advance(before, reached, waiting=event.received_at, now=now, refused=1, acknowledged=True)
    log.warning("forward_refused", event_uuid=str(event.uuid), status=status)
    return reached


def _fail(failure: Unavailable | Misconfigured, waiting: datetime, *, now: datetime) -> None:
    """Note a failure that no event is to blame for, and when to try again."""
    state = load()
    failures = state.failures + 1
    if isinstance(failure, Misconfigured):
        wait_s = MISCONFIGURED_WAIT_S
    else:
        # Full jitter on the upper half: hosts that failed together do not come back together.
        backoff_s = min(LONGEST_WAIT_S, 2.0 ** min(failures, 12)) * random.uniform(0.5, 1.0)
        wait_s = min(LONGEST_WAIT_S, max(failure.retry_after_s or 0.0, backoff_s))
    Forwarder.objects.filter(pk=1).update(
        failures=failures,
        next_attempt_at=now + timedelta(seconds=wait_s),
        last_error=f"{type(failure).__name__}: {failure.reason}"[:200],
        last_error_at=now,
        oldest_waiting_at=waiting,
    )
    log.warning("forward_failed", kind=type(failure).__name__, reason=failure.reason, wait_s=round(wait_s, 1))


def pause(*, reason: str, now: datetime) -> None:
    """Stop sending until `resume`; events wait. Raises ValueError without a reason."""
    if not reason.strip():
        raise ValueError("Say why: whoever finds the forwarder paused will want to know.")
    state = load()
    with transaction.atomic():
        paused = Forwarder.objects.filter(pk=1, paused_at=None)
        if paused.update(paused_at=now, paused_reason=reason.strip()[:200]):
            record(Action.FORWARDER_PAUSE, target=state, reason=reason)


def resume() -> None:
    """Send again at once, also where a failure had set a later time."""
    with transaction.atomic():
        Forwarder.objects.filter(pk=1).update(paused_at=None, paused_reason="", next_attempt_at=None)
        record(Action.FORWARDER_RESUME, target=("observability.forwarder", 1))


def configured_sender() -> Sender | None:
    """Return the sender that the environment describes, or None where no key is set."""
    if not settings.POSTHOG_API_KEY:
        return None
    return Sender(settings.POSTHOG_API_KEY, settings.POSTHOG_HOST, mode=settings.POSTHOG_CAPTURE_MODE)


def try_lock() -> bool:
    """Take the right to forward, held by this connection until it ends or `unlock`."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", [LOCK_KEY])
        return bool(cursor.fetchone()[0])


def unlock() -> None:
    """Let another process forward."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_unlock(%s)", [LOCK_KEY])
