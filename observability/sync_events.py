"""What sync tells, as events of the catalog: pure, one payload in, one event or none out.

The rule: an event's uuid is made of what happened and of nothing else, so that telling it twice stores it
once. An id or a word from outside that is none is left out, or the event is refused with ValueError.
"""

import re
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal
from uuid import UUID

from observability.capture import Occurrence
from observability.catalog import Event
from observability.catalog.booking import (
    BookingCanceled,
    BookingConfirmed,
    BookingRescheduled,
    BookingScheduled,
    LeadCreated,
    NoShow,
)
from observability.catalog.sync import SyncDropped, SyncOk, SyncRetry, WebhookReceived
from sync.signals import AttemptEnded, BookingChanged, LeadAppeared, WebhookStored

# Outcomes that used up a try, or a lookup. What was held back costs none, and a finding is no failure.
_COSTLY = frozenset({"transient", "ambiguous", "permanent"})
_REASONS: dict[str, Literal["permanent", "exhausted", "ambiguous", "internal"]] = {
    "refused": "permanent",
    "exhausted": "exhausted",
    "check_by_hand": "ambiguous",
}
# Nobody is booked yet, and the catalog wants to know who.
NOBODY = "unassigned"

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}", re.ASCII)
_WORD = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}", re.ASCII)
_LONGEST_S = 31_536_000.0
_LONGEST_MS = 86_400_000.0
_LONGEST_MIN = 100_000
_MINUTE = timedelta(minutes=1)
_LOW_62 = 2**62 - 1


def of_attempt(one: AttemptEnded) -> Occurrence | None:
    """Return sync_ok, sync_retry or sync_dropped; None for what cost nothing and ended nothing."""
    event = _outcome(one)
    if event is None:
        return None
    return Occurrence(
        event, f"location:{one.location_id}", one.ended_at, _of_try(one), one.correlation_id or None
    )


def of_webhook(one: WebhookStored) -> Occurrence:
    """Return webhook_received."""
    event = WebhookReceived(
        webhook_id=one.webhook_id if _ID.fullmatch(one.webhook_id) else hashed(one.webhook_id, 16).hex(),
        location_id=one.location_id,
        topic=one.topic,
        contact_id=one.contact_id if one.contact_id and _ID.fullmatch(one.contact_id) else None,
        duration_ms=milliseconds(one.duration_ms),
    )
    uuid = event_uuid(one.received_at, int.from_bytes(hashed(f"webhook {one.webhook_id}", 10)))
    return Occurrence(event, f"location:{one.location_id}", one.received_at, uuid, one.correlation_id or None)


def of_lead(one: LeadAppeared) -> Occurrence:
    """Return lead_created; a contact appears once, whenever it is said to have been added."""
    event = LeadCreated(client_id=one.contact_id, location_id=one.location_id, source=word(one.source))
    uuid = event_uuid(None, int.from_bytes(hashed(f"lead {one.location_id} {one.contact_id}", 10)))
    return Occurrence(event, f"client:{one.contact_id}", one.at, uuid, one.correlation_id or None)


def of_booking(one: BookingChanged) -> Occurrence:
    """Return the event of a change of a booking; its client is the contact, until TrainU knows better."""
    return Occurrence(
        _change(one), f"client:{one.contact_id}", one.at, one.identity, one.correlation_id or None
    )


def _outcome(one: AttemptEnded) -> Event | None:
    match one.state:
        case "succeeded":
            return SyncOk(**_shared(one), settled_after_s=_seconds(one.ended_at - one.created_at))
        case "dead":
            return SyncDropped(
                **_shared(one),
                code=one.code,
                reason=_REASONS.get(one.cause, "internal"),
                settled_after_s=_seconds(one.ended_at - one.created_at),
            )
        case "waiting" if one.outcome in _COSTLY:
            again_in = (one.retry_at or one.ended_at) - one.ended_at
            return SyncRetry(**_shared(one), code=one.code, retry_in_s=_seconds(again_in))
    return None


def _shared(one: AttemptEnded) -> dict[str, Any]:
    return {
        "job_id": str(one.job_id),
        "location_id": one.location_id,
        "operation": one.operation,
        "attempt": one.number,
        "duration_ms": milliseconds(one.duration_ms),
    }


def _change(one: BookingChanged) -> Event:
    shared: dict[str, Any] = {
        "booking_id": one.appointment_id,
        "client_id": one.contact_id,
        "trainer_id": one.assigned_user_id or NOBODY,
        "starts_at": one.starts_at,
        "location_id": one.location_id,
    }
    match one.change:
        case "scheduled":
            return BookingScheduled(**shared, duration_min=_minutes(one), source=word(one.source))
        case "confirmed":
            return BookingConfirmed(**shared)
        case "rescheduled":
            if one.previous_starts_at is None:
                raise ValueError("what was moved had a time before")
            return BookingRescheduled(**shared, previous_starts_at=one.previous_starts_at)
        case "no_show":
            return NoShow(**shared)
        case "canceled":
            return BookingCanceled(**shared, reason=word(one.reason))


def _of_try(one: AttemptEnded) -> UUID:
    # A job's id is random already, so nothing need be hashed: there are thousands of these a second.
    return event_uuid(one.started_at, (one.number & 0xFFF) << 64 | one.job_id.int & _LOW_62)


def event_uuid(at: datetime | None, bits: int) -> UUID:
    """Return a UUID of version 8: milliseconds first as in version 7, so that an index stays dense."""
    time_ms = round(at.timestamp() * 1000) if at else 0
    return UUID(int=time_ms << 80 | 8 << 76 | (bits >> 64 & 0xFFF) << 64 | 2 << 62 | bits & _LOW_62)


def hashed(text: str, length: int) -> bytes:
    """Return so many bytes that stand for a text."""
    return blake2b(text.encode(), digest_size=length).digest()


def word(text: str | None) -> str | None:
    """Return a text in lower case where it is a word of the catalog, else None."""
    lowered = (text or "").lower()
    return lowered if _WORD.fullmatch(lowered) else None


def _seconds(span: timedelta) -> float:
    # Clocks of two hosts differ, and a job from the dead letters may be years old.
    return min(max(round(span.total_seconds(), 3), 0.0), _LONGEST_S)


def milliseconds(duration_ms: float) -> float:
    """Return a duration within the bounds of the catalog."""
    return min(max(round(duration_ms, 3), 0.0), _LONGEST_MS)


def _minutes(one: BookingChanged) -> int | None:
    length = (one.ends_at - one.starts_at) // _MINUTE if one.ends_at else None
    return length if length is not None and 0 <= length <= _LONGEST_MIN else None
