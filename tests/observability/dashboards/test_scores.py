"""The engagement score: points for days and features, worked out for all people at once."""

import random
from datetime import date, timedelta

import pytest
from pyroaring import BitMap

from observability.dashboards import scores
from observability.dashboards.activity import Activity
from observability.dashboards.bit_slices import number_of
from observability.dashboards.estimates import Estimates
from observability.dashboards.features import FEATURES
from observability.dashboards.panels import Listing
from tests.observability.dashboards.people import person

LAST = date(2026, 3, 31)
EVENTS = [event for events in FEATURES.values() for event in events]


def days_before(days: int) -> date:
    return LAST - timedelta(days=days)


def made_up(people: range, *, seed: int) -> Activity:
    dice = random.Random(seed)
    active, events = {}, {}
    for day in map(days_before, range(60)):
        active[day] = BitMap(one for one in people if dice.random() < (one % 11) / 10)
        events[day] = {
            event: BitMap(one for one in active[day] if dice.random() < (one % 7) / 40) for event in EVENTS
        }
    return Activity(active, events, None)


def naive(activity: Activity, one: int, last: date) -> int:
    days = [last - timedelta(days=i) for i in range(28)]
    active = sum(one in activity.people[day] for day in days)
    used = {
        feature
        for feature, events in FEATURES.items()
        for day in days
        if any(one in activity.events[day][event] for event in events)
    }
    return 3 * min(20, active) + 5 * len(used)


@pytest.mark.parametrize("seed", range(3))
def test_all_scores_at_once_are_those_of_one_after_another(seed: int) -> None:
    people = range(1, 400)
    activity = made_up(people, seed=seed)
    for last in (LAST, days_before(28)):
        slices = scores.scores(activity, last)
        found = {one: number_of(slices, one) for one in people}
        assert found == {one: naive(activity, one, last) for one in people}
    assert max(found.values()) == 100 or max(found.values()) > 80
    assert min(found.values()) == 0


def test_the_most_is_a_hundred() -> None:
    one = BitMap([1])
    days = [days_before(i) for i in range(28)]
    activity = Activity(dict.fromkeys(days, one), {LAST: dict.fromkeys(EVENTS, one)}, None)
    assert number_of(scores.scores(activity, LAST), 1) == 100


def test_days_count_from_the_28th_before_the_end() -> None:
    one = BitMap([1])
    activity = Activity({days_before(28): one, days_before(27): one, LAST: one}, {}, None)
    assert number_of(scores.scores(activity, LAST), 1) == 6


def test_the_distribution_has_everybody_who_has_a_score_once() -> None:
    activity = made_up(range(1, 400), seed=1)
    slices = scores.scores(activity, LAST)
    found = [number_of(slices, one) for one in range(1, 400)]
    chart = scores._distribution(slices, Estimates(0), "")
    assert list(chart.bars) == [
        ("1-20", sum(1 <= score <= 20 for score in found)),
        ("21-40", sum(21 <= score <= 40 for score in found)),
        ("41-60", sum(41 <= score <= 60 for score in found)),
        ("61-80", sum(61 <= score <= 80 for score in found)),
        ("81-100", sum(81 <= score <= 100 for score in found)),
    ]


def listed(activity: Activity, key: str) -> list[list[object]]:
    [chart] = [one for one in scores.charts(activity, LAST, Estimates(0)) if one.key == key]
    assert isinstance(chart, Listing)
    for row, url in zip(chart.content.rows, chart.content.urls, strict=True):
        assert url.endswith(f"distinct_id=client%3A{str(row[0])[7:]}&range=2y")
    return [list(row) for row in chart.content.rows]


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(3))
def test_risers_and_fallers_are_those_whom_a_sort_would_find(seed: int) -> None:
    made = [person(f"client:{(i * 7919) % 1000}") for i in range(300)]
    numbers = range(made[0].number, made[-1].number + 1)
    activity = made_up(numbers, seed=seed)
    names = {one.number: one.distinct_id for one in made}
    rows = [
        [names[one], before, now, now - before]
        for one in numbers
        if (before := naive(activity, one, days_before(28))) != (now := naive(activity, one, LAST))
    ]
    risers = sorted((row for row in rows if row[3] > 0), key=lambda row: (-row[3], row[0]))
    fallers = sorted((row for row in rows if row[3] < 0), key=lambda row: (row[3], row[0]))
    assert listed(activity, "score_risers") == risers[:10]
    assert listed(activity, "score_fallers") == fallers[:10]
    assert len(risers) > 10
    assert len(fallers) > 10


@pytest.mark.django_db
def test_of_a_tie_the_first_distinct_ids_are_listed() -> None:
    made = [person(f"client:{name}") for name in ("b", "a", "Z", "é", *(f"m{i:02}" for i in range(20)))]
    everybody = BitMap(one.number for one in made)
    activity = Activity({LAST: everybody}, {}, None)
    names = ["Z", "a", "b", *(f"m{i:02}" for i in range(7))]
    assert listed(activity, "score_risers") == [[f"client:{name}", 0, 3, 3] for name in names]
    assert listed(activity, "score_fallers") == []


@pytest.mark.django_db
def test_only_people_whom_the_filters_keep_are_listed() -> None:
    ann, bob = person("client:ann"), person("client:bob")
    both = BitMap([ann.number, bob.number])
    events = {LAST: {"file_uploaded": both}}
    activity = Activity({LAST: both}, events, BitMap([bob.number]))
    assert listed(activity, "score_risers") == [["client:bob", 0, 8, 8]]
