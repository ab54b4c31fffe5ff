"""How drafts stand: what waits to be written, since when, what was lost, and what waits for a person.

The rule: a count ends at MOST, and finds its rows by an index that begins with the state.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

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


# Ordered by the whole index, or the planner may prefer to read the table.
_COUNTED = """
select count(*) from (
    select from sync_draft where state = %(state)s
    order by state, impact desc, created_at, id limit %(most)s
) counted
"""
_WAITING = """
select count(*), min(next_at) filter (where next_at <= %(now)s) from (
    select next_at from sync_draft where state = 'waiting' order by next_at, id limit %(most)s
) waiting
"""
_WRITING = """
select count(*), count(*) filter (where next_at <= %(now)s), min(next_at) filter (where next_at <= %(now)s)
from (select next_at from sync_draft where state = 'writing' order by next_at limit %(most)s) writing
"""


def look(*, now: datetime) -> Drafts:
    """Return how drafts stand now."""
    waiting, late_since = _row(_WAITING, now=now)
    writing, lost, lost_since = _row(_WRITING, now=now)
    stand = {
        state: _count(*_row(_COUNTED, state=state))
        for state in ("review", "failed", "scheduled", "undelivered")
    }
    return Drafts(
        is_on=bool(settings.LLM_MODEL),
        waiting=_count(waiting),
        late_since=late_since,
        writing=_count(writing),
        lost=_count(lost),
        lost_since=lost_since,
        **stand,
    )


def _row(statement: str, **given: Any) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given | {"most": MOST + 1})
        row: tuple[Any, ...] = cursor.fetchone()
    return row


def _count(rows: int) -> Count:
    return Count(min(rows, MOST), rows > MOST)
