"""Sync health equals the oracle, for histories and questions that nobody has thought of.

What the oracle leaves to the page: percentiles are held against the oracle's sorted values by rank, since
"95 of 100 jobs need no longer" is said of a job that there was; latency is of all locations and operations;
an hour that comes twice is two points.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from math import ceil
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from observability import capture
from observability.dashboards import sync_health
from observability.dashboards.panels import Dashboard, Lines
from observability.dashboards.question import Question
from observability.store import Origin
from tests.examples import examples
from tests.observability.dashboards import histories, oracle
from tests.observability.dashboards.edges import ZONES
from tests.observability.dashboards.histories import History
from tests.observability.test_rollups import roll_all

_EMPTIED = (
    *("event", "seenuuid", "eventminute", "eventhour", "person", "peoplequarter", "activeday", "booking"),
    *("draftedmessage", "inboundmessage", "syncquarter", "latencyquarter", "touchedday", "countedday"),
    "daycell",
)
KINDS = ("job", "job", "job", "job", "webhook", "visits")


def _many(first: int, delivery: int, home: str) -> History:
    """A hundred stories: in most periods something happens, at most of their edges too."""
    tales = [("webhook" if number % 4 == 0 else "job", number) for number in range(first, first + 100)]
    return histories.history(tales, delivery, home)


FULL = st.builds(_many, st.integers(0, 9_000), st.integers(0, 99), st.sampled_from(ZONES))
# Two questions each, since to store and roll up what happened takes longest.
ASKED = (FULL | FULL | histories.histories(most=20, kinds=KINDS)).flatmap(
    lambda told: st.tuples(st.just(told), st.tuples(histories.questions(told), histories.questions(told)))
)
Oracle = Callable[[Question], dict[str, Any]]
OTHER_CAUSES = " other causes"


@pytest.mark.usefixtures("transactional_db")
@settings(
    max_examples=examples(14), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ASKED)
def test_every_number_equals_the_oracles(pair: tuple[History, tuple[Question, Question]]) -> None:
    told, asked = pair
    with connection.cursor() as cursor:
        for table in _EMPTIED:
            cursor.execute(f"delete from observability_{table}")
    for batch in told.batches:
        capture.persist(batch, Origin("python", ""))
        roll_all(settled=False)
    roll_all()
    events = told.events
    # The oracle is slow, and says the same when it is asked again.
    says: Oracle = cache(lambda one: oracle.sync_health(events, one, told.now))
    # The second time, days are there already.
    for question in (*asked, *asked):
        dashboard = sync_health.build(question, now=told.now)
        figures(dashboard, says, question)
        charts(dashboard, says(question))
        latencies(dashboard, says, question)


def figures(dashboard: Dashboard, says: Oracle, question: Question) -> None:
    """The period's and the one's before."""
    now, before = says(question), says(question.before())
    for key in ("sync_success", "error_budget", "retry_rate", "webhooks_received"):
        figure = dashboard.figure(key)
        assert (figure.value, figure.before) == (nearly(now[key]), nearly(before[key])), key
        assert figure.sample == now["cases"].get(key)


def charts(dashboard: Dashboard, expected: dict[str, Any]) -> None:
    xs, outcomes = lines(dashboard, "sync_outcomes")
    points = list(zip(xs, *outcomes.values(), strict=True))
    by_when: dict[str, tuple[int, ...]] = {}
    for x, *ends in points:
        when = x[: len("2026-11-28 00")]
        by_when[when] = tuple(a + b for a, b in zip(by_when.get(when, (0, 0, 0)), ends, strict=True))
    assert filled(by_when, (0, 0, 0)) == filled(whens(expected["sync_outcomes"]), (0, 0, 0))
    # Whatever has not begun is no point, and nothing is before it begins.
    assert set(by_when) <= set(whens(expected["sync_outcomes"]))

    again, success = lines(dashboard, "sync_success_trend")
    assert again == xs
    for value, (_, ok, _, dropped) in zip(success["Success rate"], points, strict=True):
        assert value == (ok / (ok + dropped) if ok + dropped else None)
    if len(xs) == len(by_when):
        rates = whens(expected["sync_success_trend"])
        assert dict(zip(by_when, success["Success rate"], strict=True)) == {
            when: nearly(rates[when]) for when in by_when
        }

    again, causes = lines(dashboard, "sync_errors")
    assert again == xs
    errors = {
        when: {code.replace("_", " "): failed for code, failed in codes.items()}
        for when, codes in whens(expected["sync_errors"]).items()
    }
    assert all(not label.endswith(OTHER_CAUSES) for label in causes)
    for label, values in causes.items():
        found: Counter[str] = Counter()
        for x, value in zip(xs, values, strict=True):
            found[x[: len("2026-11-28 00")]] += int(value or 0)
        assert +found == +Counter({when: codes.get(label, 0) for when, codes in errors.items()}), label
    assert set(causes) == {code for codes in errors.values() for code in codes}


def latencies(dashboard: Dashboard, says: Oracle, question: Question) -> None:
    plain = replace(question, location="", operation="")
    now, before = says(plain), says(plain.before())
    for key, metric, percent in (
        *((f"settled_p{percent}", "settled_s", percent) for percent in (50, 95, 99)),
        *((f"ghl_p{percent}", "ghl_ms", percent) for percent in (50, 95, 99)),
        ("webhook_stored_p95", "webhook_ms", 95),
    ):
        figure = dashboard.figure(key)
        assert figure.value == within(now[metric], percent), key
        assert figure.before == within(before[metric], percent), key
        assert figure.sample == len(now[metric])
    xs, took = lines(dashboard, "sync_latency")
    for i, x in enumerate(xs):
        if len(x) > len("2026-11-28"):
            continue
        day = date.fromisoformat(x)
        alone = says(replace(plain, first=day, last=day))
        for percent in (50, 95, 99):
            assert took[f"p{percent}"][i] == within(alone["settled_s"], percent)


def nearly(value: float | None) -> Any:
    return None if value is None else pytest.approx(value)


def within(ordered: Sequence[float], percent: int) -> Any:
    """Two and a half percent around the value at its rank."""
    if not ordered:
        return None
    return pytest.approx(ordered[ceil(percent * len(ordered) / 100) - 1], rel=0.025, abs=1e-3)


def lines(dashboard: Dashboard, key: str) -> tuple[list[str], dict[str, Sequence[float | None]]]:
    chart = dashboard.chart(key)
    assert isinstance(chart, Lines)
    return list(chart.xs), {one.label: one.values for one in chart.series}


def whens(by_when: Mapping[Any, Any]) -> dict[str, Any]:
    """The oracle's days, or days and hours, as labels."""
    return {
        when.isoformat() if isinstance(when, date) else f"{when[0]} {when[1]:02}": value
        for when, value in by_when.items()
    }


def filled(by_when: Mapping[str, Any], nothing: Any) -> dict[str, Any]:
    return {when: value for when, value in by_when.items() if tuple(value) != nothing}
