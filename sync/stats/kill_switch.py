"""The kill switch in numbers: whether it is on, since when, and how many messages it holds.

The rule: so many due jobs are looked at and no more. The figure may be too small, and says so.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from sync.stats.queues import Count

MOST_OF_A_LOCATION = 1_000
MOST = 5_000
_MOST_LOCATIONS = 1_000

_HELD = """
with looked as materialized (
    select location.id, due.operation = 'message.send'
           and (due.released_at is null or due.released_at < %(since)s) as is_held
    from (select id from sync_location order by id limit %(locations)s) location
    cross join lateral (
        select operation, released_at from sync_syncjob
        where location_id = location.id and state = 'waiting' and not is_suspect and next_at <= %(now)s
        order by next_at limit %(of_one)s + 1
    ) due
    limit %(most)s + 1
)
select count(*) filter (where is_held),
       count(*) > %(most)s or exists (select from looked group by id having count(*) > %(of_one)s)
from looked
"""


@dataclass(frozen=True, slots=True)
class Switch:
    """How the kill switch stands. held: messages that are due and wait for it; none while it is off."""

    is_on: bool
    since: datetime | None
    held: Count


def look(*, now: datetime) -> Switch:
    """Return how the switch stands, and what it holds."""
    with connection.cursor() as cursor:
        cursor.execute("select changed_at from sync_killswitch where is_on")
        row = cursor.fetchone()
    return Switch(True, row[0], held(now=now, since=row[0])) if row else Switch(False, None, Count(0))


def held(*, now: datetime, since: datetime) -> Count:
    """Return how many messages are due that nobody has released since the switch was turned on."""
    given: dict[str, Any] = {
        "now": now,
        "since": since,
        "most": MOST,
        "of_one": MOST_OF_A_LOCATION,
        "locations": _MOST_LOCATIONS,
    }
    with connection.cursor() as cursor:
        cursor.execute(_HELD, given)
        messages, is_more = cursor.fetchone()
    return Count(messages, bool(is_more))
