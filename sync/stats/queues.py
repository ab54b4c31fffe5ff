"""How the queues stand: what waits, since when it should have gone, and what was lost with its process.

The rule: a count ends at MOST, and finds its rows by a partial index that holds nothing else.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from sync.stats.locations import SENDING

MOST = 1_000
# Of one location, so many due jobs are looked at for one that has nothing before it.
_LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class Count:
    """A number of rows. is_more: there are more than that."""

    number: int
    is_more: bool = False

    def __str__(self) -> str:
        return f"more than {self.number:,}" if self.is_more else f"{self.number:,}"


@dataclass(frozen=True, slots=True)
class Queue:
    """Rows that are to be worked off.

    waiting: also those whose time has not come. late_since: since when the first that could be taken in hand
    has been due; None where none could. lost: in hand, under leases that have run out. lost_since: when the
    first of these did.
    """

    waiting: Count
    late_since: datetime | None
    lost: Count
    lost_since: datetime | None


# Ordered by the whole index, or the planner may prefer to read the table.
_JOBS_WAITING = """
select count(*) from (
    (select 1 from sync_syncjob where state = 'waiting' and not is_suspect
     order by location_id, next_at limit %(most)s)
    union all
    (select 1 from sync_syncjob where state = 'waiting' and is_suspect order by next_at limit %(most)s)
) waiting
"""
_IS_ON = "exists (select from sync_killswitch where is_on)"
# What stands behind another job of its order is not late, whatever its time.
_FIRST_LATE = f"""
select min(first.next_at)
from ({SENDING}) location
cross join lateral (
    select next_at from (
        select id, next_at, ordering_key, position from sync_syncjob
        where location_id = location.id and state = 'waiting' and not is_suspect and next_at <= %(now)s
          {{which}}
        order by next_at limit %(looked_at)s
    ) due
    where ordering_key = '' or not exists (
        select from sync_syncjob other
        where other.location_id = location.id and other.ordering_key = due.ordering_key
          and other.ordering_key <> '' and other.id <> due.id and other.state in ('waiting', 'leased')
          and (other.state = 'leased' or other.position < due.position)
    )
    order by next_at limit 1
) first
"""
# What the kill switch holds is not late either; and as there may be much of it, it is not even looked at.
_NO_MESSAGE = "and operation <> 'message.send'"
_JOBS_LATE = f"""
select case when {_IS_ON} then ({_FIRST_LATE.format(which=_NO_MESSAGE)})
            else ({_FIRST_LATE.format(which="")}) end
"""
_SUSPECTS_LATE = f"""
select min(suspect.next_at)
from (
    select location_id, next_at from sync_syncjob
    where state = 'waiting' and is_suspect and next_at <= %(now)s
      and (operation <> 'message.send' or not {_IS_ON})
    order by next_at limit %(most)s
) suspect
join ({SENDING}) location on location.id = suspect.location_id
"""
_JOBS_LOST = """
select count(*), min(next_at) from (
    select next_at from sync_syncjob where state = 'leased' and next_at <= %(now)s
    order by next_at limit %(most)s
) lost
"""
_WEBHOOKS_WAITING = """
select count(*), min(next_at) filter (where next_at <= %(now)s) from (
    select next_at from sync_webhook where state = 'waiting' order by next_at, id limit %(most)s
) waiting
"""
_WEBHOOKS_LOST = """
select count(*), min(next_at) from (
    select next_at from sync_webhook where state = 'leased' and next_at <= %(now)s
    order by next_at limit %(most)s
) lost
"""


def jobs(*, now: datetime) -> Queue:
    """Return how the jobs stand. Late are only those of locations that anything may be sent for."""
    [waiting] = _row(_JOBS_WAITING, now)
    since = [at for statement in (_JOBS_LATE, _SUSPECTS_LATE) for at in _row(statement, now) if at]
    lost, lost_since = _row(_JOBS_LOST, now)
    return Queue(_count(waiting), min(since, default=None), _count(lost), lost_since)


def webhooks(*, now: datetime) -> Queue:
    """Return how the processing of webhooks stands; one that is tried again later is not late before then."""
    waiting, late_since = _row(_WEBHOOKS_WAITING, now)
    lost, lost_since = _row(_WEBHOOKS_LOST, now)
    return Queue(_count(waiting), late_since, _count(lost), lost_since)


def _row(statement: str, now: datetime) -> tuple[Any, ...]:
    given: dict[str, Any] = {
        "now": now,
        "today": now.astimezone(UTC).date(),
        "most": MOST + 1,
        "looked_at": _LOOKED_AT,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        row: tuple[Any, ...] = cursor.fetchone()
    return row


def _count(rows: int) -> Count:
    return Count(min(rows, MOST), rows > MOST)
