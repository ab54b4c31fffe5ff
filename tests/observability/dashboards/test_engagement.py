"""Engagement: who is active how often and when, what is used, and what comes of the agent's messages."""

from datetime import date, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from observability.dashboards import engagement
from observability.dashboards.definitions import WORDS
from observability.dashboards.panels import Dashboard, Figure, Funnel, Heat, Lines
from observability.dashboards.question import Question
from observability.models import SampleLevel
from observability.people_sets import is_sampled
from tests.observability.dashboards.people import at, did, draft, person, wrote

pytestmark = pytest.mark.django_db

# Two whole weeks, Monday to Sunday, of which Saturday is going on.
QUESTION = Question(date(2026, 3, 2), date(2026, 3, 15))
NOW = at("2026-03-14 12:00")


def build(question: Question = QUESTION, *, now: datetime = NOW) -> Dashboard:
    return engagement.build(question, now=now)


def figure(key: str, question: Question = QUESTION, *, now: datetime = NOW) -> Figure:
    return build(question, now=now).figure(key)


def lines(
    key: str, question: Question = QUESTION, *, now: datetime = NOW
) -> dict[str, dict[str, float | None]]:
    chart = build(question, now=now).chart(key)
    assert isinstance(chart, Lines)
    return {one.label: dict(zip(chart.xs, one.values, strict=True)) for one in chart.series}


def heat(question: Question = QUESTION, *, now: datetime = NOW) -> Heat:
    chart = build(question, now=now).chart("hour_of_week")
    assert isinstance(chart, Heat)
    return chart


def test_it_has_every_number_that_words_are_said_about() -> None:
    dashboard = build()
    keys = [one.key for section in dashboard.sections for one in (*section.figures, *section.charts)]
    words = list(WORDS)
    assert sorted(keys) == sorted(words[words.index("dau") : words.index("show_rate")])
    for section in dashboard.sections:
        for chart in section.charts:
            chart.table()


def test_daily_actives_are_averaged_over_days_that_are_over() -> None:
    ann, bob = person("client:ann"), person("trainer:bob")
    did(ann, "user_logged_in", "2026-03-02 00:00", "2026-03-02 10:00", "2026-03-13 23:59", "2026-03-14 10:00")
    did(bob, "trainer_approved", "2026-03-02 10:00")
    did(ann, "file_uploaded", "2026-03-02 12:00", "2026-03-01 23:59", "2026-02-16 00:00", "2026-02-15 23:59")
    # Three of twelve days, and two of the fourteen before.
    assert figure("dau").value == 3 / 12
    assert figure("dau").before == 2 / 14


def test_weekly_and_monthly_actives_end_with_the_last_day_that_is_over() -> None:
    people = [person(f"client:{i}") for i in range(7)]
    # Two of them today, which is not over.
    days = ("02-11 23:59", "02-12 00:00", "03-06 23:59", "03-07 00:00", "03-13 10:00", *["03-14 10:00"] * 2)
    for who, day in zip(people, days, strict=True):
        did(who, "user_logged_in", f"2026-{day}")
    assert figure("wau").value == 2
    assert figure("mau").value == 4
    # Up to March 1.
    assert (figure("wau").before, figure("mau").before) == (0, 2)
    assert figure("stickiness").value == pytest.approx(4 / 30 / 4)


def test_lines_go_on_up_to_today_as_it_stands() -> None:
    ann, bob = person("client:ann"), person("client:bob")
    did(ann, "user_logged_in", "2026-03-02 10:00")
    did(bob, "user_logged_in", "2026-03-14 10:00", "2026-02-01 10:00")
    found = lines("active_people")
    assert list(found["DAU"])[-1] == "2026-03-14"
    assert [found["DAU"][f"2026-03-{day:02}"] for day in (2, 3, 14)] == [1, 0, 1]
    assert [found["WAU"][f"2026-03-{day:02}"] for day in (2, 8, 9, 14)] == [1, 1, 0, 1]
    assert [found["MAU"][f"2026-03-{day:02}"] for day in (2, 3, 13, 14)] == [2, 1 + 0, 1, 2]


def test_the_first_day_of_28_looks_back_30_days_and_scores_look_back_56() -> None:
    question = Question(date(2026, 2, 14), date(2026, 3, 13))
    first, second, third = (person(f"client:{name}") for name in ("1", "2", "3"))
    did(first, "user_logged_in", "2026-01-16 00:00")
    did(second, "user_logged_in", "2026-01-15 00:00")
    assert lines("active_people", question)["MAU"]["2026-02-14"] == 1
    assert figure("mau", question).before == 2
    did(third, "file_uploaded", "2026-01-17 00:00")
    a_day = Question(date(2026, 3, 13), date(2026, 3, 13))
    assert build(a_day).chart("score_fallers").table().rows == [["client:3", 8, 0, -8]]


def test_hours_of_the_week_are_averaged_over_their_days() -> None:
    ann, bob = person("client:ann"), person("client:bob")
    did(ann, "user_logged_in", "2026-03-02 10:05", "2026-03-02 10:50", "2026-03-09 10:00")
    did(bob, "user_logged_in", "2026-03-09 10:00", "2026-03-08 23:00", "2026-03-14 10:00")
    chart = heat()
    assert list(chart.rows) == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    assert list(chart.columns)[:2] + list(chart.columns)[-1:] == ["00", "01", "23"]
    assert chart.values[0][10] == 1.5
    assert chart.values[6][23] == 1
    # One Saturday is over, and nobody was there; today's does not count.
    assert chart.values[5][10] == 0
    tuesdays = heat(Question(date(2026, 3, 2), date(2026, 3, 2)))
    assert list(tuesdays.values[1]) == [None] * 24


def test_hours_are_those_of_the_zone() -> None:
    did(person("client:ann"), "user_logged_in", "2026-03-02 23:30")
    chart = heat(Question(QUESTION.first, QUESTION.last, "Europe/Berlin"))
    assert chart.values[1][0] == 0.5
    assert chart.values[0][23] == 0


def test_before_any_day_is_over_there_is_no_average() -> None:
    did(person("client:ann"), "user_logged_in", "2026-03-14 10:00")
    today = Question(date(2026, 3, 14), date(2026, 3, 20))
    found = build(today)
    for key in ("dau", "wau", "mau", "stickiness"):
        assert (found.figure(key).value, found.figure(key).note) == (None, "No day of this period is over.")
    assert lines("active_people", today)["DAU"] == {"2026-03-14": 1}
    assert found.chart("score_distribution").table().rows == []
    for key in ("hour_of_week", "score_distribution", "score_risers", "score_fallers"):
        assert found.chart(key).note == "No day of this period is over."
    assert all(value is None for row in heat(today).values for value in row)


def test_a_period_that_has_not_begun_is_empty() -> None:
    did(person("client:ann"), "user_logged_in", "2026-03-14 10:00")
    found = build(Question(date(2026, 3, 15), date(2026, 3, 20)))
    for key in ("active_people", "feature_use"):
        chart = found.chart(key)
        assert isinstance(chart, Lines)
        assert (list(chart.xs), chart.note) == ([], "This period has not begun.")
    assert found.figure("goal_engagement").value is None


def test_features_count_different_people_by_week_on_days_of_the_period() -> None:
    ann, bob = person("client:ann"), person("client:bob")
    did(ann, "directory_search", "2026-03-04 10:00", "2026-03-05 10:00", "2026-03-09 10:00")
    did(bob, "booking_cta_clicked", "2026-03-04 10:00", "2026-03-03 10:00")
    did(bob, "user_registered", "2026-03-04 10:00")
    found = lines("feature_use", Question(date(2026, 3, 4), date(2026, 3, 31)))
    assert found["Directory"] == {"2026-03-02": 2, "2026-03-09": 1}
    assert found["Login"] == {"2026-03-02": 0, "2026-03-09": 0}
    assert len(found) == 8
    did(ann, "file_uploaded", "2026-03-03 10:00")
    assert lines("feature_use", Question(date(2026, 3, 4), date(2026, 3, 31)))["Files"]["2026-03-02"] == 0


def test_goals_are_asked_of_active_clients_only() -> None:
    ann, bob, trainer = person("client:ann"), person("client:bob"), person("trainer:t")
    did(ann, "user_logged_in", "2026-03-04 10:00")
    did(bob, "progress_logged", "2026-03-14 10:00")
    did(trainer, "progress_logged", "2026-03-04 10:00")
    did(ann, "goal_updated", "2026-03-01 23:59")
    found = figure("goal_engagement")
    assert (found.value, found.sample) == (0.5, 2)
    assert found.is_small


def test_drafts_go_by_the_day_they_were_made() -> None:
    made = {"approved_at": "2026-03-14 10:00"}
    draft("c-1", "t-1", "2026-03-02 00:00", **made, edited=True, sent_at="2026-03-14 11:00")
    draft("c-1", "t-1", "2026-03-13 10:00", **made)
    draft("c-1", "t-2", "2026-03-03 10:00")
    draft("c-1", "t-2", "2026-03-03 10:00", sent_at="2026-03-14 11:00")
    draft("c-1", "t-1", "2026-03-01 23:59", **made)
    found = build()
    assert (found.figure("drafts_created").value, found.figure("drafts_created").before) == (4, 1)
    assert (found.figure("drafts_approved").value, found.figure("drafts_approved").before) == (0.5, None)
    assert found.figure("drafts_sent").value == 0.5
    assert found.figure("drafts_edited").value == 0.5
    assert found.figure("drafts_edited").before == 0
    chart = found.chart("inbox_funnel")
    assert isinstance(chart, Funnel)
    assert [step.people for step in chart.steps] == [4, 2, 1]
    assert figure("drafts_created", Question(QUESTION.first, QUESTION.last, trainer="t-2")).value == 2


def test_answers_count_once_their_48_hours_are_over() -> None:
    person("client:c-1", segment="new")
    for client, sent in (("c-1", "03-02 10:00"), ("c-2", "03-02 10:00"), ("c-3", "03-11 23:59")):
        draft(client, "t-1", "2026-02-01 10:00", sent_at=f"2026-{sent}")
    draft("c-4", "t-2", "2026-02-01 10:00", sent_at="2026-03-12 00:00")
    wrote("c-1", "2026-03-02 10:00", "2026-03-02 10:07:59", "2026-03-02 11:00")
    wrote("c-2", "2026-03-04 10:00:01")
    wrote("c-3", "2026-03-12 00:09")
    wrote("c-4", "2026-03-12 00:01")
    found = build()
    assert (found.figure("response_rate").value, found.figure("response_rate").sample) == (2 / 3, 3)
    # 7 and 10 minutes.
    assert (found.figure("response_median").value, found.figure("response_median").sample) == (8.5, 2)
    later = build(now=at("2026-03-15 00:00"))
    assert later.figure("response_rate").sample == 4
    assert later.figure("response_median").value == 7
    wrote("c-2", "2026-03-02 10:03")
    of_segment = Question(QUESTION.first, QUESTION.last, segment="new")
    assert figure("response_rate", of_segment).value == 1


def test_messages_of_a_period_whose_answers_are_all_in_need_no_remark() -> None:
    question = Question(date(2026, 3, 2), date(2026, 3, 11))
    assert figure("response_rate", question).note == ""
    assert (
        figure("response_rate").note
        == "Messages of the last two days may still be answered; they are left out."
    )
    assert figure("response_rate").value is None


def test_filters_keep_people_of_a_trainer_and_of_a_segment() -> None:
    ann = person("client:ann", trainer_id="t-1", segment="new")
    bob = person("client:bob", trainer_id="t-2", segment="new")
    for who in (ann, bob):
        did(who, "goal_updated", "2026-03-02 10:00")
    for question, people in (
        (Question(QUESTION.first, QUESTION.last, trainer="t-1"), 1),
        (Question(QUESTION.first, QUESTION.last, segment="new"), 2),
        (Question(QUESTION.first, QUESTION.last, trainer="t-1", segment="other"), 0),
    ):
        found = build(question)
        assert found.figure("dau").value == people / 12
        assert found.figure("mau").value == people
        assert found.figure("goal_engagement").sample == people
        assert heat(question).values[0][10] == people / 2
        assert lines("feature_use", question)["Goals"]["2026-03-02"] == people
        assert lines("active_people", question)["WAU"]["2026-03-05"] == people
        assert sum(row[1] for row in found.chart("score_distribution").table().rows) == people  # type: ignore[misc]


def test_of_a_sample_of_people_counts_are_estimated_with_their_error() -> None:
    SampleLevel.objects.update_or_create(one_row=True, defaults={"level": 1})
    people = [person(f"client:{i}") for i in range(40)]
    for one in people:
        did(one, "goal_updated", "2026-03-02 10:00")
    estimate = 2 * sum(is_sampled(one.number, 1) for one in people)
    found = build()
    for key, value in (("dau", estimate / 12), ("wau", 0), ("mau", estimate)):
        assert found.figure(key).value == value
        assert found.figure(key).is_rough
    assert (found.figure("mau").low or 0) < estimate < (found.figure("mau").high or 0)
    assert found.figure("stickiness").value == pytest.approx(1 / 30)
    assert found.figure("stickiness").is_rough
    assert found.figure("goal_engagement").value == 1
    assert heat().values[0][10] == estimate / 2
    chart = found.chart("active_people")
    assert isinstance(chart, Lines)
    assert chart.series[0].values[0] == estimate
    assert (chart.series[0].low[0] or 0) < estimate < (chart.series[0].high[0] or 0)
    for key in ("active_people", "hour_of_week", "feature_use", "score_distribution"):
        assert found.chart(key).note == "Estimated from one in 2 people."


def test_the_number_of_statements_does_not_depend_on_days_and_people() -> None:
    for i in range(30):
        did(person(f"client:{i}", trainer_id="t-1"), "user_logged_in", f"2026-03-{1 + i % 12:02} 10:00")
    counts = []
    for question in (
        QUESTION,
        Question(date(2026, 1, 1), QUESTION.last),
        Question(date(2026, 1, 1), QUESTION.last, trainer="t-1"),
    ):
        build(question)
        with CaptureQueriesContext(connection) as queries:
            build(question)
        counts.append(len(queries))
    assert counts == [15, 15, 17]
