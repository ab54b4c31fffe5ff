"""How drafts stand: what waits to be written, since when, what was lost, and what waits for a person.

The rule: a count ends at MOST, and finds its rows by an index that begins with the state.
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection

from sync.stats.queues import MOST, Count


@dataclass(frozen=True, slots=True)
class Drafts:
    """Drafts that are not over, snoozed ones included, and since when the oldest could have been written.

    is_on: whether there is a model to write them. waiting: also those that are tried again later. late_since:
    since when the first that is due has been so; None where none is. lost: in hand, under leases that have
    run out, the first of them at lost_since. review: written, for a person to decide. undelivered: approved,
    and GoHighLevel did not take them.
    """

    is_on: bool
    waiting: Count
    late_since: datetime | None
    writing: Count
    lost: Count
    lost_since: datetime | None
    review: Count
    failed: Count
    scheduled: Count
    undelivered: Count


# Each in an index of its own order, or the planner may prefer to read the table.
_LOOK = """
select waiting.*, writing.*, {counts}
from (
    select count(*), min(next_at) filter (where next_at <= %(now)s) from (
        select next_at from sync_draft where state = 'waiting' order by next_at, id limit %(most)s
    ) due
) waiting, (
    select count(*), count(*) filter (where next_at <= %(now)s),
           min(next_at) filter (where next_at <= %(now)s)
    from (select next_at from sync_draft where state = 'writing' order by next_at limit %(most)s) leased
) writing
"""
_COUNT = """
(select count(*) from (
    select from sync_draft where state = '{state}' order by state, impact desc, created_at, id limit %(most)s
) counted)
"""
_COUNTED = ("review", "failed", "scheduled", "undelivered")
_STATEMENT = _LOOK.format(counts=", ".join(_COUNT.format(state=state) for state in _COUNTED))


def look(*, now: datetime) -> Drafts:
    """Return how drafts stand now."""
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENT, {"now": now, "most": MOST + 1})
        waiting, late_since, writing, lost, lost_since, *stand = cursor.fetchone()
    return Drafts(
        is_on=bool(settings.LLM_MODEL),
        waiting=_count(waiting),
        late_since=late_since,
        writing=_count(writing),
        lost=_count(lost),
        lost_since=lost_since,
        **dict(zip(_COUNTED, map(_count, stand), strict=True)),
    )


def _count(rows: int) -> Count:
    return Count(min(rows, MOST), rows > MOST)
