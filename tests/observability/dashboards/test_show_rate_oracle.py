"""Of whatever history, however it comes in: the show-rate's page says what the oracle says."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from observability.dashboards import show_rate
from observability.dashboards.panels import BeforeAfter, Dashboard, Lines
from observability.dashboards.question import Question
from tests.observability.dashboards import oracle
from tests.observability.dashboards.histories import History, histories, questions
from tests.observability.dashboards.rolled import rolled
from tests.observability.dashboards.walked import behind

# Not explain: it tries a failing history some hundred times.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
Example = tuple[History, list[Question]]


def examples() -> st.SearchStrategy[Example]:
    """Return a strategy for a history and some questions to it, since to store it takes longest."""
    told = histories(most=40, kinds=("booked", "missed", "weekly_training"))
    return told.flatmap(lambda one: st.tuples(st.just(one), st.lists(questions(one), min_size=4, max_size=8)))


@settings(max_examples=15, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(examples())
def test_every_number_is_the_oracles(transactional_db: None, example: Example) -> None:
    history, asked = example
    rolled(history)
    past = oracle.Past(history.events)
    for question in asked:
        dashboard = show_rate.build(question, now=history.now)
        expected = oracle.show_rate(past, question, history.now)
        assert figures(dashboard) == pytest.approx({key: expected[key] for key in figures(dashboard)})
        for key, cases in expected["cases"].items():
            assert dashboard.figure(key).sample == cases, key
        the_trend_is(dashboard, expected["show_rate_trend"])
        the_change_is(dashboard, expected["show_rate_change"])
        the_listings_are(dashboard, expected)
        the_target_is(dashboard, expected)
        the_rows_are(dashboard, expected, history)


def figures(dashboard: Dashboard) -> dict[str, float | None]:
    return {one.key: one.value for one in dashboard.sections[0].figures}


def the_trend_is(dashboard: Dashboard, expected: list[dict[str, Any]]) -> None:
    trend = dashboard.chart("show_rate_trend")
    assert isinstance(trend, Lines)
    [series] = trend.series
    assert trend.xs == [week["week"].isoformat() for week in expected]
    for name, values in (("rate", series.values), ("low", series.low), ("high", series.high)):
        assert list(values) == pytest.approx([week[name] for week in expected]), name


def the_change_is(dashboard: Dashboard, expected: dict[str, dict[str, Any]]) -> None:
    change = dashboard.chart("show_rate_change")
    assert isinstance(change, BeforeAfter)
    assert change.pairs[0].label == "All"
    assert {pair.label for pair in change.pairs} == {"All", *expected} - {""}
    for pair in change.pairs:
        told = expected["" if pair.label == "All" else pair.label]
        assert (pair.before, pair.after) == pytest.approx((told["before"], told["after"]))
        assert (pair.cases_before, pair.cases_after) == (told["cases_before"], told["cases_after"])
        bounds = (None, None) if pair.is_small else (told["low"], told["high"])
        assert (pair.low, pair.high) == pytest.approx(bounds)


def the_listings_are(dashboard: Dashboard, expected: dict[str, Any]) -> None:
    segments = dashboard.chart("show_rate_segments").table().rows
    assert {row[0]: {"due": row[1], "shown": row[2], "rate": row[3]} for row in segments} == expected[
        "show_rate_segments"
    ]
    trainers = dashboard.chart("show_rate_trainers").table().rows
    names = ("trainer", "due", "shown", "rate", "baseline")
    assert [[row[i] for i in (0, 1, 2, 3, 6)] for row in trainers] == [
        [one[name] for name in names] for one in expected["show_rate_trainers"]
    ]


def the_target_is(dashboard: Dashboard, expected: dict[str, Any]) -> None:
    target = dashboard.figure("show_rate").target
    if expected["cases"]["show_rate_baseline"] < 30:
        assert target is None
        return
    assert target is not None
    assert (target.low, target.high) == pytest.approx(
        [min(1, bound) for bound in expected["show_rate_target"]]
    )


def the_rows_are(dashboard: Dashboard, expected: dict[str, Any], history: History) -> None:
    """Follow the links. Shares of canceled and recovered ones lead to these, a show-rate to all due ones."""
    cases = expected["cases"]
    told = {
        "show_rate": expected["due"],
        "show_rate_baseline": cases["show_rate_baseline"],
        "due": expected["due"],
        "no_shows": expected["no_shows"],
        "canceled": cases["canceled"] * (expected["canceled"] or 0),
        "recovery": cases["recovery"] * (expected["recovery"] or 0),
    }
    for key, count in told.items():
        if url := dashboard.figure(key).url:
            assert behind(url, now=history.now) == pytest.approx(count), key
