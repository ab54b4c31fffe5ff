"""Counts that only grow, for ever, out of counts by the minute that are purged.

The rule: a total is what has been folded (`RunningTotal`) and the minutes that have not been, read in one
statement. A minute is folded once, when nothing is added to it any more, and not purged before. What a
process carries later than LATE, cut off from a database that others reach, is missing from the totals alone.
"""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q

from observability.counters import Counter
from observability.models import Reading, Watermark
from observability.rollups import CONSUMER
from trainu.transactions import atomic_retry

ERRORS = "errors"
EVENTS = ("sync_ok", "sync_retry", "sync_dropped", "webhook_received")
DURATIONS = ("api_response_time", "database_query_time")
READING = "running_totals"

MINUTE = timedelta(minutes=1)
LATE = timedelta(minutes=10)
# After a pause of so long the database was away perhaps: first everybody carries what has waited.
_PAUSE = timedelta(minutes=3)
_MOST_AT_ONCE = timedelta(hours=6)
# Events become counts a second after they are stored.
_ROLLED_UP = timedelta(minutes=2)
_END = datetime(9999, 1, 1, tzinfo=UTC)
_TRIES = 5

Totals = dict[str, dict[str, int]]

_MINUTES = """
select 'errors' as series, severity || ' ' || category as label, errors as count
from observability_errorminute where minute >= %(since)s and minute < %(until)s
union all
select name, '', count from observability_counterminute
where minute >= %(since)s and minute < %(until)s and name = any(%(counters)s)
union all
select event, '', events from observability_eventminute
where event = any(%(events)s) and minute >= %(since)s and minute < %(until)s
union all
select metric, bucket::text, observations from observability_durationminute
where metric = any(%(durations)s) and minute >= %(since)s and minute < %(until)s
"""
_FOLD = f"""
insert into observability_runningtotal as t (series, label, count)
select series, label, sum(count) from ({_MINUTES}) minutes group by series, label order by series, label
on conflict (series, label) do update set count = t.count + excluded.count
"""
# The mark besides: where it has moved since it was read, the answer is of no use.
_READ = f"""
select series, label, sum(count)::bigint, (select read_at from observability_reading where name = %(reading)s)
from (select series, label, count from observability_runningtotal union all ({_MINUTES})) counted
group by series, label
"""


def begin(*, now: datetime) -> datetime:
    """Return up to where minutes are folded; the first call begins the totals with the minutes at hand."""
    first = now.replace(second=0, microsecond=0) - LATE
    began = {"value": int(now.timestamp()), "read_at": first}
    reading, _ = Reading.objects.get_or_create(name=READING, defaults=began)
    return reading.read_at


@atomic_retry
def fold(*, now: datetime) -> int:
    """Add the minutes that nothing comes to any more to the totals; return how many these were."""
    begin(now=now)
    reading = Reading.objects.select_for_update().get(name=READING)
    has_paused = now.timestamp() - reading.value > _PAUSE.total_seconds()
    # Its value is when it was last looked at, in seconds.
    reading.value = int(now.timestamp())
    until = min(now.replace(second=0, microsecond=0) - LATE, reading.read_at + _MOST_AT_ONCE)
    rolled_up = Watermark.objects.filter(consumer=CONSUMER).values_list("moved_at", flat=True).first()
    if rolled_up:
        until = min(until, rolled_up.replace(second=0, microsecond=0) - _ROLLED_UP)
    minutes = 0 if has_paused else max(0, (until - reading.read_at) // MINUTE)
    if minutes:
        with connection.cursor() as cursor:
            cursor.execute(_FOLD, _given(reading.read_at, until))
        reading.read_at = until
    reading.save(update_fields=["value", "read_at"])
    return minutes


def read(*, now: datetime) -> Totals:
    """Return the counts by series and label."""
    since = begin(now=now)
    for _ in range(_TRIES):
        with connection.cursor() as cursor:
            cursor.execute(_READ, _given(since, _END))
            rows = cursor.fetchall()
        moved = rows[0][3] if rows else since
        if moved == since:
            totals: Totals = defaultdict(dict)
            for series, label, count, _mark in rows:
                totals[series][label] = count
            return totals
        since = moved
    raise TimeoutError("Minutes are folded faster than they can be read.")


def folded() -> Q:
    """Return which minutes may be purged: those in the totals, or all where nobody has begun any."""
    up_to = Reading.objects.filter(name=READING).values_list("read_at", flat=True).first()
    return Q(minute__lt=up_to) if up_to else Q()


def _given(since: datetime, until: datetime) -> dict[str, Any]:
    return {
        "since": since,
        "until": until,
        "reading": READING,
        "counters": [counter.value for counter in Counter],
        "events": list(EVENTS),
        "durations": list(DURATIONS),
    }
