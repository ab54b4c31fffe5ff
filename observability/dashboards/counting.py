"""How days are counted: bookings, drafts, replies and sync, each for all, by either word, and by both.

The rule: what stands in `numbers` is said here, once, beside the statement that counts it. a and b are
trainer and segment; of sync, location and operation.
"""

from datetime import datetime
from typing import Any

from django.db.backends.utils import CursorWrapper

from observability.dashboards.days import Bounds, counted_by
from observability.dashboards.question import week_of
from observability.rollups.bookings import RECOVERED_WITHIN_DAYS
from observability.rollups.messages import ANSWERED_WITHIN_HOURS
from observability.rollups.touched import Subject

# Levels of a cell.
ALL, BY_A, BY_B, BY_BOTH = 0, 1, 2, 3

_WANTED = """
wanted as materialized (
    select * from unnest(%(days)s::date[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
        as w (day, starts_at, ends_at)
)
"""
_LEVEL = "case grouping(a, b) when 3 then 0 when 0 then 3 else grouping(a, b) end"
_SETS = "grouping sets ((), (a), (b), (a, b))"
_WORDS = "coalesce(a, '') as a, coalesce(b, '') as b"

# numbers: not canceled, no-shows, canceled, no-shows whose client has booked anew in time.
BOOKINGS = f"""
with {_WANTED}, counted as (
    select w.day, b.trainer_id as a, b.segment as b,
           count(*) filter (where b.state <> 'canceled') as kept,
           count(*) filter (where b.state = 'no_show') as no_shows,
           count(*) filter (where b.state = 'canceled') as canceled,
           count(*) filter (where b.state = 'no_show' and exists (
               select from observability_booking anew
               where anew.client_id = b.client_id and anew.scheduled_at > b.starts_at
               and anew.scheduled_at <= b.starts_at + interval '{RECOVERED_WITHIN_DAYS} days')) as recovered
    from wanted w
    join observability_booking b on b.starts_at >= w.starts_at and b.starts_at < w.ends_at
    group by 1, 2, 3
)
select {_LEVEL} as level, day, {_WORDS},
       array[sum(kept), sum(no_shows), sum(canceled), sum(recovered)]::bigint[] as numbers
from counted group by day, {_SETS}
"""
# numbers: drafted, of these approved, of these edited, of approved sent.
_DRAFTS = f"""
with {_WANTED}, counted as (
    select w.day, d.trainer_id as a, coalesce(p.segment, 'unknown') as b, count(*) as drafted,
           count(d.approved_at) as approved,
           count(*) filter (where d.approved_at is not null and d.edited) as edited,
           count(*) filter (where d.approved_at is not null and d.sent_at is not null) as sent
    from wanted w
    join observability_draftedmessage d on d.drafted_at >= w.starts_at and d.drafted_at < w.ends_at
    left join observability_person p on p.distinct_id = 'client:' || d.client_id
    group by 1, 2, 3
)
select {_LEVEL} as level, day, {_WORDS},
       array[sum(drafted), sum(approved), sum(edited), sum(sent)]::bigint[] as numbers
from counted group by day, {_SETS}
"""
# numbers: sent, of these answered; then the different minutes that answers took, then how many took each.
_REPLIES = f"""
with {_WANTED}, counted as (
    select w.day, d.trainer_id as a, coalesce(p.segment, 'unknown') as b,
           floor(extract(epoch from answer.received_at - d.sent_at) / 60)::int as minutes,
           count(*) as messages
    from wanted w
    join observability_draftedmessage d on d.sent_at >= w.starts_at and d.sent_at < w.ends_at
    left join observability_person p on p.distinct_id = 'client:' || d.client_id
    left join lateral (
        select received_at from observability_inboundmessage i
        where i.client_id = d.client_id and i.received_at > d.sent_at
        and i.received_at <= d.sent_at + interval '{ANSWERED_WITHIN_HOURS} hours'
        order by i.received_at limit 1
    ) answer on true
    group by 1, 2, 3, 4
), leveled as (
    select {_LEVEL} as level, day, {_WORDS}, minutes, sum(messages) as messages
    from counted group by day, minutes, {_SETS}
)
select level, day, a, b,
       array[sum(messages), coalesce(sum(messages) filter (where minutes is not null), 0)]::bigint[]
       || coalesce(array_agg(minutes order by minutes) filter (where minutes is not null), '{{}}')::bigint[]
       || coalesce(array_agg(messages order by minutes) filter (where minutes is not null), '{{}}')::bigint[]
       as numbers
from leveled group by 1, 2, 3, 4
"""
_SYNC_ROWS = f"""
with {_WANTED}, counted as (
    select w.day, s.location_id as a, s.operation as b, s.outcome, s.code, s.count
    from wanted w
    join observability_syncquarter s on s.quarter >= w.starts_at and s.quarter < w.ends_at
)
"""
_OF = "coalesce(sum(count) filter (where outcome = '{}'), 0)"
_OUTCOMES = ", ".join(_OF.format(outcome) for outcome in ("ok", "retry", "dropped", "webhook"))
# numbers: succeeded, tried again, given up, webhooks (of which b is the topic). Never by both.
_SYNC = f"""
{_SYNC_ROWS} select {_LEVEL} as level, day, {_WORDS}, array[{_OUTCOMES}]::bigint[] as numbers
from counted group by day, grouping sets ((), (a), (b))
"""
# a: the cause; b: the operation. numbers: tried again, given up. By the cause, and by both.
_CAUSES = f"""
{_SYNC_ROWS} select case grouping(b) when 1 then {BY_A} else {BY_BOTH} end as level, day, code as a,
       coalesce(b, '') as b, array[{_OF.format("retry")}, {_OF.format("dropped")}]::bigint[] as numbers
from counted where outcome in ('retry', 'dropped') group by day, code, grouping sets ((), (b))
"""
# a: the metric. numbers: the different buckets, then how many observations fell into each.
_LATENCY = f"""
with {_WANTED}, counted as (
    select w.day, l.metric, l.bucket, sum(l.observations) as observations
    from wanted w
    join observability_latencyquarter l on l.quarter >= w.starts_at and l.quarter < w.ends_at
    group by 1, 2, 3
)
select {BY_A} as level, day, metric as a, '' as b,
       array_agg(bucket order by bucket)::bigint[] || array_agg(observations order by bucket)::bigint[]
       as numbers
from counted group by day, metric
"""
# What a subject's cells are called, and how they come about.
_STATEMENTS = {
    Subject.BOOKINGS: {"bookings": BOOKINGS},
    Subject.DRAFTS: {"drafts": _DRAFTS},
    Subject.REPLIES: {"replies": _REPLIES},
    Subject.SYNC: {"sync": _SYNC, "sync_causes": _CAUSES, "latency": _LATENCY},
}
_REMOVE = (
    "delete from observability_daycell where subject = %(name)s and zone = %(zone)s and day = any(%(days)s)"
)


# Sums of whole weeks, for what is asked by trainer: a seventh of the rows. They stand under their Monday, and
# hold where all days of the week are counted, which whoever reads them makes sure of.
WEEKS_OF_BOOKINGS = "bookings_week"
_WEEKS = f"""
insert into observability_daycell (subject, zone, level, day, a, b, numbers)
select '{WEEKS_OF_BOOKINGS}', %(zone)s, level, monday, a, b,
       array[sum(numbers[1]), sum(numbers[2]), sum(numbers[3]), sum(numbers[4])]::bigint[]
from unnest(%(mondays)s::date[]) as monday
join observability_daycell c on c.subject = 'bookings' and c.zone = %(zone)s
    and c.level in ({BY_A}, {BY_BOTH}) and c.day between monday and monday + 6
group by level, monday, a, b
"""


def _count_weeks(cursor: CursorWrapper, zone: str, bounds: Bounds) -> None:
    mondays = sorted({week_of(day) for day, _, _ in bounds})
    cursor.execute(_REMOVE, {"name": WEEKS_OF_BOOKINGS, "zone": zone, "days": mondays})
    cursor.execute(_WEEKS, {"zone": zone, "mondays": mondays})


def _counter(subject: Subject) -> None:
    @counted_by(subject)
    def count(cursor: CursorWrapper, zone: str, bounds: Bounds) -> None:
        for name, statement in _STATEMENTS[subject].items():
            parameters = {"name": name, "zone": zone, **columns(bounds)}
            cursor.execute(_REMOVE, parameters)
            cursor.execute(
                "insert into observability_daycell (subject, zone, level, day, a, b, numbers)"
                f" select %(name)s, %(zone)s, level, day, a, b, numbers from ({statement}) counted",
                parameters,
            )
        if subject is Subject.BOOKINGS:
            _count_weeks(cursor, zone, bounds)


for _subject in _STATEMENTS:
    _counter(_subject)


def columns(bounds: Bounds) -> dict[str, Any]:
    """Return days and their bounds as the statements take them."""
    return {
        "days": [day for day, _, _ in bounds],
        "starts": [start for _, start, _ in bounds],
        "ends": [end for _, _, end in bounds],
    }


def due_today(
    cursor: CursorWrapper, bounds: Bounds, *, now: datetime
) -> list[tuple[int, str, str, list[int]]]:
    """Return the cells (level, a, b, numbers) of a day at hand, of bookings whose start has passed.

    They are kept nowhere: they change as time goes on, without any event.
    """
    started = [(day, start, min(end, now)) for day, start, end in bounds]
    # Up to and with this very moment.
    statement = BOOKINGS.replace("b.starts_at < w.ends_at", "b.starts_at <= w.ends_at")
    cursor.execute(f"select level, a, b, numbers from ({statement}) counted", columns(started))
    return list(cursor.fetchall())
