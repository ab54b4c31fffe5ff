"""The oracle's Show-rate promises what was worked out by hand.

Mondays are October 5, 12, 19, 26 and November 2, 9, 16, 23.
"""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from observability.capture import Occurrence
from observability.catalog.booking import (
    BookingCanceled,
    BookingConfirmed,
    BookingRescheduled,
    BookingScheduled,
    NoShow,
)
from tests.observability.dashboards.oracle import show_rate
from tests.observability.dashboards.tales import at, question, turn

NOW = at("2026-11-28 12:00")
NOVEMBER = question("2026-11-01", "2026-11-27")


def rate(*events: Occurrence, **filters: str) -> dict[str, Any]:
    """Return Show-rate of November for some events."""
    return show_rate(events, question("2026-11-01", "2026-11-27", **filters), NOW)


START = at("2026-11-10 10:00")


def test_a_booking_is_as_its_last_event_says_however_they_arrive() -> None:
    made = turn(BookingScheduled, at("2026-11-01 10:00"), START)
    off = turn(BookingCanceled, at("2026-11-02 10:00"), START)
    on = turn(BookingConfirmed, at("2026-11-03 10:00"), START)
    missed = turn(NoShow, at("2026-11-10 11:00"), START)
    assert rate(made)["show_rate"] == 1
    assert (rate(off, made)["due"], rate(off, made)["canceled"]) == (0, 1)
    # Un-canceled.
    assert (rate(on, off, made)["due"], rate(on, off, made)["canceled"]) == (1, 0)
    assert (rate(missed, on, off, made)["no_shows"], rate(missed, made)["show_rate"]) == (1, 0)
    # Told at the same moment: the greater uuid is the last.
    low, high = UUID(int=1), UUID(int=2)
    off, on = (
        turn(BookingCanceled, at("2026-11-02 10:00"), START, uuid=low),
        turn(BookingConfirmed, at("2026-11-02 10:00"), START, uuid=high),
    )
    assert rate(on, off)["due"] == 1


def test_a_booking_that_was_moved_counts_once_at_its_last_start() -> None:
    made = turn(BookingScheduled, at("2026-10-28 10:00"), at("2026-10-31 10:00"))
    moved = turn(BookingRescheduled, at("2026-10-30 10:00"), START)
    october = question("2026-10-01", "2026-10-31")
    assert show_rate([made], october, NOW)["due"] == 1
    assert show_rate([made, moved], october, NOW)["due"] == 0
    assert rate(made, moved)["due"] == 1
    # Missed, then moved: it is booked again, and due at the new start.
    missed = turn(NoShow, at("2026-10-31 11:00"), at("2026-10-31 10:00"))
    later = turn(BookingRescheduled, at("2026-10-31 12:00"), START)
    assert show_rate([made, missed], october, NOW)["no_shows"] == 1
    assert show_rate([made, missed, later], october, NOW)["due"] == 0
    assert rate(made, missed, later)["show_rate"] == 1


def test_what_came_twice_counts_once_and_what_has_not_begun_is_not_due() -> None:
    made = turn(BookingScheduled, at("2026-11-01 10:00"), START)
    tomorrow = turn(BookingScheduled, at("2026-11-01 10:00"), at("2026-11-29 10:00"), number="b2")
    asked = question("2026-11-01", "2026-11-30")
    answer = show_rate([made, made, tomorrow], asked, NOW)
    assert (answer["due"], answer["cases"]["canceled"]) == (1, 1)
    assert show_rate([made, tomorrow], asked, at("2026-11-29 10:00"))["due"] == 2


def test_a_start_is_on_the_day_of_the_zone() -> None:
    # A quarter past midnight of the 11th in Kathmandu, the 10th in UTC.
    made = turn(BookingScheduled, at("2026-11-01 10:00"), at("2026-11-10 18:30"))
    for zone, on in (("Asia/Kathmandu", "2026-11-11"), ("UTC", "2026-11-10")):
        assert show_rate([made], question(on, on, zone), NOW)["due"] == 1
    assert show_rate([made], question("2026-11-10", "2026-11-10", "Asia/Kathmandu"), NOW)["due"] == 0


def test_the_trainer_is_the_last_events_and_the_segment_the_last_one_that_is_named() -> None:
    lead = turn(BookingScheduled, at("2026-11-01 09:00"), START, trainer="t1", segment="lead")
    made = turn(BookingConfirmed, at("2026-11-01 10:00"), START, trainer="t1", segment="new")
    moved = turn(BookingRescheduled, at("2026-11-02 10:00"), START, trainer="t2")
    assert rate(lead, made, moved, trainer="t1")["due"] == 0
    assert rate(lead, made, moved, trainer="t2", segment="new")["due"] == 1
    assert rate(lead, made, moved)["show_rate_segments"] == {"new": {"due": 1, "shown": 1, "rate": 1}}
    nameless = turn(BookingScheduled, at("2026-11-01 10:00"), START, number="b2")
    assert rate(nameless, segment="unknown")["due"] == 1


def test_a_no_show_recovers_within_seven_days_after_the_missed_start() -> None:
    missed = [
        turn(BookingScheduled, at("2026-11-01 10:00"), START),
        turn(NoShow, at("2026-11-10 11:00"), START),
    ]
    for when, client, expected in (
        ("2026-11-10 10:00:00", "c1", 0),
        ("2026-11-10 10:00:01", "c1", 1),
        ("2026-11-17 10:00:00", "c1", 1),
        ("2026-11-17 10:00:01", "c1", 0),
        ("2026-11-12 10:00:00", "c2", 0),
    ):
        anew = turn(BookingScheduled, at(when), at("2026-12-01 10:00"), number="b2", client=client)
        assert rate(*missed, anew)["recovery"] == expected, when
    # What was booked first before the start is not booked anew when it is told once more.
    other = turn(BookingScheduled, at("2026-11-05 10:00"), at("2026-12-01 10:00"), number="b2")
    again = turn(BookingScheduled, at("2026-11-12 10:00"), at("2026-12-01 10:00"), number="b2")
    assert rate(*missed, other, again)["recovery"] == 0
    # Who is recovered by whom is no matter of filters.
    elsewhere = turn(BookingScheduled, at("2026-11-12 10:00"), START, number="b2", trainer="t9")
    assert rate(*missed, elsewhere, trainer="t1")["recovery"] == 1


def test_recovery_waits_until_the_day_has_been_over_for_seven_days() -> None:
    start = at("2026-11-20 00:30", "Europe/Berlin")
    missed = [turn(NoShow, at("2026-11-20 01:00", "Europe/Berlin"), start)]
    asked = question("2026-11-01", "2026-11-27", "Europe/Berlin")
    over = at("2026-11-28 00:00", "Europe/Berlin")
    assert show_rate(missed, asked, over - timedelta(seconds=1))["recovery"] is None
    assert show_rate(missed, asked, over)["recovery"] == 0
    assert show_rate(missed, asked, over)["cases"]["recovery"] == 1


def trained(first: str, weeks: int, *, missed: int = 0, trainer: str = "t1") -> list[Occurrence]:
    """Return a booking a week from a first start on, the first ones missed."""
    events: list[Occurrence] = []
    for week in range(weeks):
        starts_at = at(first) + timedelta(days=7 * week)
        kind = NoShow if week < missed else BookingScheduled
        events.append(
            turn(kind, at("2026-09-01 10:00"), starts_at, number=f"{trainer}-{week}", trainer=trainer)
        )
    return events


def test_the_baseline_is_of_four_full_weeks_from_the_first_monday() -> None:
    # A Tuesday: the weeks begin on Monday the 12th, without the first booking, and end on November 8.
    answer = rate(*trained("2026-10-06 10:00", 7, missed=3))
    assert answer["show_rate_baseline"] == 0.5
    assert answer["show_rate_target"] == pytest.approx((0.575, 0.625))
    assert answer["cases"]["show_rate_baseline"] == 4
    # A Monday: the weeks begin with it.
    assert rate(*trained("2026-10-05 10:00", 7, missed=3))["show_rate_baseline"] == 0.25


def test_the_baseline_leaves_out_trainers_whose_four_weeks_are_not_over() -> None:
    old = trained("2026-10-05 10:00", 4, missed=2)
    # The first Monday is November 2; the four weeks are over when November 30 has begun.
    young = trained("2026-10-28 10:00", 5, missed=5, trainer="t2")
    asked = question("2026-11-01", "2026-11-30")
    assert show_rate([*old, *young], asked, NOW)["show_rate_baseline"] == 0.5
    assert show_rate([*old, *young], asked, at("2026-11-29 23:59"))["show_rate_baseline"] == 0.5
    assert show_rate([*old, *young], asked, at("2026-11-30 00:00"))["show_rate_baseline"] == 2 / 8
    by_trainer = {row["trainer"]: row for row in show_rate([*old, *young], asked, NOW)["show_rate_trainers"]}
    assert by_trainer["t2"] == {
        "trainer": "t2",
        "due": 4,
        "shown": 0,
        "rate": 0,
        "baseline": None,
        "baseline_due": 0,
    }


def test_the_monday_of_a_baseline_is_one_of_the_zone() -> None:
    # Still Sunday in New York, where the weeks begin an hour later and with it in them.
    late = trained("2026-10-05 03:30", 5, missed=1)
    in_new_york = question("2026-11-01", "2026-11-27", "America/New_York")
    assert show_rate(late, NOVEMBER, NOW)["show_rate_baseline"] == 0.75
    assert show_rate(late, in_new_york, NOW)["show_rate_baseline"] == 1


def test_a_canceled_booking_does_not_begin_a_trainers_weeks() -> None:
    canceled = turn(BookingCanceled, at("2026-09-01 10:00"), at("2026-10-05 10:00"), number="b0")
    weekly = trained("2026-10-12 10:00", 5, missed=1)
    # From October 12 (missed) to November 2, not from October 5 on.
    assert rate(canceled, *weekly)["show_rate_baseline"] == 3 / 4
    assert rate(*weekly)["show_rate_baseline"] == 3 / 4
    by_making = show_rate([canceled, *weekly], NOVEMBER, NOW, first_booking="scheduled")
    # The first booking_scheduled is of September 1, a Tuesday: nothing is due from September 7 to October 4.
    assert by_making["show_rate_baseline"] is None
    assert by_making["cases"]["show_rate_baseline"] == 0


def test_a_segment_is_asked_of_the_baselines_bookings_and_not_of_the_first_one() -> None:
    first = turn(NoShow, at("2026-09-01 10:00"), at("2026-10-05 10:00"), number="b0", segment="new")
    weekly = trained("2026-10-12 10:00", 5)
    answer = rate(first, *weekly, segment="unknown")
    assert answer["show_rate_baseline"] == 1
    assert answer["cases"]["show_rate_baseline"] == 3


def test_weeks_have_those_of_their_days_that_are_in_the_period() -> None:
    starts = [
        "2026-11-10 23:59",
        "2026-11-11 00:00",
        "2026-11-15 23:59",
        "2026-11-16 00:00",
        "2026-11-18 00:00",
    ]
    events = [
        turn(BookingScheduled if i else NoShow, at("2026-11-01"), at(start), number=f"b{i}")
        for i, start in enumerate(starts)
    ]
    trend = show_rate(events, question("2026-11-11", "2026-11-17"), NOW)["show_rate_trend"]
    assert [(row["week"].isoformat(), row["due"]) for row in trend] == [("2026-11-09", 2), ("2026-11-16", 1)]
    assert show_rate(events, question("2026-11-17", "2026-11-17"), NOW)["show_rate_trend"] == [
        {"week": date(2026, 11, 16), "due": 0, "shown": 0, "rate": None, "low": None, "high": None}
    ]
    [week] = show_rate(events, question("2026-11-10", "2026-11-11"), NOW)["show_rate_trend"]
    assert (week["due"], week["shown"], week["rate"]) == (2, 1, 0.5)
    # Wilson of 1 of 2.
    assert (week["low"], week["high"]) == pytest.approx((0.0945, 0.9055), abs=0.0001)


def test_the_period_before_is_as_long_and_ends_where_this_one_begins() -> None:
    starts = [
        "2026-11-07 23:59",
        "2026-11-08 00:00",
        "2026-11-09 23:59",
        "2026-11-10 00:00",
        "2026-11-12 00:00",
    ]
    events = [
        turn(
            NoShow if i == 1 else BookingScheduled, at("2026-11-01"), at(start), number=f"b{i}", segment="new"
        )
        for i, start in enumerate(starts)
    ]
    events.append(turn(BookingScheduled, at("2026-11-01"), at("2026-11-11"), number="b9"))
    change = show_rate(events, question("2026-11-10", "2026-11-11"), NOW)["show_rate_change"]
    assert list(change) == ["", "new", "unknown"]
    assert (change[""]["before"], change[""]["cases_before"]) == (0.5, 2)
    assert (change[""]["after"], change[""]["cases_after"]) == (1, 2)
    assert change["new"]["cases_after"] == 1
    assert change["unknown"] == {
        "before": None,
        "after": 1,
        "cases_before": 0,
        "cases_after": 1,
        "low": None,
        "high": None,
    }
    # Newcombe of 2/2 minus 1/2, from Wilson's 0.3424 to 1 and 0.0945 to 0.9055.
    assert (change[""]["low"], change[""]["high"]) == pytest.approx((-0.2726, 0.9055), abs=0.0001)


def test_trainers_stand_in_the_order_of_their_due_bookings() -> None:
    two = trained("2026-11-03 10:00", 2, trainer="t2")
    events = [
        *two,
        *trained("2026-11-03 10:00", 1, trainer="t3"),
        *trained("2026-11-03 10:00", 1, trainer="t1"),
    ]
    rows = rate(*events)["show_rate_trainers"]
    assert [(row["trainer"], row["due"]) for row in rows] == [("t2", 2), ("t1", 1), ("t3", 1)]
