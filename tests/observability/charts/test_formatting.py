"""How numbers are written, by unit."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.charts import formatting
from observability.charts.formatting import write
from observability.dashboards.panels import Unit

# The space between a number and its unit does not break.
_ = "\u00a0"
MINUTE, HOUR, DAY = 60, 3_600, 86_400


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (12_345, "number", "12,345"),
        (0, "number", "0"),
        (529.34, "number", "529.3"),
        (1_529.7, "number", "1,530"),
        (0.041, "number", "0.041"),
        (-5, "number", "−5"),  # noqa: RUF001
        (0.824, "share", f"82.4{_}%"),
        (0.99967, "share", f"99.97{_}%"),
        (0.99999, "share", f"> 99.99{_}%"),
        (1, "share", f"100{_}%"),
        (0, "share", f"0{_}%"),
        (0.00001, "share", f"< 0.01{_}%"),
        (0.0042, "share", f"0.42{_}%"),
        (-0.31, "share", f"−31.0{_}%"),  # noqa: RUF001
        (0.031, "points", f"+3.1{_}pp"),
        (-0.007, "points", f"−0.7{_}pp"),  # noqa: RUF001
        (0.4, "seconds", f"0.4{_}s"),
        (45, "seconds", f"45{_}s"),
        (59.7, "seconds", f"1{_}min"),
        (200, "seconds", f"3{_}min 20{_}s"),
        (12 * MINUTE, "seconds", f"12{_}min"),
        (3 * HOUR + 20 * MINUTE, "seconds", f"3{_}h 20{_}min"),
        (59.8 * MINUTE, "seconds", f"1{_}h"),
        (2.4 * DAY, "seconds", f"2.4{_}d"),
        (812, "milliseconds", f"812{_}ms"),
        (999.7, "milliseconds", f"1{_}s"),
        (1_400, "milliseconds", f"1.4{_}s"),
        (0.5, "minutes", f"30{_}s"),
        (45, "minutes", f"45{_}min"),
        (200, "minutes", f"3{_}h 20{_}min"),
        (57.5, "score", "57.5"),
        (1e300, "seconds", "1.00e+300"),
        (None, "share", "–"),  # noqa: RUF001
        (math.nan, "number", "–"),  # noqa: RUF001
        (math.inf, "seconds", "–"),  # noqa: RUF001
    ],
)
def test_a_number_is_written_in_its_unit(value: float | None, unit: Unit, words: str) -> None:
    assert write(value, unit) == words


@given(st.floats(0, 1))
def test_no_share_is_written_as_all_or_nothing_unless_it_is(share: float) -> None:
    assert (write(share, "share") == f"100{_}%") == (share == 1)
    assert (write(share, "share") == f"0{_}%") == (share == 0)


def test_shares_differ_by_points_and_everything_else_by_its_own_unit() -> None:
    assert formatting.difference(0.824, 0.793, "share") == f"+3.1{_}pp"
    assert formatting.difference(90, 150, "seconds") == f"−1{_}min"  # noqa: RUF001
    assert formatting.difference(7, 7, "number") == "0"


def test_an_interval_without_one_of_its_ends_is_none() -> None:
    assert formatting.interval(0.1, 0.25, "share") == f"10.0{_}% to 25.0{_}%"
    assert formatting.interval(None, 0.2, "share") == formatting.interval(0.2, math.nan, "share") == ""


def test_ticks_have_no_digits_that_all_of_them_share() -> None:
    assert [formatting.on_axis(tick, "share") for tick in (0.2, 0.995, -0.5)] == [
        f"20{_}%",
        f"99.5{_}%",
        f"−50{_}%",  # noqa: RUF001
    ]
