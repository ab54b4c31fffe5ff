"""Count the days of dashboards before somebody asks, in the zones that somebody has asked for lately.

The rule: a page counts whatever is stale itself, so nothing depends on this; it only spares the reader the
first count of a zone's days, and the worker does a slice of it a minute.
"""

import time
from datetime import date, datetime, timedelta

from django.db import connection
from django.db.models import Min

from observability.dashboards import days
from observability.dashboards.question import DEFAULT_ZONE
from observability.models import CountedZone, TouchedDay
from observability.rollups.touched import Subject

BUDGET_S = 40.0
# Nobody asks for a zone any more that nobody has asked for so long.
ASKED_WITHIN = timedelta(days=14)
FAR_BACK = timedelta(days=400)

_NOTE = """
insert into observability_countedzone as z (zone, asked_at) values (%s, %s)
on conflict (zone) do update set asked_at = excluded.asked_at
where z.asked_at < excluded.asked_at - interval '1 hour'
"""


def note_asked(zone: str, *, now: datetime) -> None:
    """Remember that a zone is asked for; it is written once an hour."""
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, [zone, now])


def count(*, now: datetime, budget_s: float = BUDGET_S) -> int:
    """Count stale days until the time is up, the newest first; return how many were counted."""
    ends = time.monotonic() + budget_s
    counted = 0
    for zone in _zones(now):
        for subject in Subject:
            oldest = _oldest(subject, now)
            waiting = days.stale(subject, zone, oldest, now.date() + timedelta(days=1), now=now)
            while waiting:
                if time.monotonic() > ends:
                    return counted
                slice_of_them = waiting[-days.AT_ONCE :]
                days.count(subject, zone, slice_of_them, now=now)
                counted += len(slice_of_them)
                del waiting[-days.AT_ONCE :]
    return counted


def _zones(now: datetime) -> list[str]:
    asked = CountedZone.objects.filter(asked_at__gt=now - ASKED_WITHIN).order_by("-asked_at")
    return list(dict.fromkeys([*asked.values_list("zone", flat=True), DEFAULT_ZONE]))


def _oldest(subject: Subject, now: datetime) -> date:
    first = TouchedDay.objects.filter(subject=subject).aggregate(first=Min("day"))["first"]
    return max(first or now.date(), (now - FAR_BACK).date())
