"""Sets of people are exact up to a size; beyond it they are samples that unite and intersect as sets do."""

import math
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap
from uuid_utils.compat import uuid7

from observability import capture, rollups
from observability.capture import Occurrence
from observability.catalog.onboarding import UserLoggedIn
from observability.dashboards import active_days
from observability.models import PeopleQuarter, Person, SampleLevel
from observability.people_sets import is_sampled, pack, thinned, united, unpack
from observability.store import Origin
from tests.journeys.database import settle

numbers = st.sets(st.integers(min_value=1, max_value=200_000), max_size=300)
levels = st.integers(min_value=0, max_value=6)


@given(numbers, numbers, levels)
def test_samples_unite_and_intersect_as_the_sets_they_are_of(
    one: set[int], two: set[int], level: int
) -> None:
    a, b = BitMap(one), BitMap(two)
    assert thinned(a, level) | thinned(b, level) == thinned(a | b, level)
    assert thinned(a, level) & thinned(b, level) == thinned(a & b, level)
    assert thinned(thinned(a, level), level) == thinned(a, level)
    assert united([a, b]) == a | b
    assert unpack(pack(a)) == a


@given(numbers, levels)
def test_a_higher_level_holds_a_part_of_the_lower_one(people: set[int], level: int) -> None:
    assert thinned(BitMap(people), level + 1) <= thinned(BitMap(people), level)
    assert thinned(BitMap(people), 0) == BitMap(people)


# In a row, every other one, every eighth: as numbers come where apps register people in a pattern.
@pytest.mark.parametrize("step", [1, 2, 3, 8])
@pytest.mark.parametrize("level", [1, 2, 3, 5])
def test_a_sample_tells_the_size_within_four_errors_of_it(step: int, level: int) -> None:
    people = range(1, 100_000, step)
    estimate = sum(is_sampled(number, level) for number in people) << level
    error = math.sqrt(len(people) * (2**level - 1))
    assert abs(estimate - len(people)) < 4 * error


def log_in(people: range, *, exact_up_to: int) -> None:
    at = timezone.now() - timedelta(hours=26)
    event = UserLoggedIn(user_id="c", role="client")
    capture.persist([Occurrence(event, f"client:c-{n}", at, uuid7()) for n in people], Origin("python", ""))
    settle()
    while (rolled := rollups.roll(now=timezone.now(), exact_up_to=exact_up_to)).events or rolled.behind:
        pass


def active() -> int:
    today = timezone.now().date()
    found = active_days.people("UTC", today - timedelta(days=3), today, now=timezone.now())
    return len(united(found.values()))


@pytest.mark.usefixtures("transactional_db")
def test_beyond_the_size_sets_hold_a_sample_and_days_that_were_counted_are_counted_anew() -> None:
    with connection.cursor() as cursor:
        # Numbers go on from one test to the next.
        cursor.execute("truncate observability_person restart identity")
    log_in(range(900), exact_up_to=1_000)
    assert active_days.sample_level() == 0
    assert active() == 900
    log_in(range(900, 2_000), exact_up_to=1_000)
    # One level a step, so the next one brings it there.
    log_in(range(2_000, 2_001), exact_up_to=1_000)
    assert SampleLevel.objects.get().level == 2
    held = united(unpack(row) for row in PeopleQuarter.objects.values_list("people", flat=True))
    assert Person.objects.count() == 2_001
    assert all(is_sampled(number, 2) for number in thinned(held, 2))
    # The sample of all, not only of those who came after.
    everybody = BitMap(Person.objects.values_list("number", flat=True))
    assert active() == len(thinned(everybody, 2))
    assert abs((active() << 2) - 2_001) < 4 * math.sqrt(2_001 * 3)
