"""Walk along stored events by transaction, never past the oldest one that is still running.

Shared by roll-ups and forwarder. Transaction ids rise with the start of the write, not with its
commit; below the horizon every transaction has ended, so nothing can turn up there any more.
"""

from datetime import datetime, timedelta

from django.db.backends.utils import CursorWrapper

# Ordinary events are up to 30 days old when they are stored; older ones are backfills, whose days
# the insert notes (see observability.store).
ORDINARY_PAST = timedelta(days=32)
# From so far behind on, look where the next events are before walking.
FAR_XIDS = 20_000


def horizon(cursor: CursorWrapper) -> int:
    """Return the transaction id below which every transaction has ended."""
    cursor.execute("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    return int(cursor.fetchone()[0])


def next_xid(cursor: CursorWrapper, low: int, high: int) -> int:
    """Return where the next events are in [low, high): a first run must not count up from zero."""
    if high - low <= FAR_XIDS:
        return low
    cursor.execute("select min(xid) from observability_event where xid >= %s and xid < %s", [low, high])
    found = cursor.fetchone()[0]
    return int(found) if found is not None else high


def floor(cursor: CursorWrapper, low: int, *, now: datetime) -> datetime:
    """Return the earliest event time that transactions from `low` on can hold: it prunes partitions."""
    ordinary = now - ORDINARY_PAST
    cursor.execute("select min(day) from observability_backfilledday where xid >= %s", [low])
    oldest = cursor.fetchone()[0]
    if oldest is None:
        return ordinary
    return min(ordinary, datetime.combine(oldest, datetime.min.time(), tzinfo=now.tzinfo))
