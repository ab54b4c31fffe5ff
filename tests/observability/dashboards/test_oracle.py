"""The oracle promises what was worked out by hand. Here: days, people and filters, which all share."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from observability.catalog.booking import BookingCanceled, BookingScheduled
from observability.catalog.performance import PageLoadTime
from observability.custom_events import CustomEvent
from tests.observability.dashboards.edges import CHANGES
from tests.observability.dashboards.oracle import Past, activation, engagement
from tests.observability.dashboards.past import first_moment, local_day, percentile
from tests.observability.dashboards.tales import at, onboarded, question, registered, seen, tell, turn

NOW = at("2026-11-28 12:00")
NOVEMBER = question("2026-11-01", "2026-11-27")


@pytest.mark.parametrize(
    ("day", "zone", "first", "hours"),
    [
        ("2026-10-25", "Europe/Berlin", "2026-10-24 22:00", 25),
        ("2026-11-01", "America/New_York", "2026-11-01 04:00", 25),
        ("2026-10-04", "Australia/Lord_Howe", "2026-10-03 13:30", 23.5),
        ("2026-09-27", "Pacific/Chatham", "2026-09-26 11:15", 23),
        ("2026-11-01", "Asia/Kathmandu", "2026-10-31 18:15", 24),
        # There is no midnight: the day begins at one o'clock.
        ("2026-09-06", "America/Santiago", "2026-09-06 04:00", 23),
        # There are two midnights: the day begins at the first.
        ("2026-11-01", "America/Havana", "2026-11-01 04:00", 25),
    ],
)
def test_a_day_is_as_long_as_its_clocks_make_it(day: str, zone: str, first: str, hours: float) -> None:
    on = date.fromisoformat(day)
    assert first_moment(on, zone) == at(first)
    assert first_moment(on + timedelta(days=1), zone) - first_moment(on, zone) == timedelta(hours=hours)
    assert local_day(at(first), zone) == on
    assert local_day(at(first) - timedelta(microseconds=1), zone) == on - timedelta(days=1)


def test_the_changes_of_clocks_are_where_the_histories_expect_them() -> None:
    for zone, moment in CHANGES.items():
        hair = timedelta(microseconds=1)
        before, after = ((moment + beside).astimezone(ZoneInfo(zone)) for beside in (-hair, timedelta(0)))
        assert before.utcoffset() != after.utcoffset(), zone


def test_percentiles_lie_between_values() -> None:
    assert percentile([4, 1, 3, 2], 0.5) == 2.5
    assert percentile([4, 1, 3, 2], 0.75) == 3.25
    assert percentile([7], 0.9) == 7
    assert percentile([], 0.5) is None


def test_a_client_is_whose_trainer_and_segment_were_named_last() -> None:
    start = at("2026-11-20 10:00")
    ended = onboarded("c1", at("2026-11-03 10:00"), trainer="t1", segment="new")
    made = turn(BookingScheduled, at("2026-11-04 10:00"), start, trainer="t2", segment="regular")
    off = turn(BookingCanceled, at("2026-11-05 10:00"), start, trainer="t3")
    for events, expected in (
        ([], ("", "unknown")),
        ([ended], ("t1", "new")),
        ([made, ended], ("t2", "regular")),
        # The last event names a trainer, but no segment: that of the one before it stays.
        ([off, ended, made], ("t3", "regular")),
    ):
        person = Past(events).person("client:c1")
        assert (person.trainer, person.segment) == expected
    # At the same moment, the greater word.
    same = [
        turn(BookingScheduled, at("2026-11-04 10:00"), start, number=number, trainer=trainer, segment=segment)
        for number, trainer, segment in (("b1", "t8", "new"), ("b2", "t9", "a"))
    ]
    person = Past(same).person("client:c1")
    assert (person.trainer, person.segment) == ("t9", "new")


def test_a_filter_keeps_the_people_of_a_trainer_and_the_trainer() -> None:
    events = [
        turn(BookingScheduled, at("2026-11-04 10:00"), at("2026-11-20 10:00"), trainer="t1", segment="new"),
        seen("trainer:t1", at("2026-11-04 10:00")),
        seen("trainer:t2", at("2026-11-04 10:00")),
        seen("anon-1", at("2026-11-04 10:00")),
    ]

    def people(**filters: str) -> object:
        return engagement(events, question("2026-11-04", "2026-11-04", **filters), NOW)["dau"]

    assert people() == 4
    assert people(trainer="t1") == 2
    assert people(segment="new") == 1
    assert people(segment="unknown") == 3
    assert people(trainer="t1", segment="unknown") == 1
    assert people(trainer="t9") == 0


def test_only_what_humans_do_makes_active_and_only_who_did_it() -> None:
    on = at("2026-11-04 10:00")
    events = [
        tell(on, "client:c1", PageLoadTime(duration_ms=1.0, page="/home")),
        tell(on, "client:c2", CustomEvent("referral_shared", {})),  # type: ignore[arg-type]
        turn(BookingScheduled, on, on, client="c3"),
        onboarded("c4", on),
    ]
    # Told by somebody else about a client.
    events.append(registered("c5", on, who="staff:s1"))
    answer = engagement(events, question("2026-11-04", "2026-11-04"), NOW)
    assert set(answer["score_distribution"]) == {"client:c3", "client:c4", "staff:s1"}


def test_the_first_registration_counts_and_its_day_is_one_of_the_zone() -> None:
    events = [
        registered("c1", at("2026-11-05 10:00")),
        registered("c1", at("2026-11-03 23:30")),
        registered("t1", at("2026-11-03 23:30"), role="trainer"),
        registered("s1", at("2026-11-03 23:30"), role="staff"),
    ]
    for zone, day, expected in (
        ("UTC", "2026-11-03", 1),
        ("UTC", "2026-11-05", 0),
        ("Europe/Berlin", "2026-11-04", 1),
        ("Europe/Berlin", "2026-11-03", 0),
    ):
        answer = activation(events, question(day, day, zone), NOW)
        assert answer["clients_signed_up"] == answer["trainers_signed_up"] == expected
    assert (
        activation(events, question("2026-11-03", "2026-11-03", trainer="t1"), NOW)["trainers_signed_up"] == 1
    )
    assert (
        activation(events, question("2026-11-03", "2026-11-03", trainer="t1"), NOW)["clients_signed_up"] == 0
    )
