"""How sending stands, place by place: what holds a location, what it may still ask, what waits for it.

The rule: one row a location, those with trouble first; of jobs only the first ones of an index are looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from sync import budgets
from sync.stats.queues import MOST, Count

PAGE = 25
# Due for longer than this, a job is late: a lane asks every fifth of a second.
LATE_S = 120


@dataclass(frozen=True, slots=True)
class Place:
    """A location. state: active, paused (not for one whose pause is over) or misconfigured.

    breaker: closed, open or ramping, with when GoHighLevel is asked again, and of the ramp's step how many
    jobs may still go. tokens: requests that may go at once. rests_until: by GoHighLevel's word. first_at:
    when the first of its waiting jobs is or was due. next_at: when the next comes due.
    """

    id: str
    name: str
    state: str
    reason: str
    until: datetime | None
    breaker: str
    opened_at: datetime | None
    asked_again_at: datetime | None
    step: int
    allowance: int
    tokens: int
    used_today: int
    daily_limit: int
    rests_until: datetime | None
    waiting: Count
    first_at: datetime | None
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Figures:
    """in_hand: jobs being tried. next_at: when the next job comes due. troubled: locations with trouble."""

    in_hand: Count
    next_at: datetime | None
    troubled: int
    locations: int


# As in the claim of `sync.queue`: what has come in since the budget was written counts as well.
_STANDING = """
with standing as (
    select location.id, location.name, location.state_reason, location.paused_until, location.daily_limit,
           case when location.state = 'paused' and location.paused_until <= %(now)s then 'active'
                else location.state end as state,
           breaker.state as breaker, breaker.opened_at, breaker.probe_at, breaker.step, breaker.allowance,
           floor(least(greatest(1, location.burst_limit * %(at_once)s),
                       budget.tokens + greatest(0, extract(epoch from %(now)s - budget.refilled_at))
                       * greatest(0.1, location.burst_limit * (1 - %(at_once)s) / %(window)s)
           ))::int as tokens,
           case when budget.day = %(today)s then budget.used_today else 0 end as used_today,
           case when budget.held_until > %(now)s then budget.held_until end as rests_until,
           first.next_at as first_at
    from sync_location location
    join sync_breaker breaker on breaker.location_id = location.id
    join sync_budget budget on budget.location_id = location.id
    left join lateral (
        select next_at from sync_syncjob
        where location_id = location.id and state = 'waiting' and not is_suspect order by next_at limit 1
    ) first on true
), ranked as (
    select *, case when state = 'misconfigured' then 0 when breaker = 'open' then 1
                   when state = 'paused' then 2 when breaker = 'ramping' then 3
                   when rests_until is not null or used_today >= daily_limit then 4
                   when first_at < %(now)s - make_interval(secs => %(late_s)s) then 5
                   when first_at is not null then 6 else 7 end as rank
    from standing
)
"""
_PLACES = f"""
{_STANDING}, shown as (
    select * from ranked where {{which}} order by {{order}} limit %(most)s offset %(skipped)s
)
select id, name, state, case when state = 'active' then '' else state_reason end,
       case when state = 'paused' then paused_until end, breaker, opened_at, probe_at, step, allowance,
       tokens, used_today, daily_limit, rests_until, waiting.jobs, first_at, following.next_at
from shown
cross join lateral (
    select count(*) as jobs from (
        select from sync_syncjob where location_id = shown.id and state = 'waiting' and not is_suspect
        order by next_at limit %(counted)s
    ) counted
) waiting
left join lateral (
    select next_at from sync_syncjob
    where location_id = shown.id and state = 'waiting' and not is_suspect and next_at > %(now)s
    order by next_at limit 1
) following on true
order by {{order}}
"""
_RANKED = _PLACES.format(which="true", order="rank, name, id")
_NAMED = _PLACES.format(which="id = any(%(ids)s)", order="array_position(%(ids)s::text[], id::text)")
_TROUBLED = f"{_STANDING} select count(*) filter (where rank <= 5), count(*) from ranked"
_IN_HAND = """
select count(*) from (
    select from sync_syncjob where state = 'leased' order by next_at limit %(counted)s
) leased
"""
_NEXT = """
select min(following.next_at) from sync_location location cross join lateral (
    select next_at from sync_syncjob
    where location_id = location.id and state = 'waiting' and not is_suspect and next_at > %(now)s
    order by next_at limit 1
) following
"""


def places(*, now: datetime, skipped: int = 0) -> tuple[list[Place], bool]:
    """Return a page of locations, those with trouble first, and whether there are more."""
    rows = _rows(_RANKED, now, {"most": PAGE + 1, "skipped": skipped})
    return [_place(row) for row in rows[:PAGE]], len(rows) > PAGE


def named(ids: Sequence[str], *, now: datetime) -> list[Place]:
    """Return these locations in this order, so that what is refreshed does not jump; at most a page."""
    rows = _rows(_NAMED, now, {"ids": list(ids[:PAGE]), "most": PAGE, "skipped": 0})
    return [_place(row) for row in rows]


def figures(*, now: datetime) -> Figures:
    """Return how everything stands."""
    [[in_hand]] = _rows(_IN_HAND, now)
    [[next_at]] = _rows(_NEXT, now)
    [[troubled, locations]] = _rows(_TROUBLED, now)
    return Figures(_count(in_hand), next_at, troubled, locations)


def _place(row: tuple[Any, ...]) -> Place:
    return Place(*(*row[:-3], _count(row[-3]), *row[-2:]))


def _count(rows: int) -> Count:
    return Count(min(rows, MOST), rows > MOST)


def _rows(statement: str, now: datetime, given: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    parameters: dict[str, Any] = {
        "now": now,
        "today": now.astimezone(UTC).date(),
        "at_once": budgets.AT_ONCE,
        "window": budgets.WINDOW_S,
        "late_s": LATE_S,
        "counted": MOST + 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters | (given or {}))
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
