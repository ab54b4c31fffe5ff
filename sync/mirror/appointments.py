"""Appointments as we know them: what was seen goes in, each change of a booking comes out once.

The rule: rows are locked in the order of their ids, the history decides (see `sync.mirror.transitions`),
and what is told commits with it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID, uuid5

from django.db.models import Q

from sync import signals
from sync.drafts import staleness
from sync.mirror import history, transitions
from sync.mirror.noted import Noted
from sync.mirror.seen import AppointmentSeen, Status
from sync.mirror.transitions import Transition
from sync.models import AppointmentState
from sync.signals import BookingChanged
from trainu.transactions import atomic_retry

# Of identities: another one would tell every change again.
_NAMESPACE = UUID("5b0c8a52-0a4e-5f0e-9d4b-2f6f0c9a7e31")
OURS = "trainu"
_WRITTEN = [
    "contact_id",
    "calendar_id",
    "assigned_user_id",
    "status",
    "starts_at",
    "ends_at",
    "added_at",
    "updated_at",
    "is_deleted",
    "is_doubtful",
    "history",
]
Key = tuple[str, str]


def observe(seen: Sequence[AppointmentSeen], *, now: datetime) -> int:
    """Take in what was seen, in any order and as often as it comes; return how many changes were told."""
    return note(seen, now=now).told


@atomic_retry
def note(seen: Sequence[AppointmentSeen], *, now: datetime) -> Noted:
    """Take in what was seen; return what came of it."""
    by_key: dict[Key, list[AppointmentSeen]] = {}
    for one in seen:
        by_key.setdefault((one.appointment_id, one.location_id), []).append(one)
    rows, unknown = _locked(by_key, now)
    changed: list[AppointmentState] = []
    bookings: list[BookingChanged] = []
    missed = 0
    for key in sorted(by_key):
        row = rows[key]
        stood = _standing(row)
        known, news = transitions.after(history.from_document(row.history), *by_key[key])
        if not _write(row, known, by_key[key]):
            continue
        changed.append(row)
        missed += key in unknown or _standing(row) != stood
        bookings += [_booking(row, one, by_key[key][-1]) for one in news]
    if changed:
        # Locked rows all of them: this updates, and inserts none.
        AppointmentState.objects.bulk_create(
            changed,
            update_conflicts=True,
            unique_fields=["appointment_id", "location"],
            update_fields=_WRITTEN,
        )
    if bookings:
        staleness.note_bookings(bookings, now=now)
        signals.bookings_changed.send(sender=None, bookings=bookings)
    return Noted(missed, len(bookings))


@atomic_retry
def ours(location_id: str, ids: Collection[str], *, now: datetime) -> None:
    """Note that jobs of ours have booked these. Inside the transaction that settles the jobs."""
    keys = sorted((id, location_id) for id in set(ids))
    rows, _ = _locked(keys, now)
    AppointmentState.objects.filter(pk__in=[rows[key].pk for key in keys]).update(is_ours=True)


def _locked(keys: Collection[Key], now: datetime) -> tuple[dict[Key, AppointmentState], set[Key]]:
    """Return the rows, locked, and which of them are new. Inserted and locked in the order of their ids."""
    rows = _lock(keys)
    unknown = set(keys) - rows.keys()
    if unknown:
        AppointmentState.objects.bulk_create(
            [
                AppointmentState(appointment_id=id, location_id=location_id, first_seen_at=now)
                for id, location_id in sorted(keys)
            ],
            ignore_conflicts=True,
        )
        rows = _lock(keys)
    return rows, unknown


def _lock(keys: Collection[Key]) -> dict[Key, AppointmentState]:
    rows = (
        AppointmentState.objects.filter(_among(keys))
        .order_by("appointment_id", "location_id")
        .select_for_update()
    )
    return {(row.appointment_id, row.location_id): row for row in rows}


def _among(keys: Collection[Key]) -> Q:
    by_location: dict[str, list[str]] = {}
    for id, location_id in keys:
        by_location.setdefault(location_id, []).append(id)
    found = Q(pk__in=[])
    for location_id, ids in sorted(by_location.items()):
        found |= Q(location_id=location_id, appointment_id__in=ids)
    return found


def _write(row: AppointmentState, known: history.Known, seen: Sequence[AppointmentSeen]) -> bool:
    """Let the row show how the appointment stands now; return whether anything is new."""
    document = history.to_document(known)
    last = transitions.last(known)
    if document == row.history or last is None:
        return False
    row.history = document
    row.updated_at, row.status, row.is_deleted = last.at, last.status.value, last.is_deleted
    row.is_doubtful = transitions.is_doubtful(known)
    slot = next((one.slot for one in reversed(known.versions) if one.slot), None)
    if slot:
        row.starts_at, row.ends_at = slot.starts_at, slot.ends_at or row.ends_at
    for one in sorted(seen, key=lambda one: (one.updated_at or one.seen_at, one.seen_at)):
        newest = (one.updated_at or one.seen_at) >= last.at
        row.added_at = row.added_at or one.added_at
        for name in ("contact_id", "calendar_id", "assigned_user_id"):
            said = getattr(one, name)
            if said and (newest or not getattr(row, name)):
                setattr(row, name, said)
    return True


def _standing(row: AppointmentState) -> tuple[object, ...]:
    return (row.status, row.starts_at, row.ends_at, row.is_deleted)


def _booking(row: AppointmentState, one: Transition, seen: AppointmentSeen) -> BookingChanged:
    is_new = one.change == "scheduled"
    return BookingChanged(
        change=one.change,
        identity=identity(row.location_id, row.appointment_id, one),
        location_id=row.location_id,
        appointment_id=row.appointment_id,
        contact_id=row.contact_id,
        assigned_user_id=row.assigned_user_id,
        starts_at=one.slot.starts_at,
        ends_at=one.slot.ends_at,
        previous_starts_at=one.previous_starts_at,
        reason=one.reason,
        source=(OURS if row.is_ours else seen.booked_by) if is_new else None,
        at=(row.added_at or one.at) if is_new else one.at,
        correlation_id=seen.correlation_id,
    )


def identity(location_id: str, appointment_id: str, one: Transition) -> UUID:
    """Return what names a transition, the same whoever tells it: its kind, and the how manieth it is."""
    return uuid5(_NAMESPACE, f"{location_id} {appointment_id} {one.kind} {one.number}")


def is_open(row: AppointmentState) -> bool:
    """Whether the appointment may still change: it is there, and neither over nor cancelled."""
    return not row.is_deleted and row.status in {Status.NEW, Status.CONFIRMED, Status.ACTIVE, Status.UNKNOWN}
