"""Dead letters that wait for somebody and were not put off: since when, and how many the last hour brought.

The rule: of the open ones so many are looked at, the oldest first or the newest first, by their index.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from sync.stats.queues import MOST, Count

LOOKED_AT = 5_000


@dataclass(frozen=True, slots=True)
class Neglected:
    """oldest_at: when the first died that nobody has put off. grown: open ones of the last hour."""

    oldest_at: datetime | None
    grown: Count


# Put off is a letter itself, or its cause: until a time, or until more than so many are open.
_OLDEST = """
select min(letter.died_at)
from (
    select died_at, group_id, snoozed_until from sync_deadletter
    where state = 'open' order by died_at, id limit %(looked_at)s
) letter
join sync_causegroup cause on cause.id = letter.group_id
where (letter.snoozed_until is null or letter.snoozed_until <= %(now)s)
  and case when cause.snoozed_until is not null then cause.snoozed_until <= %(now)s
           else cause.snoozed_to_count is null or cause.open > cause.snoozed_to_count end
"""
_GROWN = """
select count(*) from (
    select from sync_deadletter where state = 'open' and died_at > %(since)s
    order by died_at desc limit %(most)s
) grown
"""


def look(*, now: datetime, within: timedelta = timedelta(hours=1)) -> Neglected:
    """Return what waits for somebody."""
    given: dict[str, Any] = {"now": now, "since": now - within, "looked_at": LOOKED_AT, "most": MOST + 1}
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST, given)
        [oldest_at] = cursor.fetchone()
        cursor.execute(_GROWN, given)
        [grown] = cursor.fetchone()
    return Neglected(oldest_at, Count(min(grown, MOST), grown > MOST))
