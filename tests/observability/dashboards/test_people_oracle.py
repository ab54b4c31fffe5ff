"""Activation and Engagement equal what a naive reading of the events says, for any history and question."""

from collections import Counter
from datetime import date
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from observability import capture
from observability.dashboards import activation, engagement
from observability.dashboards.features import LABELS
from observability.dashboards.panels import Bars, Chart, Cohorts, Dashboard, Funnel, Heat, Lines, Listing
from observability.dashboards.question import Question
from observability.store import Origin
from tests.observability.dashboards import oracle
from tests.observability.dashboards.edges import ZONES
from tests.observability.dashboards.histories import History, history, questions
from tests.observability.dashboards.past import Past
from tests.observability.test_rollups import roll_all

# What neither dashboard counts would only take time.
KINDS = ("sign_up", "first_times", "insight", "booked", "drafted", "webhook", "visits", "measurements")
TALES = st.tuples(st.sampled_from(KINDS), st.integers(0, 9_999))
HISTORIES = st.builds(
    history,
    st.lists(TALES, min_size=10, max_size=60, unique=True),
    st.integers(0, 99),
    st.sampled_from(ZONES),
)
# To store a history takes longer than to ask.
QUESTIONS = 4
KEPT = (
    "event backfilledday seenuuid eventhour eventminute person peoplequarter activeday samplelevel booking"
    " draftedmessage inboundmessage touchedday countedday daycell watermark syncquarter latencyquarter"
)


def store(made: History) -> None:
    with connection.cursor() as cursor:
        for table in KEPT.split():
            cursor.execute(f"delete from observability_{table}")
    for batch in made.batches:
        capture.persist(batch, Origin("python", ""))
        roll_all()


def chart(dashboard: Dashboard, key: str, kind: type[Chart]) -> Any:
    found = dashboard.chart(key)
    assert isinstance(found, kind)
    return found


def steps(dashboard: Dashboard, key: str) -> list[tuple[str, float]]:
    return [(step.label, step.people) for step in chart(dashboard, key, Funnel).steps]


def cohorts(dashboard: Dashboard, key: str) -> list[dict[str, Any]]:
    return [
        {
            "week": date.fromisoformat(one.label),
            "people": one.people,
            "values": pytest.approx(list(one.values)),
        }
        for one in chart(dashboard, key, Cohorts).cohorts
    ]


def check_activation(past: Past, question: Question, now: Any) -> None:
    found, expected = activation.build(question, now=now), oracle.activation(past, question, now)
    for section in found.sections:
        for one in section.figures:
            assert one.value == pytest.approx(expected.pop(one.key)), one.key
            if one.key in expected["cases"]:
                assert one.sample == expected["cases"].pop(one.key), one.key
    assert expected.pop("cases") == {}
    assert [people for _, people in steps(found, "activation_funnel")] == expected.pop("activation_funnel")
    labels = {"Signed up": "signed_up"} | {label: name for name, label in LABELS.items()}
    adoption = {labels[label]: people for label, people in steps(found, "feature_adoption")}
    assert adoption == expected.pop("feature_adoption")
    for key in ("booking_cohorts", "retention_cohorts"):
        assert expected.pop(key) == cohorts(found, key), key
    for key in ("drop_off_clients", "drop_off_trainers"):
        rows = [
            (step if isinstance(step, str) else step[1], n) for step, n in expected.pop(f"{key}_furthest")
        ]
        assert steps(found, key) == rows, key
        del expected[key]
    assert expected == {}


def check_engagement(past: Past, question: Question, now: Any) -> None:
    found, expected = engagement.build(question, now=now), oracle.engagement(past, question, now)
    del expected["goal_engagement_named"]
    for section in found.sections:
        for one in section.figures:
            assert one.value == pytest.approx(expected.pop(one.key)), one.key
            if one.key in expected["cases"]:
                assert one.sample == expected["cases"].pop(one.key), one.key
    assert expected.pop("cases") == {}
    active = chart(found, "active_people", Lines)
    rows = zip(active.xs, *(one.values for one in active.series), strict=True)
    by_day = {date.fromisoformat(day): (dau, wau, mau) for day, dau, wau, mau in rows}
    assert by_day == expected.pop("active_people")
    assert [people for _, people in steps(found, "inbox_funnel")] == expected.pop("inbox_funnel")
    heat, grid = chart(found, "hour_of_week", Heat), expected.pop("hour_of_week")
    assert [list(row) for row in heat.values] == (grid or [[None] * 24] * 7)
    use, names = chart(found, "feature_use", Lines), {label: name for name, label in LABELS.items()}
    for monday, of_week in expected.pop("feature_use").items():
        if monday.isoformat() in use.xs:
            i = list(use.xs).index(monday.isoformat())
            assert {names[one.label]: one.values[i] for one in use.series} == of_week
        else:
            # Weeks to come are not shown.
            assert monday.isoformat() > max(use.xs, default="")
            assert not any(of_week.values())
    scores = Counter((score - 1) // 20 for score in expected.pop("score_distribution").values())
    bars = chart(found, "score_distribution", Bars).bars
    assert [people for _, people in bars] == ([scores[i] for i in range(5)] if question.over(now=now) else [])
    for key in ("score_risers", "score_fallers"):
        listed = [tuple(row[:3]) for row in chart(found, key, Listing).content.rows]
        assert listed == expected.pop(key), key
    assert expected == {}


@pytest.mark.usefixtures("transactional_db")
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(HISTORIES, st.data())
def test_all_numbers_are_those_of_a_naive_reading(made: History, data: st.DataObject) -> None:
    store(made)
    past = Past(made.events)
    for _ in range(QUESTIONS):
        question = data.draw(questions(made))
        check_activation(past, question, made.now)
        check_engagement(past, question, made.now)
