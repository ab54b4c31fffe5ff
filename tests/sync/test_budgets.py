"""Budgets: never more than the limits in any ten seconds or any day, and nothing is held back for long."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync import budgets
from sync.models import Location

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def location(name: str = "loc-1", *, burst: int = 95, daily: int = 190_000) -> str:
    Location.objects.filter(pk=name).delete()
    Location.objects.create(pk=name, name=name, created_at=NOW, burst_limit=burst, daily_limit=daily)
    return name


def take(name: str, count: int, at: datetime = NOW) -> budgets.Grant:
    return budgets.take({name: count}, now=at)[name]


def test_a_fifth_goes_at_once_and_the_rest_flows() -> None:
    name = location()
    first = take(name, 1000)
    assert first.requests == 19
    assert take(name, 1000).requests == 0
    assert take(name, 1000, first.again_at).requests == 1
    assert take(name, 1000, NOW + timedelta(seconds=60)).requests == 19


def test_whoever_is_told_when_to_ask_again_gets_something_then_and_not_before() -> None:
    name = location(burst=10)
    told = take(name, 50).again_at
    assert take(name, 1, told - timedelta(milliseconds=20)).requests == 0
    assert take(name, 1, told).requests == 1


def test_the_days_limit_holds_until_midnight_utc() -> None:
    name = location(daily=5)
    spent = take(name, 10)
    assert (spent.requests, spent.again_at) == (5, datetime(2026, 11, 24, tzinfo=UTC))
    assert take(name, 1, NOW + timedelta(hours=6)).requests == 0
    assert take(name, 10, spent.again_at).requests == 5


def test_a_rest_that_was_asked_for_is_kept_and_never_shortened() -> None:
    name = location()
    budgets.hold(name, NOW + timedelta(seconds=30))
    budgets.hold(name, NOW + timedelta(seconds=10))
    held = take(name, 1)
    assert (held.requests, held.again_at) == (0, NOW + timedelta(seconds=30))
    assert take(name, 1, held.again_at).requests == 1


def test_locations_do_not_live_on_each_others_budget() -> None:
    one, two = location("loc-1"), location("loc-2")
    assert take(one, 1000).requests == 19
    assert budgets.take({one: 5, two: 5, "loc-9": 5}, now=NOW)[two].requests == 5
    assert set(budgets.take({one: 5, "loc-9": 5}, now=NOW)) == {one}


def test_a_clock_that_goes_back_gives_nothing_twice() -> None:
    name = location()
    take(name, 1000, NOW + timedelta(seconds=5))
    assert take(name, 1000, NOW).requests == 0
    assert take(name, 1000, NOW + timedelta(seconds=5)).requests == 0


@QUICK
@given(
    st.integers(1, 200),
    st.lists(st.tuples(st.integers(0, 4_000), st.integers(1, 60)), min_size=1, max_size=30),
)
def test_no_ten_seconds_hold_more_than_the_burst(burst: int, asked: list[tuple[int, int]]) -> None:
    name = location(burst=burst)
    sent: list[tuple[datetime, int]] = []
    now = NOW
    for pause_ms, count in asked:
        now += timedelta(milliseconds=pause_ms)
        sent.append((now, take(name, count, now).requests))
    for start, _ in sent:
        window = [n for at, n in sent if start <= at < start + timedelta(seconds=10)]
        # One token is the least that can flow.
        assert sum(window) <= max(burst, 2)
