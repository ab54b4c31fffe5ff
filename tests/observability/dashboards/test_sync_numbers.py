"""What sync health's numbers are made of: percentiles of histograms, hours of zones, the error budget."""

import math
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.dashboards import budget, latency, points
from observability.dashboards.panels import Figure
from observability.dashboards.question import Question
from observability.timings import bucket_of

LONG_AFTER = datetime(2030, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECONDS = st.lists(st.floats(0.000_002, 31_536_000), min_size=1, max_size=200)


@given(SECONDS, st.integers(1, 100))
def test_a_percentile_is_within_two_and_a_half_percent_of_the_observation_at_its_rank(
    seconds: list[float], percent: int
) -> None:
    found = latency.percentile(Counter(map(bucket_of, seconds)), Fraction(percent, 100))
    exact = sorted(seconds)[math.ceil(percent * len(seconds) / 100) - 1]
    assert found == pytest.approx(exact, rel=0.025)


def test_what_took_no_time_took_none_and_nothing_is_not_known() -> None:
    assert latency.percentile({0: 3, bucket_of(60): 1}, latency.P50) == 0.0
    assert latency.percentile({}, latency.P50) is None


def test_a_hundred_observations_have_their_p95_at_the_ninety_fifth() -> None:
    fast, slow = bucket_of(1), bucket_of(100)
    assert latency.percentile({fast: 95, slow: 5}, latency.P95) == pytest.approx(1, rel=0.025)
    assert latency.percentile({fast: 94, slow: 6}, latency.P95) == pytest.approx(100, rel=0.025)


def of(first: date, last: date, zone: str, now: datetime = LONG_AFTER) -> points.Points:
    return points.of(Question(first, last, zone), now=now)


@pytest.mark.parametrize(
    ("day", "zone", "hours", "labels"),
    [
        (date(2026, 3, 29), "Europe/Berlin", 23, ["01:00", "03:00"]),
        (date(2026, 10, 25), "Europe/Berlin", 25, ["02:00 (+0200)", "02:00 (+0100)"]),
        # Clocks go back by half an hour only; and where they go forward at midnight, the day begins at one.
        (date(2026, 4, 5), "Australia/Lord_Howe", 25, ["01:00 (+1100)", "01:00 (+1030)"]),
        (date(2026, 9, 6), "America/Santiago", 23, ["01:00", "02:00"]),
        (date(2026, 11, 23), "Asia/Kathmandu", 24, ["00:00", "01:00"]),
    ],
)
def test_hours_are_those_of_the_zone(day: date, zone: str, hours: int, labels: list[str]) -> None:
    found = of(day, day, zone)
    assert found.are_hours
    assert len(found.labels) == len(found.starts) == hours
    assert len(set(found.labels)) == hours
    names = [label.removeprefix(f"{day} ") for label in found.labels]
    assert names[names.index(labels[0]) :][:2] == labels
    assert (found.starts[0], found.ends_at) == (
        Question(day, day, zone).starts_at,
        Question(day, day, zone).ends_at,
    )
    lengths = {after - start for start, after in zip(found.starts, found.starts[1:], strict=False)}
    assert lengths == ({HOUR, HOUR / 2} if zone == "Australia/Lord_Howe" else {HOUR})


def test_what_has_not_begun_is_no_point() -> None:
    now = datetime(2026, 11, 23, 12, 7, tzinfo=UTC)
    day = date(2026, 11, 23)
    hours = of(day, day, "UTC", now)
    assert hours.labels[-1] == "2026-11-23 12:00"
    assert hours.ends_at == datetime(2026, 11, 23, 13, tzinfo=UTC)
    week = of(date(2026, 11, 20), date(2026, 11, 26), "Asia/Tokyo", now)
    assert week.labels == ["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"]
    assert week.ends_at == datetime(2026, 11, 23, 15, tzinfo=UTC)
    assert week.position[day] == 3
    for last in (date(2026, 12, 1), date(2026, 12, 20)):
        later = of(date(2026, 12, 1), last, "UTC", now)
        assert (later.labels, later.starts) == ([], [])
        assert later.ends_at == datetime(2026, 12, 1, tzinfo=UTC)


def test_three_days_are_shown_by_the_day() -> None:
    assert of(date(2026, 11, 20), date(2026, 11, 21), "UTC").are_hours
    assert not of(date(2026, 11, 20), date(2026, 11, 22), "UTC").are_hours


def test_the_error_budget_is_spent_by_failures() -> None:
    assert budget.left(0, 1_000) == 1
    assert budget.left(5, 1_000) == 0
    assert budget.left(1, 400) == 0.5
    assert budget.left(10, 1_000) == -1
    assert budget.left(0, 0) is None
    kept = Figure("error_budget", "", budget.left(5, 1_000), "share", 1_000, target=budget.LEFT)
    spent = Figure("error_budget", "", budget.left(6, 1_000), "share", 1_000, target=budget.LEFT)
    assert (kept.verdict, spent.verdict) == ("met", "missed")
