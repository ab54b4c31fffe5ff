"""Counting messages as they are enqueued, and what was usual of them. Two statements, by an index alone.

The rules: spans are those of the clock, so that whoever counts a span again finds the same. An hour is
learned when it is over; one in which there was a mass, when staff let it go, and without what they have
discarded.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from sync.mass_send.rule import FACTOR, FLOORS, HISTORY, OF_TEXTS, Level, Measure, worth_knowing
from sync.models import MessageWatch

# Who takes so long to commit what it enqueues is seen all the same.
LATE = timedelta(minutes=10)
# Of the levels beyond their limits, so many are looked at more closely.
_MOST = 10

# Spans with more than a least number of messages: nearly none.
_SPANS = """
with counted as materialized (
    select location_id, text_key, date_bin('1 minute', created_at, timestamptz '2000-01-01 00:00Z') as minute,
           count(*) as messages
    from sync_syncjob
    where operation = 'message.send' and created_at >= %(since)s {which}
    group by 1, 2, 3
), timed as materialized (
    select *, date_bin('10 minutes', minute, timestamptz '2000-01-01 00:00Z') as ten from counted
), span as (
    select 'minute' as measure, location_id, 0::bigint as text_key, minute as at, sum(messages) as messages
    from timed group by location_id, minute having sum(messages) > %(minute)s
    union all
    select 'ten_minutes', location_id, 0, ten, sum(messages)
    from timed group by location_id, ten having sum(messages) > %(ten_minutes)s
    union all
    select 'text', location_id, text_key, ten, sum(messages) from timed
    where text_key is not null group by location_id, text_key, ten having sum(messages) > %(text)s
    union all
    select 'text_anywhere', '', text_key, ten, sum(messages) from timed
    where text_key is not null group by text_key, ten having sum(messages) > %(text_anywhere)s
)
"""
_BEYOND = (
    _SPANS.format(which="and created_at > %(accepted_until)s")
    + """
select span.measure, span.location_id, span.text_key, span.at, span.messages::bigint, coalesce(usual.peak, 0)
from span left join lateral (
    select max(peak) as peak from sync_messagelevel level
    where level.measure = span.measure and level.location_id = span.location_id
      and level.text_key = span.text_key and level.hour >= %(history)s
) usual on true
where span.messages > coalesce(usual.peak, 0) * %(factor)s
order by span.messages::float / greatest(1, coalesce(usual.peak, 0)) desc limit %(most)s
"""
)
_LEARN = (
    _SPANS.format(which="and created_at < %(until)s and state <> 'dead'")
    + """
insert into sync_messagelevel (measure, location_id, text_key, hour, peak)
select measure, location_id, text_key, date_trunc('hour', at, 'UTC'), max(messages)::int
from span group by 1, 2, 3, 4
on conflict (measure, location_id, text_key, hour)
do update set peak = greatest(sync_messagelevel.peak, excluded.peak)
"""
)
_CONTACTS = """
select count(distinct (location_id, payload ->> 'contact_id')) from sync_syncjob
where operation = 'message.send' and created_at >= greatest(%(at)s, %(since)s)
  and created_at > %(accepted_until)s and created_at < %(at)s + interval '10 minutes'
  and text_key = %(text_key)s and (%(location_id)s = '' or location_id = %(location_id)s)
"""


def beyond(watch: MessageWatch, *, now: datetime) -> list[Level]:
    """Return what has been too much since the last look, the worst first; see `rule`."""
    given = _since(watch, now)
    found = _rows(_BEYOND, given | {one.value: FLOORS[one] for one in Measure})
    levels = []
    for measure, location_id, text_key, at, messages, usual in found:
        if measure in OF_TEXTS:
            about = {"at": at, "text_key": text_key, "location_id": location_id}
            [(messages,)] = _rows(_CONTACTS, given | about)
        levels.append(Level(Measure(measure), location_id, text_key, messages, usual))
    return levels


def learn(watch: MessageWatch, *, until: datetime, now: datetime) -> None:
    """Write down what was usual until then; inside the transaction that keeps how far."""
    since = max(watch.learned_until or now - HISTORY, now - HISTORY)
    with connection.cursor() as cursor:
        cursor.execute(
            _LEARN, {"since": since, "until": until} | {one.value: worth_knowing(one) for one in Measure}
        )
    watch.learned_until = until


def take() -> MessageWatch:
    """Return the watch's row, locked; inside the caller's transaction."""
    MessageWatch.objects.bulk_create([MessageWatch(pk=1)], ignore_conflicts=True)
    return MessageWatch.objects.select_for_update().get(pk=1)


def accept(watch: MessageWatch, *, now: datetime) -> None:
    """Take what has been enqueued for meant: it is not counted again, and is usual from now on."""
    learn(watch, until=now, now=now)
    watch.accepted_until = now
    watch.save(update_fields=["learned_until", "accepted_until"])


def _since(watch: MessageWatch, now: datetime) -> dict[str, Any]:
    since = max(min(watch.looked_at or now, now) - LATE, now - HISTORY)
    return {
        # From the beginning of a span on, or it would be counted in part.
        "since": since
        - timedelta(minutes=since.minute % 10, seconds=since.second, microseconds=since.microsecond),
        "accepted_until": watch.accepted_until or now - 2 * HISTORY,
        "history": now - HISTORY,
        "factor": FACTOR,
        "most": _MOST,
    }


def _rows(statement: str, given: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
