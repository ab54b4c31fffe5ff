"""Which locations nothing is sent for, in short: a few names of each kind, and how many there are.

The rule: one statement over locations, one row each; what it costs does not depend on jobs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.db import connection

from sync.stats.queues import MOST, Count

NAMED = 3
Kind = Literal["misconfigured", "paused", "unanswered"]


@dataclass(frozen=True, slots=True)
class One:
    """A held location. until: of a pause; None where somebody must end it. reason: in words for staff."""

    id: str
    name: str
    until: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """Locations held for one kind of reason. first: the first few by name. number: of all of them."""

    kind: Kind
    first: Sequence[One]
    number: int


@dataclass(frozen=True, slots=True)
class Needing:
    """A held location that somebody must do something about, and what waits for it."""

    id: str
    name: str
    reason: str
    since: datetime | None
    waiting: Count


# Each location once: what somebody has to mend before what mends itself.
_HELD = """
with held as (
    select location.id, name, state_reason,
           case when location.state = 'paused' then paused_until end as until,
           case when location.state = 'misconfigured' then 'misconfigured'
                when location.state = 'paused' and (paused_until is null or paused_until > %(now)s)
                then 'paused'
                when breaker.state = 'open' then 'unanswered' end as kind
    from sync_location location join sync_breaker breaker on breaker.location_id = location.id
    where location.state <> 'active' or breaker.state = 'open'
)
select kind, id, name, until, state_reason, number from (
    select *, count(*) over (partition by kind) as number,
           row_number() over (partition by kind order by name, id) as place
    from held where kind is not null
) placed
where place <= %(named)s order by kind, place
"""
_NEEDING = """
select id, name, state_reason, held_since, waiting.jobs from (
    select * from sync_location where {which} order by held_since nulls first, id limit %(most)s
) location
cross join lateral (
    select count(*) as jobs from (
        select from sync_syncjob where location_id = location.id and state = 'waiting' and not is_suspect
        order by next_at limit %(counted)s
    ) counted
) waiting
order by held_since nulls first, id
"""
_MISCONFIGURED = _NEEDING.format(which="state = 'misconfigured'")
_FORGOTTEN = _NEEDING.format(which="state = 'paused' and paused_until is null and held_since < %(before)s")


def in_short(*, now: datetime) -> list[Held]:
    """Return what is held now, by kind."""
    found: dict[Kind, list[One]] = {}
    numbers: dict[Kind, int] = {}
    for kind, *one, number in _rows(_HELD, {"now": now, "named": NAMED}):
        found.setdefault(kind, []).append(One(*one))
        numbers[kind] = number
    return [Held(kind, first, numbers[kind]) for kind, first in found.items()]


def misconfigured(*, most: int) -> list[Needing]:
    """Return locations whose access is refused, the longest first."""
    return _needing(_MISCONFIGURED, {"most": most})


def forgotten(*, before: datetime, most: int) -> list[Needing]:
    """Return locations that were paused before then, without an end."""
    return _needing(_FORGOTTEN, {"most": most, "before": before})


def _needing(statement: str, given: dict[str, Any]) -> list[Needing]:
    rows = _rows(statement, given | {"counted": MOST + 1})
    return [
        Needing(id, name, reason, since, Count(min(jobs, MOST), jobs > MOST))
        for id, name, reason, since, jobs in rows
    ]


def _rows(statement: str, given: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
