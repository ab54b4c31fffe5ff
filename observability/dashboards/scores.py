"""The engagement score: how regularly and how widely somebody has used TrainU in 28 days.

The rule: a score is 3 points for each active day, for 20 days at most, and 5 for each feature used, so 100 at
most. All people's scores are worked out at once (`bit_slices`); only those that are shown are looked up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from django.db import connection
from django.urls import reverse
from pyroaring import BitMap

from observability.dashboards import features
from observability.dashboards.activity import Activity
from observability.dashboards.bit_slices import (
    Slices,
    at_least,
    constant,
    counted,
    everybody,
    greatest,
    number_of,
    plus,
    times,
)
from observability.dashboards.estimates import Estimates
from observability.dashboards.panels import Bars, Cell, Chart, Listing, Table

SCORE_DAYS = 28
POINTS_A_DAY, MOST_DAYS = 3, 20
POINTS_A_FEATURE = 5
# A bucket begins with the score behind the last one's end.
BUCKET_ENDS = (20, 40, 60, 80, 100)
# So many people are shown who have risen, and so many who have fallen.
LISTED = 10
# Above every score, and all ones in binary: a score subtracted from it is the score's bits turned around.
_TURN = 2**7 - 1

# Ties are settled by distinct id, and a tie may be of thousands: the database picks the few that are shown.
_NAMES = """
select number, distinct_id from observability_person where number = any(%(sure)s)
union all
(select number, distinct_id from observability_person where number = any(%(rising)s)
 order by distinct_id collate "C" limit %(listed)s)
union all
(select number, distinct_id from observability_person where number = any(%(falling)s)
 order by distinct_id collate "C" limit %(listed)s)
"""


@dataclass(frozen=True, slots=True)
class Change:
    distinct_id: str
    before: int
    now: int

    @property
    def points(self) -> int:
        return self.now - self.before


def scores(activity: Activity, last: date) -> list[BitMap]:
    """Return everybody's score for the 28 days up to a day, in slices."""
    days = [last - timedelta(days=i) for i in range(SCORE_DAYS)]
    active = counted(activity.on(day) for day in days)
    many = at_least(active, MOST_DAYS)
    capped = plus([people - many for people in active], constant(MOST_DAYS, many))
    used = features.users(activity.events_of(days))
    points = plus(times(capped, POINTS_A_DAY), times(counted(used.values()), POINTS_A_FEATURE))
    return [activity.kept(people) for people in points]


def charts(activity: Activity, last: date | None, estimates: Estimates) -> list[Chart]:
    """Return the distribution of scores, and who has risen and fallen most. last: the last day that is over;
    None where none is."""
    now: Slices = [] if last is None else scores(activity, last)
    before: Slices = [] if last is None else scores(activity, last - timedelta(days=SCORE_DAYS))
    risers, fallers = _most_changed(now, before)
    note = "No day of this period is over." if last is None else estimates.note
    return [
        _distribution(now, estimates, note),
        _listing("score_risers", "Engagement risen most", risers, note),
        _listing("score_fallers", "Engagement fallen most", fallers, note),
    ]


def _distribution(slices: Slices, estimates: Estimates, note: str) -> Bars:
    begins = [1, *(end + 1 for end in BUCKET_ENDS)]
    above = [at_least(slices, begin) for begin in begins]
    bars = [
        (f"{begin}-{end}", estimates.count(above[i] - above[i + 1]))
        for i, (begin, end) in enumerate(zip(begins, BUCKET_ENDS, strict=False))
    ]
    return Bars(
        key="score_distribution",
        title="People by engagement score",
        bars=bars if slices else [],
        first_column="Score",
        note=note,
    )


def _most_changed(now: Slices, before: Slices) -> tuple[list[Change], list[Change]]:
    """Return who has risen most and who has fallen most, both with the greatest change first."""
    sure_rising, rising = _greatest_rises(now, before)
    sure_falling, falling = _greatest_rises(before, now)
    if not (sure_rising | rising | sure_falling | falling):
        return [], []
    sets = {"sure": sure_rising | sure_falling, "rising": rising, "falling": falling}
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, {"listed": LISTED} | {name: list(people) for name, people in sets.items()})
        changes = [
            Change(distinct_id, number_of(before, number), number_of(now, number))
            for number, distinct_id in cursor.fetchall()
        ]
    risers = sorted(
        (one for one in changes if one.points > 0), key=lambda one: (-one.points, one.distinct_id)
    )
    fallers = sorted(
        (one for one in changes if one.points < 0), key=lambda one: (one.points, one.distinct_id)
    )
    return risers[:LISTED], fallers[:LISTED]


def _greatest_rises(later: Slices, earlier: Slices) -> tuple[BitMap, BitMap]:
    """Return who is surely among the LISTED that have risen most, and those tied for the places left."""
    people = everybody([*later, *earlier])
    turned = [people - earlier[i] if i < len(earlier) else people for i in range(_TURN.bit_length())]
    rises = plus(later, turned)
    sure, left = BitMap(), at_least(rises, _TURN + 1)
    while left and len(sure) < LISTED:
        tied = greatest(rises, left)
        if len(sure) + len(tied) > LISTED:
            return sure, tied
        sure, left = sure | tied, left - tied
    return sure, BitMap()


def _listing(key: str, title: str, changes: Sequence[Change], note: str) -> Listing:
    rows: list[list[Cell]] = [[one.distinct_id, one.before, one.now, one.points] for one in changes]
    # Of all their events: those of 28 days earlier lie behind any shorter range.
    urls = [
        reverse("admin:events") + "?" + urlencode({"distinct_id": one.distinct_id, "range": "2y"})
        for one in changes
    ]
    return Listing(
        key=key,
        title=title,
        content=Table(["Person", "Score before", "Score now", "Change"], rows, urls),
        units=["", "score", "score", "score"],
        note=note or ("" if rows else "Nobody's score has changed this way."),
    )
