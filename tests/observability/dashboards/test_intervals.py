"""Intervals promise what was published about them, and never more than the cases allow."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.dashboards.intervals import newcombe, sample_error, wilson


def shares(cases: st.SearchStrategy[int]) -> st.SearchStrategy[tuple[int, int]]:
    return cases.flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


SHARES = shares(st.integers(1, 100_000))


def interval(found: tuple[float, float] | None) -> tuple[float, float]:
    assert found is not None
    return found


# Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3.
@pytest.mark.parametrize(
    ("successes", "cases", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_as_published(successes: int, cases: int, low: float, high: float) -> None:
    assert wilson(successes, cases) == pytest.approx((low, high), abs=0.00005)


# Newcombe (1998), "... the difference between independent proportions", table II, method 10: p1 - p2.
@pytest.mark.parametrize(
    ("a", "m", "b", "n", "low", "high"),
    [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (6, 7, 2, 7, 0.0582, 0.8062),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (0, 10, 0, 20, -0.1611, 0.2775),
        (0, 10, 0, 10, -0.2775, 0.2775),
        (10, 10, 0, 20, 0.6791, 1.0),
        (10, 10, 0, 10, 0.6075, 1.0),
    ],
)
def test_newcombe_is_as_published(a: int, m: int, b: int, n: int, low: float, high: float) -> None:
    assert newcombe(b, n, a, m) == pytest.approx((low, high), abs=0.00005)


def test_without_cases_there_is_no_interval() -> None:
    assert wilson(0, 0) is None
    assert newcombe(0, 0, 1, 2) is None
    assert newcombe(1, 2, 0, 0) is None


@pytest.mark.parametrize(("successes", "cases"), [(3, 2), (-1, 2), (1, 0), (0, -1)])
def test_what_is_no_share_is_refused(successes: int, cases: int) -> None:
    with pytest.raises(ValueError, match=f"{successes} of {cases} is no share"):
        wilson(successes, cases)


@given(SHARES)
def test_wilson_holds_the_share_and_stays_between_0_and_1(share: tuple[int, int]) -> None:
    low, high = interval(wilson(*share))
    assert 0 <= low <= share[0] / share[1] <= high <= 1
    assert low < high


@given(SHARES)
def test_failures_are_successes_seen_from_the_other_side(share: tuple[int, int]) -> None:
    successes, cases = share
    low, high = interval(wilson(successes, cases))
    assert wilson(cases - successes, cases) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@given(SHARES)
def test_one_success_more_moves_both_bounds_up(share: tuple[int, int]) -> None:
    successes, cases = share
    if successes < cases:
        low, high = interval(wilson(successes, cases))
        higher = interval(wilson(successes + 1, cases))
        assert higher[0] > low
        assert higher[1] > high or higher[1] == high == 1


@given(SHARES, st.integers(2, 50))
def test_more_cases_of_the_same_share_narrow_the_interval(share: tuple[int, int], times: int) -> None:
    successes, cases = share
    low, high = interval(wilson(successes, cases))
    narrower = interval(wilson(successes * times, cases * times))
    assert narrower[1] - narrower[0] < high - low


@given(SHARES, SHARES)
def test_newcombe_holds_the_difference_and_turns_with_its_sign(
    one: tuple[int, int], two: tuple[int, int]
) -> None:
    low, high = interval(newcombe(*one, *two))
    difference = two[0] / two[1] - one[0] / one[1]
    assert -1 <= low <= difference <= high <= 1
    assert newcombe(*two, *one) == pytest.approx((-high, -low), abs=1e-12)


@given(SHARES, SHARES)
def test_newcombe_rises_with_the_second_share(one: tuple[int, int], two: tuple[int, int]) -> None:
    successes, cases = two
    if successes < cases:
        low, high = interval(newcombe(*one, successes, cases))
        higher = interval(newcombe(*one, successes + 1, cases))
        assert higher[0] > low - 1e-12
        assert higher[1] > high - 1e-12


def test_19_of_20_samples_are_within_the_error() -> None:
    people, one_in, rng = 2_000, 16, Random(7)
    within = 0
    for _ in range(400):
        estimate = one_in * sum(rng.random() < 1 / one_in for _ in range(people))
        within += abs(estimate - people) <= sample_error(estimate, one_in)
    assert 0.92 < within / 400 < 0.98


@given(st.floats(0, 1e9), st.integers(1, 4096))
def test_the_error_of_a_sample_grows_with_people_and_with_thinness(estimate: float, one_in: int) -> None:
    error = sample_error(estimate, one_in)
    assert error >= 0
    assert sample_error(estimate * 4, one_in) == pytest.approx(2 * error)
    assert sample_error(estimate, one_in + 1) >= error
    assert sample_error(estimate, 1) == 0


def test_the_error_of_a_sample_by_hand() -> None:
    assert sample_error(1_600, 17) == pytest.approx(313.6, abs=0.01)
    with pytest.raises(ValueError, match="One in 1"):
        sample_error(5, 0)
    with pytest.raises(ValueError, match="below 0"):
        sample_error(-5, 2)
