"""Appointments of the demo: each is drawn with its whole fate on the day it is planned.

A day's changes are found by planning the days before it again, which is cheap, for plans are cached.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from math import exp
from random import Random
from typing import Literal

from observability.catalog.booking import (
    BookingCanceled,
    BookingConfirmed,
    BookingEvent,
    BookingRescheduled,
    BookingScheduled,
    NoShow,
)
from trainu.demo.people import DAY, HOUR, Client, clients_around, clients_joining
from trainu.demo.rhythm import WEEKDAYS, Happening, days_before, dice, later, moment, new_id

Turn = Literal["scheduled", "confirmed", "rescheduled", "no_show", "canceled"]

BOOKINGS_A_CLIENT_AND_DAY = 0.14
# The longest story: booked 10 days ahead, moved by 5, missed, booked again after 5, and the same again.
STORY_DAYS = 38
# A client's first booking comes within so many days of joining.
FIRST_BOOKING_DAYS = 6
NO_SHOW_AT_BEST, NO_SHOW_OF_THE_NEW = 0.12, 0.33


@dataclass(frozen=True, slots=True)
class Booking:
    booking_id: str
    client: Client
    first_start: datetime
    last_start: datetime
    source: str
    # What happens to it, in order; begins with "scheduled".
    turns: tuple[tuple[datetime, Turn], ...]

    def start_after(self, at: datetime) -> datetime:
        """Return the start as it stands at a time, changes at this very time included."""
        moved = any(turn == "rescheduled" and when <= at for when, turn in self.turns)
        return self.last_start if moved else self.first_start

    def is_called_off(self, at: datetime) -> bool:
        return any(turn == "canceled" and when <= at for when, turn in self.turns)


def happenings(seed: int, on: date) -> Iterator[Happening]:
    rng = dice(seed, on, "bookings")
    for at, turn, booking in turns_on(seed, on):
        yield at, booking.client.distinct_id, _event(rng, booking, at, turn)


@lru_cache(maxsize=8)
def turns_on(seed: int, on: date) -> tuple[tuple[datetime, Turn, Booking], ...]:
    """Return what happens to bookings on a day."""
    return tuple(
        (at, turn, booking) for booking in known_on(seed, on) for at, turn in booking.turns if at.date() == on
    )


def known_on(seed: int, on: date) -> Iterator[Booking]:
    """Return all bookings that may still change on a day or later, some of them not yet made."""
    return (booking for past in days_before(on, STORY_DAYS) for booking in planned_on(seed, past))


@lru_cache(maxsize=64)
def planned_on(seed: int, on: date) -> tuple[Booking, ...]:
    """Return the bookings that clients make on a day by themselves, and those which follow from them."""
    rng = dice(seed, on, "booking plans")
    planned: list[Booking] = []
    for past in days_before(on, FIRST_BOOKING_DAYS):
        for client in clients_joining(seed, past):
            first = client.first_booking_at
            if first and first.date() == on and on <= client.leaves_on:
                planned += _story(rng, client, first, "directory")
    rate = BOOKINGS_A_CLIENT_AND_DAY * WEEKDAYS[on.weekday()]
    for client in clients_around(seed, on):
        settled = client.first_booking_at and client.first_booking_at.date() < on
        if rng.random() < rate and settled:
            planned += _story(rng, client, moment(rng, on), rng.choice(("app", "app", "ghl")))
    return tuple(planned)


def _story(rng: Random, client: Client, made_at: datetime, source: str) -> list[Booking]:
    """Draw a booking, and, when it is missed and the client comes back for it, the next one."""
    booking = _booking(rng, client, made_at, source)
    missed_at, outcome = booking.turns[-1]
    if outcome != "no_show" or rng.random() > 0.4:
        return [booking]
    again_at = later(missed_at, rng, HOUR, 5 * DAY)
    if again_at.date() > client.leaves_on:
        return [booking]
    return [booking, _booking(rng, client, again_at, "message")]


def _booking(rng: Random, client: Client, made_at: datetime, source: str) -> Booking:
    start = last_start = _slot(rng, made_at.date() + timedelta(days=rng.randrange(1, 10)))
    turns: list[tuple[datetime, Turn]] = [(made_at, "scheduled")]
    now = made_at
    if rng.random() < 0.9:
        now = min(later(now, rng, 20, 6 * HOUR), start - timedelta(minutes=30))
        turns.append((now, "confirmed"))
    if rng.random() < 0.12:
        now = _between(rng, now, start)
        last_start = _slot(rng, start.date() + timedelta(days=rng.randrange(1, 5)))
        turns.append((now, "rescheduled"))
    missing = _no_show_rate(client, last_start.date())
    luck = rng.random()
    if luck < 0.08:
        turns.append((_between(rng, now, last_start), "canceled"))
    elif rng.random() < missing:
        turns.append((later(last_start, rng, 600, HOUR), "no_show"))
    return Booking(new_id(rng, "b"), client, start, last_start, source, tuple(turns))


def _no_show_rate(client: Client, on: date) -> float:
    """Return how likely a client does not come.

    It falls with the client's habit, and with the time for which the trainer has had the AI agent,
    so that a trainer's first four weeks are a baseline that later weeks can beat.
    """
    habit = NO_SHOW_AT_BEST + NO_SHOW_OF_THE_NEW * exp(-client.age(on) / 30)
    agent = 0.35 + 0.95 * exp(-client.trainer.age(on) / 40)
    return habit * agent


def _slot(rng: Random, on: date) -> datetime:
    """Return a start on the day, or on Monday when the day is a Sunday."""
    if on.weekday() == 6:
        on += timedelta(days=1)
    return datetime.combine(on, time(rng.randrange(6, 20), rng.choice((0, 30))), UTC)


def _between(rng: Random, earliest: datetime, start: datetime) -> datetime:
    return later(earliest, rng, 1, (start - earliest).total_seconds() * 0.9)


def _event(rng: Random, booking: Booking, at: datetime, turn: Turn) -> BookingEvent:
    client = booking.client
    ids = {
        "booking_id": booking.booking_id,
        "client_id": client.client_id,
        "trainer_id": client.trainer.trainer_id,
        "location_id": client.trainer.location_id,
    }
    start, segment = booking.start_after(at), client.segment(at.date())
    match turn:
        case "scheduled":
            minutes = rng.choice((30, 45, 60))
            return BookingScheduled(
                **ids, starts_at=start, segment=segment, duration_min=minutes, source=booking.source
            )
        case "confirmed":
            return BookingConfirmed(**ids, starts_at=start, segment=segment)
        case "rescheduled":
            return BookingRescheduled(
                **ids, starts_at=start, segment=segment, previous_starts_at=booking.first_start
            )
        case "no_show":
            return NoShow(**ids, starts_at=start, segment=segment)
        case "canceled":
            reason = rng.choices(("client", "trainer", "invalid"), (70, 22, 8))[0]
            return BookingCanceled(**ids, starts_at=start, segment=segment, reason=reason)
