"""One step of the roll-ups: the next window of transactions, taken into every room, in one transaction.

The rule: a step takes the rows of transactions in [watermark, oldest running transaction) and moves the
watermark in the same transaction, so each event is taken once, however late it commits and however often a
run dies. A transaction left open holds the watermark back, nothing else.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from observability import watermark
from observability.models import Watermark
from observability.rollups import activity, bookings, event_counts, fresh, messages, people, sync, touched

CONSUMER = "rollups"
# So many transactions are taken at once at most; a thousand events each is the worst case.
WINDOW_XIDS = 20_000


@dataclass(frozen=True, slots=True)
class Rolled:
    """What one step did. behind: whether more is waiting already."""

    events: int
    behind: bool


def roll(*, now: datetime, exact_up_to: int = activity.EXACT_UP_TO) -> Rolled:
    """Take the next window of transactions into the roll-ups; return how many events it held.

    exact_up_to: so many people are told apart exactly. Does nothing when another process is at it, or a
    purge is taking a day of events out.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        Watermark.objects.get_or_create(consumer=CONSUMER, defaults={"xid": 0, "moved_at": watermark.NEVER})
        cursor.execute(
            "select xid, moved_at from observability_watermark where consumer = %s for update skip locked",
            [CONSUMER],
        )
        row = cursor.fetchone()
        if row is None:
            return Rolled(0, behind=False)
        low, caught_up_at = row
        horizon = watermark.horizon(cursor)
        if not watermark.is_whole(cursor, low):
            return Rolled(0, behind=False)
        high = min(horizon, watermark.next_xid(cursor, low, horizon) + WINDOW_XIDS)
        if high <= low:
            return Rolled(0, behind=False)
        events = fresh.take(
            cursor, low=low, high=high, since=watermark.floor(cursor, low, caught_up_at=caught_up_at)
        )
        if events:
            count(cursor, now=now)
            merge(cursor, exact_up_to=exact_up_to)
        cursor.execute(
            "update observability_watermark set xid = %s, moved_at = %s where consumer = %s",
            [high, now if high == horizon else caught_up_at, CONSUMER],
        )
    return Rolled(events, behind=high < horizon)


def count(cursor: CursorWrapper, *, now: datetime) -> None:
    """Hand the events at hand to the rooms that add them up, and so must be told each once."""
    event_counts.add(cursor, now=now)
    sync.add(cursor, touched.version(cursor))


def merge(cursor: CursorWrapper, *, exact_up_to: int) -> None:
    """Hand the events at hand to the rooms that merge them, which may be told one again."""
    version = touched.version(cursor)
    people.number(cursor)
    people.merge(cursor, version)
    activity.merge(cursor, version, exact_up_to=exact_up_to)
    bookings.merge(cursor, version)
    messages.merge(cursor, version)
