"""Counts by calendar days of a zone: derived when a page asks, kept while the rows behind them stand.

The rule: a day's counts are a pure function of its rows. A day is stale when its rows have a newer version
than its counts; stale days are counted anew, by one process at a time, before anything is read.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from observability.dashboards.question import days_between, midnight
from observability.rollups.touched import Subject

# Counts the days anew. Called in a transaction, with the days' bounds.
Count = Callable[[CursorWrapper, str, "Bounds"], None]
Bounds = Sequence[tuple[date, datetime, datetime]]

_counts: dict[Subject, Count] = {}
# What was made sure of within `one_view`: subject, zone, first and last day.
_sure: ContextVar[list[tuple[Subject, str, date, date]] | None] = ContextVar("sure", default=None)
# So many days are counted in one transaction: the first page in a new zone must not hold a lock for minutes.
AT_ONCE = 31

_STALE = """
select w.day
from unnest(%(days)s::date[], %(firsts)s::date[], %(lasts)s::date[]) as w (day, first, last)
left join observability_countedday c on c.zone = %(zone)s and c.subject = %(subject)s and c.day = w.day
where exists (
    select from observability_touchedday t
    where t.subject = %(subject)s and t.day between w.first and w.last and t.version > coalesce(c.version, 0)
)
order by w.day
"""
_NOTE_COUNTED = """
insert into observability_countedday (zone, subject, day, version, counted_at)
select %(zone)s, %(subject)s, day, %(version)s, %(now)s from unnest(%(days)s::date[]) as day
on conflict (zone, subject, day) do update set version = excluded.version, counted_at = excluded.counted_at
"""


def counted_by(subject: Subject) -> Callable[[Count], Count]:
    """Register how a subject's days are counted."""

    def register(count: Count) -> Count:
        _counts[subject] = count
        return count

    return register


@contextmanager
def one_view() -> Iterator[None]:
    """Within a block, days that were made sure of are not asked about again: a page is of one moment."""
    token = _sure.set([])
    try:
        yield
    finally:
        _sure.reset(token)


def ensure(subject: Subject, zone: str, first: date, last: date, *, now: datetime) -> None:
    """Make sure that the counts of these days hold; days that have not begun are left out."""
    sure = _sure.get()
    if sure is not None:
        if any(one[:2] == (subject, zone) and one[2] <= first and last <= one[3] for one in sure):
            return
        sure.append((subject, zone, first, last))
    waiting = stale(subject, zone, first, last, now=now)
    for start in range(0, len(waiting), AT_ONCE):
        count(subject, zone, waiting[start : start + AT_ONCE], now=now)


def stale(subject: Subject, zone: str, first: date, last: date, *, now: datetime) -> list[date]:
    """Return the days whose counts do not hold, oldest first; days that have not begun are left out."""
    last = min(last, now.astimezone(ZoneInfo(zone)).date())
    with connection.cursor() as cursor:
        return _stale(cursor, subject, zone, days_between(first, last))


def bounds(zone: str, days: Sequence[date]) -> list[tuple[date, datetime, datetime]]:
    """Return each day with its first moment, and that of the next day."""
    return [(day, midnight(day, zone), midnight(day + timedelta(days=1), zone)) for day in days]


@transaction.atomic
def count(subject: Subject, zone: str, days: list[date], *, now: datetime) -> None:
    """Count those of the days anew whose counts do not hold, as the only one at it."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 6))", [f"{subject} {zone}"])
        # Read before the rows are, so that a change in between leaves the day stale.
        cursor.execute(
            "select coalesce(max(version), 0) from observability_touchedday where subject = %s", [subject]
        )
        version = cursor.fetchone()[0]
        still_stale = _stale(cursor, subject, zone, days)
        if not still_stale:
            return
        _counts[subject](cursor, zone, bounds(zone, still_stale))
        cursor.execute(
            _NOTE_COUNTED,
            {"zone": zone, "subject": subject, "version": version, "now": now, "days": still_stale},
        )


def _stale(cursor: CursorWrapper, subject: Subject, zone: str, days: list[date]) -> list[date]:
    if not days:
        return []
    spans = bounds(zone, days)
    microsecond = timedelta(microseconds=1)
    cursor.execute(
        _STALE,
        {
            "days": days,
            "firsts": [start.date() for _, start, _ in spans],
            "lasts": [(end - microsecond).date() for _, _, end in spans],
            "zone": zone,
            "subject": subject,
        },
    )
    return [day for (day,) in cursor.fetchall()]
