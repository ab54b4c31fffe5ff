"""Who was active: for each quarter of an hour and kind of event, the set of people. It merges.

The rule: every event made by a human counts for the distinct id it was reported under. Beyond `exact_up_to`
people sets hold a sample of them (observability.people_sets); the level only rises.
"""

from datetime import datetime

from django.db.backends.utils import CursorWrapper
from pyroaring import BitMap

from observability.people_sets import is_sampled, pack, thinned, unpack
from observability.rollups.people import HUMAN
from observability.rollups.touched import Subject, note

EXACT_UP_TO = 250_000

_ENSURE_LEVEL = (
    "insert into observability_samplelevel (one_row, level) values (true, 0) on conflict do nothing"
)
_RAISE_LEVEL = """
update observability_samplelevel set level = level + 1
where (select max(number) from observability_person) > %(exact)s::bigint << level
"""
# Sets of days that were counted hold more people than the new sample.
_TOUCH_ALL = "update observability_touchedday set version = %(version)s where subject = 'activity'"
_ACTIVE = """
select f.quarter, f.event, array_agg(distinct p.number)
from fresh_event f join observability_person p using (distinct_id)
where f.event = any(%(human)s)
group by 1, 2
"""
_PRESENT = """
select q.quarter, q.event, q.people
from unnest(%(quarters)s::timestamptz[], %(events)s::text[]) as wanted (quarter, event)
join observability_peoplequarter q using (quarter, event)
"""
_SAVE = """
insert into observability_peoplequarter (quarter, event, people)
select * from unnest(%(quarters)s::timestamptz[], %(events)s::text[], %(sets)s::bytea[])
on conflict (quarter, event) do update set people = excluded.people
"""
_NOTE = note(
    Subject.ACTIVITY,
    "select (quarter at time zone 'utc')::date from unnest(%(quarters)s::timestamptz[]) as q (quarter)",
)


def merge(cursor: CursorWrapper, version: int, *, exact_up_to: int = EXACT_UP_TO) -> None:
    """Unite the people of the events at hand with those already known to have been active."""
    level = _level(cursor, version, exact_up_to)
    cursor.execute(_ACTIVE, {"human": HUMAN})
    told: dict[tuple[datetime, str], BitMap] = {
        (quarter, event): BitMap(
            numbers if not level else [number for number in numbers if is_sampled(number, level)]
        )
        for quarter, event, numbers in cursor.fetchall()
    }
    if not told:
        return
    cursor.execute(_PRESENT, {"quarters": [at for at, _ in told], "events": [event for _, event in told]})
    changed: dict[tuple[datetime, str], BitMap] = dict(told)
    for quarter, event, packed in cursor.fetchall():
        present = thinned(unpack(packed), level)
        if told[quarter, event] <= present:
            del changed[quarter, event]
        else:
            changed[quarter, event] = told[quarter, event] | present
    if not changed:
        return
    cursor.execute(
        _SAVE,
        {
            "quarters": [quarter for quarter, _ in changed],
            "events": [event for _, event in changed],
            "sets": [pack(people) for people in changed.values()],
        },
    )
    cursor.execute(_NOTE, {"quarters": [quarter for quarter, _ in changed], "version": version})


def _level(cursor: CursorWrapper, version: int, exact_up_to: int) -> int:
    """Return the level of the sample, one higher than before where there are too many people by now."""
    cursor.execute(_ENSURE_LEVEL)
    cursor.execute(_RAISE_LEVEL, {"exact": exact_up_to})
    if cursor.rowcount:
        cursor.execute(_TOUCH_ALL, {"version": version})
    cursor.execute("select level from observability_samplelevel")
    return int(cursor.fetchone()[0])
