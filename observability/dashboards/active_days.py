"""Who was active on each day of a zone, as sets of people, by hour and by event.

The rule: a day's sets are united from its quarters of an hour, for every offset from UTC is a whole number of
them. The same hour twice, when clocks go back, is one hour of the day.
"""

from collections import defaultdict
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.backends.utils import CursorWrapper
from pyroaring import BitMap

from observability.dashboards import days
from observability.dashboards.days import Bounds, counted_by
from observability.dashboards.question import Question
from observability.models import Person, SampleLevel
from observability.people_sets import pack, thinned, united, unpack
from observability.rollups.touched import Subject
from trainu import statements

_QUARTERS = """
select quarter, event, people from observability_peoplequarter
where quarter >= %s and quarter < %s order by quarter
"""
_SAVE = """
insert into observability_activeday (zone, day, people, hours, hour_counts, events, sets)
values (%s, %s, %s, %s, %s, %s, %s)
on conflict (zone, day) do update set people = excluded.people, hours = excluded.hours,
    hour_counts = excluded.hour_counts, events = excluded.events, sets = excluded.sets
"""


@counted_by(Subject.ACTIVITY)
def count(cursor: CursorWrapper, zone: str, bounds: Bounds) -> None:
    """Unite the quarters of each day."""
    level = sample_level()
    for day, start, end in bounds:
        hours: list[BitMap] = [BitMap() for _ in range(24)]
        events: defaultdict[str, BitMap] = defaultdict(BitMap)
        cursor.execute(_QUARTERS, [start, end])
        for quarter, event, packed in cursor.fetchall():
            people = thinned(unpack(packed), level)
            hours[quarter.astimezone(ZoneInfo(zone)).hour] |= people
            events[event] |= people
        names = sorted(events)
        counts = [len(people) for people in hours]
        packed_hours = [pack(people) for people in hours]
        packed_events = [pack(events[name]) for name in names]
        cursor.execute(_SAVE, [zone, day, pack(united(hours)), packed_hours, counts, names, packed_events])


def people(zone: str, first: date, last: date, *, now: datetime) -> dict[date, BitMap]:
    """Return who was active on each day; a day that nobody was is left out."""
    return {day: unpack(packed) for day, packed in _read("people", zone, first, last, now=now)}


def by_event(zone: str, first: date, last: date, *, now: datetime) -> dict[date, dict[str, BitMap]]:
    """Return who had which event on each day."""
    rows = _read("events, sets", zone, first, last, now=now)
    return {
        day: {event: unpack(packed) for event, packed in zip(events, sets, strict=True)}
        for day, events, sets in rows
    }


def by_hour(
    zone: str, first: date, last: date, mask: BitMap | None, *, now: datetime
) -> dict[date, list[int]]:
    """Return how many of the mask's people (None: of all) were active in each of a day's 24 hours."""
    if mask is None:
        return dict(_read("hour_counts", zone, first, last, now=now))
    rows = _read("hours", zone, first, last, now=now)
    return {day: [unpack(packed).intersection_cardinality(mask) for packed in hours] for day, hours in rows}


def mask(question: Question) -> BitMap | None:
    """Return the people that the filters keep; None where there is no filter."""
    words = {"trainer_id": question.trainer, "segment": question.segment}
    filters = {name: word for name, word in words.items() if word}
    return numbers(**filters) if filters else None


def numbers(**filters: Any) -> BitMap:
    """Return the numbers of the people that filters on `Person` keep, as far as sets may hold them."""
    found = Person.objects.filter(**filters).aggregate(numbers=ArrayAgg("number", default=[]))
    return thinned(BitMap(found["numbers"]), sample_level())


def sample_level() -> int:
    """Return the level of the sample that sets hold: 0 where they are exact."""
    return SampleLevel.objects.values_list("level", flat=True).first() or 0


def _read(columns: str, zone: str, first: date, last: date, *, now: datetime) -> list[tuple[Any, ...]]:
    days.ensure(Subject.ACTIVITY, zone, first, last, now=now)
    # Binary: sets of 90 days are megabytes, and as text they take ten times as long.
    return statements.rows(
        f"select day, {columns} from observability_activeday"
        " where zone = %s and day between %s and %s order by day",
        [zone, first, last],
    )
