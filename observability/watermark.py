"""Walk along stored events by transaction, never past the oldest one that is still running.

Shared by roll-ups and forwarder. Transaction ids rise with the start of the write, not with its
commit; below the horizon every transaction has ended, so nothing can turn up there any more.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from observability import partitions
from observability.audit.actions import Action
from observability.audit.recording import record
from observability.models import BackfilledDay, Forwarder, Watermark

# Ordinary events are up to 30 days old when they are stored; older ones are backfills, whose days
# the insert notes (see observability.store).
ORDINARY_PAST = timedelta(days=32)
# When a consumer last had everything, where that is not known: nothing is pruned.
NEVER = datetime(2000, 1, 1, tzinfo=UTC)
# From so far behind on, look where the next events are before walking.
FAR_XIDS = 20_000
# Held alone by who takes a day of events out, shared by who reads on.
_STILL_LOCK = 0x7472_6169_6E75_0004


def horizon(cursor: CursorWrapper) -> int:
    """Return the transaction id below which every transaction has ended."""
    cursor.execute("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    return int(cursor.fetchone()[0])


@contextmanager
def standing_still() -> Iterator[None]:
    """Keep every consumer where it is for a block, outside a transaction, in which a day is taken out.

    A day on its way out is not read any more, though a transaction of before may still bring events into
    it: a consumer that went on would pass them, and nobody could tell any more that it had.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(%s)", [_STILL_LOCK])
    try:
        yield
    finally:
        # A session that has died has let go of it by that.
        if connection.connection and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock(%s)", [_STILL_LOCK])


def is_whole(cursor: CursorWrapper, low: int) -> bool:
    """Tell whether all events from `low` on can be read, and keep it so until the transaction ends.

    Ask it behind `horizon`. A day that a killed purge has left outside becomes part of the table again
    where it holds any of them.
    """
    cursor.execute("select pg_try_advisory_xact_lock_shared(%s)", [_STILL_LOCK])
    if not cursor.fetchone()[0]:
        return False
    outside = [day for day, state in partitions.EVENTS.standing() if state != "attached"]
    if apart := [day for day in outside if _holds(cursor, day, low)]:
        partitions.EVENTS.ensure(apart)
    return True


def _holds(cursor: CursorWrapper, day: date, low: int) -> bool:
    # The table's own name and a date's digits. The index on xid answers.
    cursor.execute(
        f"select exists (select from {partitions.EVENTS.partition(day)} where xid >= %s)",
        [low],
    )
    return bool(cursor.fetchone()[0])


def next_xid(cursor: CursorWrapper, low: int, high: int) -> int:
    """Return where the next events are in [low, high): a first run must not count up from zero."""
    if high - low <= FAR_XIDS:
        return low
    cursor.execute("select min(xid) from observability_event where xid >= %s and xid < %s", [low, high])
    found = cursor.fetchone()[0]
    return int(found) if found is not None else high


def floor(cursor: CursorWrapper, low: int, *, caught_up_at: datetime) -> datetime:
    """Return the earliest event time that transactions from `low` on can hold: it prunes partitions.

    caught_up_at: when the consumer last had everything, so that what it has not was stored later. Not
    the present time: after a pause of days, what waits was up to 30 days old when it was stored, not now.
    """
    ordinary = caught_up_at - ORDINARY_PAST
    cursor.execute("select min(day) from observability_backfilledday where xid >= %s", [low])
    oldest = cursor.fetchone()[0]
    if oldest is None:
        return ordinary
    return min(ordinary, datetime.combine(oldest, datetime.min.time(), tzinfo=UTC))


def positions_ahead() -> list[str]:
    """Return which consumers stand ahead of the database: it was restored from a dump."""
    with connection.cursor() as cursor:
        here = horizon(cursor)
    consumers = list(Watermark.objects.filter(xid__gt=here).values_list("consumer", flat=True))
    if Forwarder.objects.filter(position_xid__gt=here).exists():
        consumers.append("forwarder")
    return consumers


# What a restored row's transaction id becomes; ids of real transactions begin above these.
_DONE, _TO_FORWARD, _TO_COUNT = 0, 1, 2

_RESET = """
update {partition}
set xid = case when xid >= %(counted)s then %(to_count)s
               when xid >= %(forwarded)s then %(to_forward)s
               else %(done)s end
where xid > %(to_count)s and (xid >= %(here)s or received_at <= %(dumped_at)s)
"""


def reset() -> Iterator[tuple[str, int]]:
    """Take restored events out of the order of transactions, and let every consumer go on.

    What was not yet counted or forwarded when the dump was made is so now, and so is what has been
    stored since the restore. A partition at a time, each committed by itself; yields its name and how
    many events it held. An interrupted run is simply run again: the positions move last.
    """
    ahead = positions_ahead()
    with connection.cursor() as cursor:
        here = horizon(cursor)
        cursor.execute("select max(received_at) from observability_event where xid >= %s", [here])
        parameters = {
            "here": here,
            # Rows received up to then came with the dump, however small their ids.
            "dumped_at": cursor.fetchone()[0],
            "counted": Watermark.objects.filter(consumer="rollups").values_list("xid", flat=True).first()
            or 0,
            "forwarded": Forwarder.objects.values_list("position_xid", flat=True).first() or 0,
            "to_count": _TO_COUNT,
            "to_forward": _TO_FORWARD,
            "done": _DONE,
        }
        cursor.execute(
            "select inhrelid::regclass::text from pg_inherits"
            " where inhparent = 'observability_event'::regclass order by 1"
        )
        for (partition,) in cursor.fetchall():
            # The name comes from PostgreSQL's own catalog, quoted by regclass.
            cursor.execute(_RESET.format(partition=partition), parameters)
            yield partition, cursor.rowcount
    with transaction.atomic():
        Watermark.objects.filter(xid__gt=here).update(xid=_TO_COUNT)
        Forwarder.objects.filter(position_xid__gt=here).update(
            position_xid=_TO_FORWARD, position_timestamp=None, position_uuid=None
        )
        BackfilledDay.objects.filter(xid__gt=here).update(xid=_TO_COUNT)
        record(Action.WATERMARK_RESET, changes={"consumers": (None, ahead)})
