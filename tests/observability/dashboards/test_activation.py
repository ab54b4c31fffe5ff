"""Activation: times to first booking and insight, onboarding, cohorts; each as its words say."""

from datetime import date, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from observability.dashboards import activation
from observability.dashboards.definitions import WORDS
from observability.dashboards.panels import Cohorts, Dashboard, Figure, Funnel
from observability.dashboards.question import Question
from observability.models import SampleLevel, Watermark
from observability.people_sets import is_sampled
from tests.observability.dashboards.people import at, did, person

pytestmark = pytest.mark.django_db

# Two whole weeks, Monday to Sunday; the next one is over too.
QUESTION = Question(date(2026, 3, 2), date(2026, 3, 15))
NOW = at("2026-03-25 12:00")
HOUR, DAY = 3600, 86_400


def build(question: Question = QUESTION, *, now: datetime = NOW) -> Dashboard:
    return activation.build(question, now=now)


def figure(key: str, question: Question = QUESTION, *, now: datetime = NOW) -> Figure:
    return build(question, now=now).figure(key)


def reached(key: str, question: Question = QUESTION, **filters: Any) -> list[tuple[str, float]]:
    chart = build(question, **filters).chart(key)
    assert isinstance(chart, Funnel)
    return [(step.label, step.people) for step in chart.steps]


def cohorts(key: str, question: Question = QUESTION, *, now: datetime = NOW) -> dict[str, list[float | None]]:
    chart = build(question, now=now).chart(key)
    assert isinstance(chart, Cohorts)
    return {cohort.label: [cohort.people, *cohort.values] for cohort in chart.cohorts}


def test_it_has_every_number_that_words_are_said_about() -> None:
    dashboard = build()
    keys = [one.key for section in dashboard.sections for one in (*section.figures, *section.charts)]
    words = list(WORDS)
    expected = words[words.index("clients_signed_up") : words.index("dau")]
    assert sorted(keys) == sorted(expected)
    for section in dashboard.sections:
        for chart in section.charts:
            chart.table()


def test_sign_ups_count_by_the_day_of_the_zone_and_beside_those_before() -> None:
    person("client:a", "2026-03-02 00:00")
    person("client:b", "2026-03-15 23:59:59")
    person("client:c", "2026-03-01 23:30")  # Already Monday in Berlin.
    person("client:d", "2026-03-16 00:00")
    person("client:e")
    person("trainer:t", "2026-03-05 10:00")
    person("staff:s", "2026-03-05 10:00")
    assert figure("clients_signed_up").value == 2
    assert figure("clients_signed_up").before == 1
    assert figure("trainers_signed_up").value == 1
    assert figure("trainers_signed_up").before == 0
    berlin = Question(QUESTION.first, QUESTION.last, "Europe/Berlin")
    assert figure("clients_signed_up", berlin).value == 2
    assert figure("clients_signed_up", berlin).before == 0


def test_waits_for_the_first_booking_are_interpolated_and_never_below_zero() -> None:
    for name, booked in (("a", "2026-03-03 11:00"), ("b", "2026-03-03 13:00"), ("c", "2026-03-04 10:00")):
        person(f"client:{name}", "2026-03-03 10:00", first_booking_at=at(booked))
    person("client:early", "2026-03-03 10:00", first_booking_at=at("2026-02-01 10:00"))
    person("client:never", "2026-03-03 10:00")
    person("trainer:t", "2026-03-03 10:00", first_booking_at=at("2026-03-09 10:00"))
    found = build()
    # 0 h, 1 h, 3 h and 24 h: half lies between the two in the middle.
    assert found.figure("first_booking_median").value == 2 * HOUR
    assert found.figure("first_booking_p75").value == (3 + 0.25 * 21) * HOUR
    assert found.figure("first_booking_p90").value == pytest.approx((3 + 0.7 * 21) * HOUR)
    assert found.figure("first_booking_median").sample == 4
    assert found.figure("first_booking_median").note == "1 have not booked yet."
    assert found.figure("first_booking_median").before is None


def test_whoever_booked_or_had_an_insight_before_signing_up_has_not_waited() -> None:
    before = at("2026-02-01 10:00")
    person("client:early", "2026-03-03 10:00", first_booking_at=before, first_insight_at=before)
    found = build()
    assert found.figure("first_booking_p90").value == 0
    assert found.figure("first_insight_median").value == 0
    assert found.figure("first_booking_in_time").value == 1


def test_half_of_all_who_signed_up_are_to_book_within_24_hours_and_not_half_of_those_who_booked() -> None:
    for i in range(30):
        person(f"client:{i}", "2026-03-03 10:00", first_booking_at=at("2026-03-04 10:00"))
    for i in range(30, 60):
        person(f"client:{i}", "2026-03-03 10:00", first_booking_at=at("2026-03-04 10:00:01"))
    assert figure("first_booking_in_time").verdict == "met"
    person("client:never", "2026-03-03 10:00")
    assert figure("first_booking_in_time").verdict == "missed"
    assert figure("first_booking_median").target is None


def test_in_time_is_asked_only_of_those_who_have_had_the_time() -> None:
    person("client:at-the-last-moment", "2026-03-03 10:00", first_booking_at=at("2026-03-04 10:00"))
    person("client:too-late", "2026-03-03 10:00", first_booking_at=at("2026-03-04 10:00:01"))
    person("client:just-now", "2026-03-05 09:00:01", first_booking_at=at("2026-03-05 09:30"))
    person("client:a-day-ago", "2026-03-05 09:00", first_booking_at=at("2026-03-05 09:30"))
    person("client:before", "2026-02-20 10:00")
    person("client:before-in-time", "2026-02-20 10:00", first_booking_at=at("2026-02-20 11:00"))
    found = figure("first_booking_in_time", now=at("2026-03-06 09:00"))
    assert (found.value, found.sample) == (pytest.approx(2 / 3), 3)
    assert found.note == "1 signed up less than 24 hours ago."
    assert found.before == 0.5
    assert found.low is not None
    assert found.low < 2 / 3 < (found.high or 0)


def test_insights_have_seven_days() -> None:
    person("client:in-time", "2026-03-03 10:00", first_insight_at=at("2026-03-10 10:00"))
    person("client:late", "2026-03-03 10:00", first_insight_at=at("2026-03-10 10:00:01"))
    person("client:none", "2026-03-03 10:00")
    person("client:young", "2026-03-05 10:00:01", first_insight_at=at("2026-03-05 11:00:01"))
    found = build(now=at("2026-03-12 10:00"))
    assert found.figure("first_insight_in_time").value == pytest.approx(1 / 3)
    assert found.figure("first_insight_in_time").sample == 3
    assert found.figure("first_insight_median").value == 7 * DAY
    assert found.figure("first_insight_median").note == "1 have had no insight yet."


def test_onboarding_is_counted_by_role() -> None:
    person("client:a", "2026-03-03 10:00", onboarded_at=at("2026-03-20 10:00"))
    person("client:b", "2026-03-03 10:00")
    person("trainer:t", "2026-03-03 10:00")
    found = build()
    assert found.figure("onboarded_clients").value == 0.5
    assert found.figure("onboarded_trainers").value == 0
    assert found.figure("onboarded_trainers").sample == 1


def test_the_funnel_keeps_only_those_who_took_every_step() -> None:
    moment = at("2026-03-04 10:00")
    person("client:both", "2026-03-03 10:00", first_booking_at=moment, first_insight_at=moment)
    person("client:booked", "2026-03-03 10:00", first_booking_at=moment)
    person("client:insight", "2026-03-03 10:00", first_insight_at=moment)
    assert reached("activation_funnel") == [("Signed up", 3), ("Booked", 2), ("Had an insight", 1)]


def test_whoever_is_further_or_done_has_taken_a_step() -> None:
    at_once = {"onboarded_at": at("2026-03-04 10:00")}
    person("client:none", "2026-03-03 10:00")
    person("client:zero", "2026-03-03 10:00", step="invited", step_position=0)
    person("client:one", "2026-03-03 10:00", step="profile", step_position=1)
    person("client:three", "2026-03-03 10:00", step="payment", step_position=3)
    person("client:other-three", "2026-03-03 10:00", step="intake", step_position=3)
    person("client:done", "2026-03-03 10:00", step="profile", step_position=1, **at_once)
    person("client:done-at-once", "2026-03-03 10:00", **at_once)
    person("client:before", "2026-02-03 10:00", step="elsewhere", step_position=2)
    person("trainer:t", "2026-03-03 10:00", step="calendar", step_position=2)
    assert reached("drop_off_clients") == [
        ("Signed up", 7),
        ("invited", 6),
        ("profile", 5),
        ("intake", 4),
        ("payment", 4),
        ("Onboarded", 2),
    ]
    assert reached("drop_off_trainers") == [("Signed up", 1), ("calendar", 1), ("Onboarded", 0)]


def test_of_very_many_steps_the_first_are_shown_and_the_rest_is_told() -> None:
    for i in range(33):
        person(f"client:{i}", "2026-03-03 10:00", step=f"step-{i}", step_position=i)
    chart = build().chart("drop_off_clients")
    assert isinstance(chart, Funnel)
    assert [step.people for step in chart.steps[:3]] == [33, 33, 32]
    assert len(chart.steps) == 32
    assert chart.note == "3 later steps are left out."


def test_a_feature_counts_for_clients_of_the_period_on_days_of_the_period() -> None:
    ann, bob = person("client:ann", "2026-03-03 10:00"), person("client:bob", "2026-03-03 10:00")
    old, trainer = person("client:old", "2026-01-03 10:00"), person("trainer:t", "2026-03-03 10:00")
    did(ann, "directory_search", "2026-03-04 10:00", "2026-03-05 10:00")
    did(bob, "booking_cta_clicked", "2026-03-15 23:59")
    did(bob, "goal_updated", "2026-03-16 00:00")
    did(old, "user_logged_in", "2026-03-04 10:00")
    did(trainer, "user_logged_in", "2026-03-04 10:00")
    did(ann, "user_registered", "2026-03-04 10:00")
    assert reached("feature_adoption") == [
        ("Signed up", 2),
        ("Login", 0),
        ("Directory", 2),
        ("Booking", 0),
        ("Inbox", 0),
        ("Weekly digest", 0),
        ("Goals", 0),
        ("Files", 0),
        ("Templates", 0),
    ]


def test_a_cell_of_the_booking_cohorts_is_empty_until_everybody_has_had_the_time() -> None:
    person("client:a", "2026-03-02 00:00", first_booking_at=at("2026-03-09 00:00"))
    person("client:b", "2026-03-08 10:00", first_booking_at=at("2026-03-15 10:00:01"))
    person("client:c", "2026-03-08 10:00", first_booking_at=at("2026-01-01 00:00"))
    person("client:d", "2026-03-08 10:00")
    person("client:e", "2026-03-14 10:00", first_booking_at=at("2026-03-14 11:00"))
    found = cohorts("booking_cohorts", now=at("2026-03-29 23:59"))
    assert found["2026-03-02"] == [4, 0.5, 0.75, *[None] * 6]
    assert found["2026-03-09"] == [1, 1, *[None] * 7]
    later = cohorts("booking_cohorts", now=at("2026-03-30 00:00"))
    assert later["2026-03-02"] == [4, 0.5, 0.75, 0.75, *[None] * 5]
    assert later["2026-03-09"] == [1, 1, 1, *[None] * 6]


def test_a_cohort_of_a_period_that_ends_within_the_week_has_had_the_time_sooner() -> None:
    person("client:a", "2026-03-10 10:00")
    question = Question(date(2026, 3, 4), date(2026, 3, 10))
    found = cohorts("booking_cohorts", question, now=at("2026-03-18 00:00"))
    assert found == {"2026-03-02": [0, *[None] * 8], "2026-03-09": [1, 0, *[None] * 7]}


def test_retention_is_by_whole_calendar_weeks_that_are_over() -> None:
    ann, bob = person("client:ann", "2026-03-04 10:00"), person("client:bob", "2026-03-08 10:00")
    cid, trainer = person("client:cid", "2026-03-11 10:00"), person("trainer:t", "2026-03-04 10:00")
    did(ann, "user_logged_in", "2026-03-04 10:00", "2026-03-09 00:00", "2026-03-23 10:00")
    did(bob, "user_logged_in", "2026-03-15 23:59")
    did(cid, "user_logged_in", "2026-03-18 10:00")
    did(trainer, "user_logged_in", "2026-03-18 10:00")
    # The week of March 23 is not over.
    assert cohorts("retention_cohorts") == {
        "2026-03-02": [2, 0.5, 1, 0, *[None] * 6],
        "2026-03-09": [1, 0, 1, *[None] * 7],
    }
    later = cohorts("retention_cohorts", now=at("2026-05-25 00:00"))
    assert later["2026-03-02"] == [2, 0.5, 1, 0, 0.5, *[0] * 5]


def test_a_period_within_weeks_keeps_people_of_its_days_and_weeks_as_a_whole() -> None:
    ann = person("client:ann", "2026-03-04 10:00")
    person("client:bob", "2026-03-03 10:00")
    did(ann, "user_logged_in", "2026-03-02 10:00")
    question = Question(date(2026, 3, 4), date(2026, 3, 6))
    assert cohorts("retention_cohorts", question)["2026-03-02"][:2] == [1, 1]


def test_filters_keep_clients_of_a_trainer_and_of_a_segment() -> None:
    ann = person("client:ann", "2026-03-04 10:00", trainer_id="t-1", segment="new")
    bob = person("client:bob", "2026-03-04 10:00", trainer_id="t-2", segment="new")
    person("trainer:t-1", "2026-03-04 10:00", trainer_id="t-1", step="profile", step_position=1)
    for who in (ann, bob):
        did(who, "user_logged_in", "2026-03-04 10:00")
    of_trainer = Question(QUESTION.first, QUESTION.last, trainer="t-1")
    found = build(of_trainer)
    assert found.figure("clients_signed_up").value == 1
    assert found.figure("trainers_signed_up").value == 1
    assert reached("feature_adoption", of_trainer)[:2] == [("Signed up", 1), ("Login", 1)]
    assert cohorts("retention_cohorts", of_trainer)["2026-03-02"][:2] == [1, 1]
    of_segment = Question(QUESTION.first, QUESTION.last, segment="new")
    found = build(of_segment)
    assert found.figure("clients_signed_up").value == 2
    assert found.figure("trainers_signed_up").value == 0
    assert found.notes == ["Only clients have a segment; trainers count as unknown."]
    assert reached("drop_off_trainers", of_segment) == [("Signed up", 0), ("Onboarded", 0)]


def test_without_anybody_nothing_is_known_and_nothing_fails() -> None:
    found = build()
    assert found.figure("clients_signed_up").value == 0
    for key in ("first_booking_median", "first_booking_in_time", "first_insight_median", "onboarded_clients"):
        assert found.figure(key).value is None
    assert found.chart("activation_funnel").note == "No client has signed up in this period."
    assert cohorts("booking_cohorts")["2026-03-02"] == [0, *[None] * 8]


def test_a_period_that_has_not_begun_is_empty() -> None:
    found = build(Question(date(2027, 3, 2), date(2027, 3, 15)))
    assert found.figure("clients_signed_up").value == 0
    chart = found.chart("retention_cohorts")
    assert isinstance(chart, Cohorts)
    assert all(value is None for cohort in chart.cohorts for value in cohort.values)


def test_of_a_sample_of_people_counts_are_estimated_and_shares_stay_shares() -> None:
    SampleLevel.objects.update_or_create(one_row=True, defaults={"level": 1})
    people = [person(f"client:{i}", "2026-03-04 10:00") for i in range(40)]
    for one in people:
        did(one, "user_logged_in", "2026-03-05 10:00")
    in_sample = sum(is_sampled(one.number, 1) for one in people)
    assert reached("feature_adoption")[:2] == [("Signed up", 2 * in_sample), ("Login", 2 * in_sample)]
    assert build().chart("feature_adoption").note.endswith("Estimated from one in 2 people.")
    assert cohorts("retention_cohorts")["2026-03-02"][:2] == [40, 1]


def test_it_says_up_to_when_events_are_in_it() -> None:
    assert build().counted_at is None
    Watermark.objects.create(consumer="rollups", xid=5, moved_at=NOW)
    assert build().counted_at == NOW


def test_the_number_of_statements_does_not_depend_on_the_days_asked_for() -> None:
    for week in range(12):
        one = person(f"client:{week}", f"2026-0{1 + week // 4}-{1 + 7 * (week % 4):02} 10:00")
        did(one, "user_logged_in", "2026-03-05 10:00")
    counts = []
    for first in (date(2026, 3, 2), date(2026, 1, 1)):
        question = Question(first, QUESTION.last)
        build(question)
        with CaptureQueriesContext(connection) as queries:
            build(question)
        counts.append(len(queries))
    assert counts == [9, 9]
