"""Keep the counts of events up to date, incrementally: pages read counts, never the raw events.

The rule: a roll-up takes the rows of transactions in [watermark, oldest running transaction) and
moves the watermark in the same transaction, so each event is counted once, however late it commits
and however often a run dies. A transaction left open holds the watermark back, nothing else.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from observability import watermark
from observability.models import Watermark

CONSUMER = "rollups"
# So many transactions are taken at once at most; a thousand events each is the worst case.
WINDOW_XIDS = 20_000
MINUTES_KEPT = timedelta(days=14)

_ROLL = """
with fresh as materialized (
    select event, date_trunc('minute', timestamp) as minute, count(*) as events,
           min(timestamp) as first_at, max(timestamp) as last_at
    from observability_event
    where xid >= %(low)s and xid < %(high)s and timestamp >= %(floor)s
    group by 1, 2
), minutes as (
    insert into observability_eventminute as m (event, minute, events)
    select event, minute, events from fresh where minute >= %(kept)s
    on conflict (event, minute) do update set events = m.events + excluded.events
), hours as (
    insert into observability_eventhour as h (event, hour, events)
    select event, date_trunc('hour', minute), sum(events) from fresh group by 1, 2
    on conflict (event, hour) do update set events = h.events + excluded.events
), definitions as (
    update observability_eventdefinition d
    set volume = d.volume + f.events,
        first_seen_at = least(d.first_seen_at, f.first_at),
        last_seen_at = greatest(d.last_seen_at, f.last_at)
    from (select event, sum(events) as events, min(first_at) as first_at, max(last_at) as last_at
          from fresh group by 1) f
    where d.name = f.event
)
select coalesce(sum(events), 0) from fresh
"""


@dataclass(frozen=True, slots=True)
class Rolled:
    """What one step did. behind: whether more is waiting already."""

    events: int
    behind: bool


def roll(*, now: datetime) -> Rolled:
    """Take the next window of transactions into the roll-ups; return how many events it held.

    Does nothing when another process is at it, or a purge is taking a day of events out.
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
        floor = watermark.floor(cursor, low, caught_up_at=caught_up_at)
        cursor.execute(_ROLL, {"low": low, "high": high, "floor": floor, "kept": now - MINUTES_KEPT})
        events = int(cursor.fetchone()[0])
        cursor.execute(
            "update observability_watermark set xid = %s, moved_at = %s where consumer = %s",
            [high, now if high == horizon else caught_up_at, CONSUMER],
        )
    return Rolled(events, behind=high < horizon)
