"""Which locations nothing is sent for now, and why; and how long each has been silent.

The rule: a list ends at MOST; there is one row a location, so that is where the reading ends too.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db import connection

MOST = 1_000
MOST_OFFERED = 200

# Locations that jobs may be sent for now. As in the claim of `sync.queue`, without what a ramp lets by.
SENDING = """
select location.id from sync_location location
join sync_budget budget on budget.location_id = location.id
join sync_breaker breaker on breaker.location_id = location.id
where (location.state = 'active' or (location.state = 'paused' and location.paused_until <= %(now)s))
  and breaker.state = 'closed' and (budget.held_until is null or budget.held_until <= %(now)s)
  and (budget.day <> %(today)s or budget.used_today < location.daily_limit)
"""


@dataclass(frozen=True, slots=True)
class Held:
    """A location that somebody paused, or whose token is refused. until: None where somebody must end it.

    reason: in the words of whoever paused it.
    """

    location_id: str
    state: str
    until: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A location whose breaker is open, or lets jobs by in steps. asked_again_at: whether it answers."""

    location_id: str
    state: str
    since: datetime | None
    asked_again_at: datetime | None


@dataclass(frozen=True, slots=True)
class Resting:
    """A location whose requests have run out, by our count for the day or by GoHighLevel's word."""

    location_id: str
    until: datetime
    is_day_used_up: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """When the newest webhook of a location came in; None for never."""

    location_id: str
    newest_at: datetime | None


_HELD = """
select id, state, paused_until, state_reason from sync_location
where state = 'misconfigured' or (state = 'paused' and (paused_until is null or paused_until > %(now)s))
order by id limit %(most)s
"""
_UNANSWERED = """
select location_id, state, opened_at, probe_at from sync_breaker where state <> 'closed'
order by location_id limit %(most)s
"""
_RESTING = """
select * from (
    select location_id, held_until, day = %(today)s and used_today >= daily_limit as is_used_up
    from sync_budget join sync_location on id = location_id
) budget
where held_until > %(now)s or is_used_up
order by location_id limit %(most)s
"""
_HEARD = """
select location.id, newest.received_at
from (select id from sync_location where state = 'active' order by id limit %(most)s) location
left join lateral (
    select received_at from sync_webhook where location_id = location.id order by received_at desc limit 1
) newest on true
order by location.id
"""


def ids() -> list[str]:
    """Return the ids of the first locations by name, for whoever may choose one; at most MOST_OFFERED."""
    with connection.cursor() as cursor:
        cursor.execute("select id from sync_location order by name, id limit %s", [MOST_OFFERED])
        return [id for (id,) in cursor.fetchall()]


def held(*, now: datetime) -> list[Held]:
    """Return the locations that are paused or misconfigured."""
    return [Held(*row) for row in _rows(_HELD, now)]


def unanswered(*, now: datetime) -> list[Unanswered]:
    """Return the locations whose GoHighLevel does not answer, or answers only since a moment ago."""
    return [Unanswered(*row) for row in _rows(_UNANSWERED, now)]


def resting(*, now: datetime) -> list[Resting]:
    """Return the locations that must wait before they may ask anything of GoHighLevel."""
    tomorrow = datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
    return [
        Resting(id, max(until or now, tomorrow) if is_used_up else until, is_used_up)
        for id, until, is_used_up in _rows(_RESTING, now)
    ]


def heard(*, now: datetime) -> list[Heard]:
    """Return for each active location when its newest webhook came in: whoever is silent stands out."""
    return [Heard(*row) for row in _rows(_HEARD, now)]


def _rows(statement: str, now: datetime) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"now": now, "today": now.astimezone(UTC).date(), "most": MOST})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
