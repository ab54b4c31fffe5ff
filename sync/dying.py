"""Which waiting jobs will be dead letters soon, if every further try fails as the last one did.

The rules: how long a job still has follows from `sync.backoff` and nothing else. Only what has failed before
is dying; what is looked up, what a person has redriven, and what its location holds is not. A question reads
up to MOST jobs by an index, those with the fewest tries left first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from sync import backoff
from sync.stats.queues import Count

MOST = 5_000
MOST_ROWS = 50
HORIZONS = (1, 4, 8, 24)
# Fresh jobs have no failure behind them, and one that waits after its last try is only looked up.
TRIES = tuple(range(backoff.MOST_TRIES - 1, 0, -1))


@dataclass(frozen=True, slots=True)
class Group:
    """Dying jobs of one failure and operation.

    fewest_left, most_left: of the tries that these jobs still have. first_at: when the first of them dies.
    """

    code: str
    operation: str
    jobs: int
    fewest_left: int
    most_left: int
    first_at: datetime


@dataclass(frozen=True, slots=True)
class Dying:
    """What will die. groups: of those counted, soonest first. held: how many locations are left out."""

    jobs: Count
    groups: Sequence[Group]
    held: int


@dataclass(frozen=True, slots=True)
class Job:
    """A dying job. dies_at: at the earliest, when its last try fails."""

    id: UUID
    operation: str
    location_id: str
    location: str
    code: str
    tries: int
    next_at: datetime
    dies_at: datetime


def rest(tries: int) -> timedelta:
    """Return how long after its next try a job dies that has failed so often, if all tries fail."""
    return sum(backoff.DELAYS[tries:], timedelta())


def dies_at(tries: int, next_at: datetime) -> datetime:
    """Return when a job's last try fails, at the earliest. tries: those that have failed, fewer than six."""
    return next_at + rest(tries)


def tries_left(tries: int) -> int:
    """Return how often a job is still tried."""
    return backoff.MOST_TRIES - tries


_HELD = """
held as materialized (
    select location.id from sync_location location
    join sync_breaker breaker on breaker.location_id = location.id
    where location.state = 'misconfigured' or breaker.state = 'open'
       or (location.state = 'paused' and (paused_until is null or paused_until > %(until)s))
)
"""
# Written out for each number of tries: each is a range of the index, in its order, and is read no further
# than it has to be. What is overdue is tried now at the earliest.
_ONE = """
(select id, code, operation, location_id, tries, next_at, next_at + %(rest_{tries})s as place,
        greatest(next_at, %(now)s) + %(rest_{tries})s as dies_at
 from sync_syncjob
 where state = 'waiting' and tries = {tries} and next_at <= %(until)s - %(rest_{tries})s
   and not is_lookup and not is_redrive and location_id not in (select id from held) {which}
 order by next_at{then} limit %(most)s)
"""
_COUNT = "with {held} select count(*) from (select from ({rows}) dying limit %(most)s) counted"
_GROUPS = """
with {held}
select code, operation, count(*), max(tries), min(tries), min(dies_at)
from (select * from ({rows}) dying limit %(most)s) counted
group by code, operation order by min(dies_at), code, operation
"""
_HELD_AT_ALL = "with {held} select count(*) from held"
_OF_CODE = " and code = %(code)s"
_AFTER = " and (next_at, id) > (%(after)s - %(rest_{tries})s, %(after_id)s)"
_PAGE = """
with {held}
select dying.id, operation, location_id, location.name, code, tries, next_at, dies_at, place
from ({rows}) dying join sync_location location on location.id = location_id
order by place, dying.id limit %(most)s
"""


def count(hours: int, *, now: datetime, most: int = MOST) -> Count:
    """Return how many jobs die within so many hours."""
    [[found]] = _ask(_COUNT, hours, now, {"most": most + 1})
    return Count(min(found, most), found > most)


def soon(hours: int, *, now: datetime) -> Dying:
    """Return what dies within so many hours, by failure and operation. Raises TooBroad inside `bounded`."""
    groups = [
        Group(code, operation, jobs, tries_left(most), tries_left(fewest), first_at)
        for code, operation, jobs, most, fewest, first_at in _ask(_GROUPS, hours, now, {"most": MOST + 1})
    ]
    [[held]] = _ask(_HELD_AT_ALL, hours, now, {})
    found = sum(group.jobs for group in groups)
    return Dying(Count(min(found, MOST), found > MOST), groups, held)


def page(
    hours: int, *, now: datetime, code: str = "", after: tuple[datetime, UUID] | None = None
) -> tuple[list[Job], tuple[datetime, UUID] | None]:
    """Return the jobs that die within so many hours, soonest first, and what to go on with.

    code: only those of this failure. after: what the page before said. Raises TooBroad inside `bounded`.
    """
    given: dict[str, Any] = {"code": code, "most": MOST_ROWS + 1}
    which = _OF_CODE if code else ""
    if after is not None:
        which += _AFTER
        given |= {"after": after[0], "after_id": after[1]}
    rows = _ask(_PAGE, hours, now, given, which=which, then=", id")
    jobs = [Job(*row[:-1]) for row in rows[:MOST_ROWS]]
    last = rows[MOST_ROWS - 1] if len(rows) > MOST_ROWS else None
    return jobs, (last[-1], last[0]) if last else None


def _ask(
    statement: str,
    hours: int,
    now: datetime,
    given: dict[str, Any],
    *,
    which: str = "",
    then: str = "",
) -> list[tuple[Any, ...]]:
    """Run a statement over the rows that can die in that time. which: of them. then: what else they are
    ordered by."""
    able = [tries for tries in TRIES if rest(tries) <= timedelta(hours=hours)]
    rows = " union all ".join(
        _ONE.format(tries=tries, which=which.format(tries=tries), then=then) for tries in able
    )
    rests = {f"rest_{tries}": rest(tries) for tries in able}
    with connection.cursor() as cursor:
        cursor.execute(
            statement.format(held=_HELD, rows=rows),
            given | rests | {"now": now, "until": now + timedelta(hours=hours)},
        )
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
