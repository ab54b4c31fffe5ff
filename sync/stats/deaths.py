"""What has died lately, and how long the oldest dead letter waits.

The rule: a minute's letters and causes are found by the index of their times; a count ends at MOST.
"""

from datetime import datetime
from typing import Any

from django.db import connection

from sync.stats.dead_letters import MOST_GROUPS

MOST = 1_000

# A letter that died again was known: whoever has redriven it sees what became of it.
_NEW = """
select count(*) from (
    select from sync_deadletter
    where died_at >= %(since)s and died_at < %(until)s and deaths = 1 limit %(most)s
) new
"""
# What was first seen then cannot have been seen last before.
_CAUSES = """
select id from sync_causegroup
where last_seen_at >= %(since)s and first_seen_at >= %(since)s and first_seen_at < %(until)s
order by id limit %(most)s
"""
# Cause by cause, for of one that is snoozed no letter is read.
_OLDEST = """
select min(letter.died_at)
from (
    select id from sync_causegroup
    where state <> 'resolved' and open > 0
      and not coalesce(snoozed_until > %(now)s, snoozed_to_count is not null and open <= snoozed_to_count)
    order by last_seen_at desc, id desc limit %(most)s
) cause
cross join lateral (
    select died_at from sync_deadletter
    where group_id = cause.id and state = 'open' and (snoozed_until is null or snoozed_until <= %(now)s)
    order by died_at, id limit 1
) letter
"""


def new_letters(*, since: datetime, until: datetime) -> int:
    """Return how many letters died first in [since, until), and no more than MOST."""
    [[found]] = _ask(_NEW, since=since, until=until, most=MOST)
    return int(found)


def new_causes(*, since: datetime, until: datetime) -> list[int]:
    """Return the ids of the causes of which the first letter died in [since, until), at most MOST."""
    return [id for (id,) in _ask(_CAUSES, since=since, until=until, most=MOST)]


def oldest_at(*, now: datetime) -> datetime | None:
    """Return when the oldest open letter died that nobody has snoozed, itself or its cause."""
    [[found]] = _ask(_OLDEST, now=now, most=MOST_GROUPS)
    return found  # type: ignore[no-any-return]


def _ask(statement: str, **given: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
