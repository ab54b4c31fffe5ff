"""The oracle's Activation promises what was worked out by hand.

Mondays are October 5, 12, 19, 26 and November 2, 9, 16, 23.
"""

from datetime import date, timedelta
from typing import Any

import pytest

from observability.capture import Occurrence
from observability.catalog.booking import BookingScheduled
from observability.catalog.onboarding import TrainerOnboarded
from tests.observability.dashboards.oracle import activation
from tests.observability.dashboards.tales import (
    at,
    insight,
    onboarded,
    question,
    registered,
    seen,
    step,
    tell,
    turn,
)

NOW = at("2026-11-28 12:00")
NOVEMBER = question("2026-11-01", "2026-11-28")


def booked(client: str, when: str) -> Occurrence:
    number = f"b-{client}-{when.replace(' ', '-')}"
    return turn(BookingScheduled, at(when), at("2026-12-01 10:00"), client=client, number=number)


def told(*events: Occurrence, **filters: str) -> dict[str, Any]:
    return activation(events, question("2026-11-01", "2026-11-28", **filters), NOW)


def test_first_bookings_are_waited_for_from_sign_up_and_none_before_it_took_time() -> None:
    events = [registered(f"c{i}", at("2026-11-10 10:00")) for i in range(5)]
    # Before the account; after an hour; after two, of which the first counts; after 24 hours; c4 never.
    events += [booked("c0", "2026-11-09 10:00"), booked("c1", "2026-11-10 11:00")]
    events += [
        booked("c2", "2026-11-10 13:00"),
        booked("c2", "2026-11-10 12:00"),
        booked("c3", "2026-11-11 10:00"),
    ]
    answer = told(*events)
    assert answer["first_booking_median"] == 1.5 * 3600
    assert answer["first_booking_p75"] == (2 + 0.25 * 22) * 3600
    assert answer["first_booking_p90"] == pytest.approx((2 + 0.7 * 22) * 3600)
    assert answer["first_booking_in_time"] == 4 / 5
    assert answer["cases"]["first_booking_median"] == 4
    assert told(*events, booked("c4", "2026-11-11 10:01"))["first_booking_in_time"] == 4 / 5
    assert told(events[0], booked("c0", "2026-11-09 10:00"))["first_booking_median"] == 0


def test_who_has_had_no_24_hours_yet_is_not_held_against_them() -> None:
    old, young = registered("c1", at("2026-11-27 12:00")), registered("c2", at("2026-11-27 12:01"))
    answer = told(old, young, booked("c2", "2026-11-27 13:00"))
    assert (answer["first_booking_in_time"], answer["cases"]["first_booking_in_time"]) == (0, 1)
    assert (answer["first_booking_median"], answer["cases"]["first_booking_median"]) == (59 * 60, 1)
    assert told()["first_booking_in_time"] is None
    assert told()["first_booking_median"] is None


def test_first_insights_have_seven_days() -> None:
    events = [registered(client, at("2026-11-10 10:00")) for client in ("c1", "c2", "c3")]
    events += [insight("c1", at("2026-11-17 10:00")), insight("c2", at("2026-11-17 10:01"))]
    events += [registered("c4", at("2026-11-21 12:01")), insight("c4", at("2026-11-21 13:01"))]
    events += [insight("c1", at("2026-11-27 10:00"))]
    answer = told(*events)
    assert (answer["first_insight_in_time"], answer["cases"]["first_insight_in_time"]) == (1 / 3, 3)
    assert answer["first_insight_median"] == 7 * 86_400


def test_the_funnel_takes_insights_of_those_who_have_booked() -> None:
    events = [registered(f"c{i}", at("2026-11-10 10:00")) for i in range(4)]
    events += [registered("old", at("2026-10-10 10:00")), booked("old", "2026-11-10 10:00")]
    events += [booked("c1", "2026-11-11 10:00"), booked("c2", "2026-11-28 11:00")]
    events += [insight("c2", at("2026-11-12 10:00")), insight("c3", at("2026-11-12 10:00"))]
    assert told(*events)["activation_funnel"] == [4, 2, 1]


def test_onboarding_is_finished_by_now_also_behind_the_period() -> None:
    events = [registered("c1", at("2026-11-02 10:00")), registered("c2", at("2026-11-02 10:00"))]
    events += [
        onboarded("c1", at("2026-11-28 11:00")),
        registered("t1", at("2026-11-02 10:00"), role="trainer"),
    ]
    asked = question("2026-11-02", "2026-11-02")
    answer = activation(events, asked, NOW)
    assert (answer["onboarded_clients"], answer["onboarded_trainers"]) == (0.5, 0)
    ended = tell(at("2026-11-20 10:00"), "trainer:t1", TrainerOnboarded(trainer_id="t1", duration_s=1.0))
    assert activation([*events, ended], asked, NOW)["onboarded_trainers"] == 1
    assert activation([], asked, NOW)["onboarded_trainers"] is None


def test_features_are_adopted_by_who_signed_up_and_used_them_in_the_period() -> None:
    events = [registered("c1", at("2026-11-02 10:00")), registered("c2", at("2026-11-02 10:00"))]
    events += [seen("client:c1", at("2026-11-02 11:00")), seen("client:c1", at("2026-11-02 12:00"))]
    events += [seen("client:c2", at("2026-11-03 00:00")), booked("c2", "2026-11-02 23:59:59")]
    events += [seen("client:c9", at("2026-11-02 11:00"))]
    adopted = activation(events, question("2026-11-02", "2026-11-02"), NOW)["feature_adoption"]
    assert adopted == {
        "signed_up": 2,
        "login": 1,
        "directory": 0,
        "booking": 1,
        "inbox": 0,
        "digest": 0,
        "goals": 0,
        "files": 0,
        "templates": 0,
    }


def test_booking_cohorts_count_days_of_ones_own_and_wait_for_the_last_of_the_week() -> None:
    events = [registered("c1", at("2026-11-02 10:00")), registered("c2", at("2026-11-08 23:59"))]
    events += [booked("c1", "2026-11-09 10:00"), booked("c2", "2026-11-15 23:59:01")]
    [first, second] = activation(events, question("2026-11-02", "2026-11-09"), at("2026-11-23 00:00"))[
        "booking_cohorts"
    ]
    assert first == {"week": date(2026, 11, 2), "people": 2, "values": [0.5, 1.0, *[None] * 6]}
    assert second == {"week": date(2026, 11, 9), "people": 0, "values": [None] * 8}
    [first, _] = activation(events, question("2026-11-02", "2026-11-09"), at("2026-11-22 23:59"))[
        "booking_cohorts"
    ]
    assert first["values"] == [0.5, *[None] * 7]
    # The period ends within the week: nobody can have signed up behind it.
    asked = question("2026-11-02", "2026-11-03")
    [short] = activation(events, asked, at("2026-11-18 00:00"))["booking_cohorts"]
    assert short == {"week": date(2026, 11, 2), "people": 1, "values": [1.0, 1.0, *[None] * 6]}
    [short] = activation(events, asked, at("2026-11-17 23:59"))["booking_cohorts"]
    assert short["values"] == [1.0, *[None] * 7]


def test_retention_goes_by_weeks_of_the_zone_that_are_over() -> None:
    events = [registered(client, at("2026-11-02 10:00")) for client in ("c1", "c2")]
    # Sunday the 15th in Berlin, and Monday the 16th there an hour later.
    events += [seen("client:c1", at("2026-11-15 22:59")), seen("client:c2", at("2026-11-15 23:00"))]
    events += [seen("client:c2", at("2026-11-23 12:00")), booked("c1", "2026-11-01 10:00")]
    asked = question("2026-11-02", "2026-11-08", "Europe/Berlin")
    [week] = activation(events, asked, NOW)["retention_cohorts"]
    assert week == {"week": date(2026, 11, 2), "people": 2, "values": [1.0, 0.5, 0.5, *[None] * 6]}
    [week] = activation(events, asked, at("2026-11-29 22:59"))["retention_cohorts"]
    assert week["values"] == [1.0, 0.5, 0.5, *[None] * 6]
    [week] = activation(events, asked, at("2026-11-29 23:00"))["retention_cohorts"]
    assert week["values"] == [1.0, 0.5, 0.5, 0.5, *[None] * 5]


def test_people_get_to_a_step_or_past_it() -> None:
    on = at("2026-11-02 10:00")
    events = [registered(f"c{i}", on) for i in range(5)]
    # c0: nothing. c1: to the second. c2: the third alone, told before the first. c3: onboarded without steps.
    events += [step("c1", on, "profile", 1), step("c1", on, "goals", 2)]
    events += [step("c2", on, "intake_form", 3), step("c2", on + timedelta(hours=1), "profile", 1)]
    events += [onboarded("c3", on), step("c4", on, "terms", 1), step("t1", on, "payout", 5, role="trainer")]
    events += [step("old", on, "payment", 4)]
    answer = told(*events)
    assert answer["drop_off_clients"] == [
        ("Signed up", 5),
        ((1, "profile"), 4),
        ((1, "terms"), 4),
        ((2, "goals"), 3),
        ((3, "intake_form"), 2),
        ("Onboarded", 1),
    ]
    # Nobody stands at "profile".
    assert [name for name, _ in answer["drop_off_clients_furthest"]] == [
        "Signed up",
        (1, "terms"),
        (2, "goals"),
        (3, "intake_form"),
        "Onboarded",
    ]
    assert answer["drop_off_trainers"] == [("Signed up", 0), ("Onboarded", 0)]
    events += [registered("t1", on, role="trainer")]
    assert told(*events)["drop_off_trainers"] == [("Signed up", 1), ((5, "payout"), 1), ("Onboarded", 0)]
