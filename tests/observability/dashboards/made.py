"""Rows as roll-ups leave them, for tests that are about what is made of them."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from observability.models import Booking, DraftedMessage, InboundMessage, TouchedDay
from observability.rollups.touched import Subject

NOBODY = UUID(int=0)


def at(day: str, hour: float = 12) -> datetime:
    """Return a time of a day in UTC."""
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC) + timedelta(hours=hour)


def booking(number: int | str, starts_at: datetime, **fields: Any) -> Booking:
    """Return a booking that was booked an hour ahead, by a client of its own."""
    known = {
        "booking_id": f"b-{number}",
        "client_id": f"c-{number}",
        "trainer_id": "t-1",
        "segment": "new",
        "starts_at": starts_at,
        "state": "booked",
        "changed_at": starts_at,
        "changed_by": NOBODY,
        "scheduled_at": starts_at - timedelta(hours=1),
    }
    return Booking(**(known | fields))


def keep(rows: Iterable[Booking]) -> None:
    """Store bookings, and note their days."""
    stored = Booking.objects.bulk_create(rows)
    touch(Subject.BOOKINGS, [row.starts_at for row in stored])


def keep_drafts(drafts: Iterable[DraftedMessage], answers: Iterable[InboundMessage] = ()) -> None:
    """Store drafts and what clients wrote, and note their days."""
    stored = DraftedMessage.objects.bulk_create(drafts)
    InboundMessage.objects.bulk_create(answers)
    touch(Subject.DRAFTS, [row.drafted_at for row in stored if row.drafted_at])
    touch(Subject.REPLIES, [row.sent_at for row in stored if row.sent_at])


def touch(subject: Subject, moments: Iterable[datetime]) -> None:
    """Note that rows of these UTC days have changed."""
    with connection.cursor() as cursor:
        cursor.execute("select nextval('observability_touchedday_version')")
        [version] = cursor.fetchone()
    for day in {moment.astimezone(UTC).date() for moment in moments}:
        TouchedDay.objects.update_or_create(subject=subject, day=day, defaults={"version": version})
