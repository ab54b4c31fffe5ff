"""The oracle's Engagement promises what was worked out by hand.

Mondays are October 19, 26 and November 2, 9, 16, 23.
"""

from datetime import date, timedelta
from typing import Any

import pytest

from observability.capture import Occurrence
from observability.catalog.files import TemplateApplied
from tests.observability.dashboards.oracle import engagement
from tests.observability.dashboards.tales import (
    approved,
    at,
    drafted,
    goal,
    onboarded,
    question,
    seen,
    sent,
    tell,
    webhook,
)

NOW = at("2026-11-28 12:00")
BERLIN = "Europe/Berlin"


def told(
    *events: Occurrence, first: str = "2026-11-01", last: str = "2026-11-28", **asked: str
) -> dict[str, Any]:
    zone = asked.pop("zone", "UTC")
    return engagement(events, question(first, last, zone, **asked), NOW)


def test_actives_are_counted_up_to_the_last_day_that_is_over() -> None:
    events = [seen("client:c1", at(f"2026-11-{day} 10:00")) for day in (26, 26, 27, 28)]
    events += [seen("client:c2", at("2026-11-21 00:00")), seen("client:c3", at("2026-11-20 23:59"))]
    events += [seen("client:c4", at("2026-10-29 00:00")), seen("client:c5", at("2026-10-28 23:59"))]
    answer = told(*events, first="2026-11-26", last="2026-11-30")
    # November 26 and 27 are over; the 28th is today.
    assert answer["dau"] == 1
    # November 21 to 27, and October 29 to November 27.
    assert (answer["wau"], answer["mau"]) == (2, 4)
    assert answer["stickiness"] == pytest.approx((5 / 30) / 4)
    assert answer["active_people"] == {
        date(2026, 11, 26): (1, 3, 5),
        date(2026, 11, 27): (1, 2, 4),
        date(2026, 11, 28): (1, 1, 3),
    }


def test_where_no_day_is_over_nothing_is_known() -> None:
    answer = told(seen("client:c1", at("2026-11-28 10:00")), first="2026-11-28", last="2026-11-29")
    assert [answer[key] for key in ("dau", "wau", "mau", "stickiness")] == [None] * 4
    assert answer["hour_of_week"] == answer["score_risers"] == answer["score_fallers"] == []
    assert answer["score_distribution"] == {}
    # In Kiritimati it is the 29th already.
    assert told(first="2026-11-28", last="2026-11-29", zone="Pacific/Kiritimati")["dau"] == 0
    assert told(first="2026-11-28", last="2026-11-29", zone="Pacific/Kiritimati")["stickiness"] is None


def test_a_day_of_25_hours_is_one_day_and_its_double_hour_one_hour() -> None:
    twice = [at("2026-10-25 02:30", BERLIN), at("2026-10-25 02:30", BERLIN, fold=1)]
    assert twice[1] - twice[0] == timedelta(hours=1)
    edges = [at("2026-10-25 00:00", BERLIN), at("2026-10-25 23:59:59", BERLIN)]
    assert edges[1] - edges[0] == timedelta(hours=24, minutes=59, seconds=59)
    events = [seen("client:c1", moment) for moment in (*twice, *edges)] + [seen("client:c2", twice[1])]
    answer = told(*events, first="2026-10-25", last="2026-10-25", zone=BERLIN)
    assert answer["dau"] == 2
    sunday = answer["hour_of_week"][6]
    assert [(hour, people) for hour, people in enumerate(sunday) if people] == [(0, 1), (2, 2), (23, 1)]
    assert answer["hour_of_week"][:6] == [[None] * 24] * 6
    assert told(*events, first="2026-10-24", last="2026-10-24", zone=BERLIN)["dau"] == 0


def test_an_hour_of_the_week_is_an_average_over_the_days_that_are_over() -> None:
    # Three Fridays are over, November 13, 20 and 27; of Saturdays the 14th and the 21st, but not today.
    events = [seen("client:c1", at("2026-11-13 09:59")), seen("client:c1", at("2026-11-13 09:00"))]
    events += [seen("client:c2", at("2026-11-20 09:30")), seen("client:c1", at("2026-11-28 09:30"))]
    grid = told(*events, first="2026-11-13", last="2026-11-28")["hour_of_week"]
    assert grid[4][9] == pytest.approx(2 / 3)
    assert grid[4][10] == grid[5][9] == 0


def test_a_draft_is_of_the_period_by_its_making_and_of_now_by_its_state() -> None:
    events = [drafted("d0", at("2026-10-31 23:59")), sent("d9", at("2026-11-05 10:00"))]
    events += [drafted(f"d{i}", at("2026-11-01 00:00")) for i in range(1, 6)]
    events += [approved(f"d{i}", at("2026-11-28 11:00"), edited=i == 2) for i in (1, 2, 3)]
    # Approved once more, unchanged: it has been changed all the same.
    events += [approved("d2", at("2026-11-28 11:30")), drafted("d2", at("2026-11-28 11:40"))]
    # Sent without anybody having approved it: in no funnel.
    events += [sent("d1", at("2026-11-28 11:50")), sent("d5", at("2026-11-28 11:50"))]
    answer = told(*events, first="2026-11-01", last="2026-11-02")
    assert answer["drafts_created"] == 5
    assert answer["drafts_approved"] == 3 / 5
    assert answer["drafts_sent"] == answer["drafts_edited"] == 1 / 3
    assert answer["inbox_funnel"] == [5, 3, 1]
    assert told(first="2026-11-01", last="2026-11-02")["drafts_approved"] is None


def test_a_draft_is_of_its_own_trainer_and_of_its_clients_segment() -> None:
    events = [drafted("d1", at("2026-11-05 10:00"), trainer="t1")]
    events += [onboarded("c1", at("2026-11-06 10:00"), trainer="t2", segment="vip")]
    for filters, expected in (({"trainer": "t1"}, 1), ({"trainer": "t2"}, 0), ({"segment": "vip"}, 1)):
        assert told(*events, **filters)["drafts_created"] == expected
    assert told(*events, segment="unknown")["drafts_created"] == 0


@pytest.mark.parametrize(
    ("after", "minutes"),
    [
        (timedelta(0), None),
        (timedelta(seconds=1), 0),
        (timedelta(seconds=119), 1),
        (timedelta(hours=48), 2_880),
        (timedelta(hours=48, seconds=1), None),
        (-timedelta(hours=1), None),
    ],
)
def test_a_reply_comes_later_than_the_message_and_within_48_hours(
    after: timedelta, minutes: int | None
) -> None:
    message = at("2026-11-05 10:00")
    answer = told(sent("d1", message), webhook(message + after, client_id="c1"))
    assert answer["response_rate"] == (minutes is not None)
    assert answer["response_median"] == minutes


def test_a_reply_is_an_inbound_message_of_the_client_or_the_contact() -> None:
    message, reply = at("2026-11-05 10:00"), at("2026-11-05 10:30")
    for answer, expected in (
        (webhook(reply, contact_id="c1"), 1),
        (webhook(reply, client_id="c1", contact_id="other"), 1),
        (webhook(reply, client_id="c2"), 0),
        (webhook(reply), 0),
        (webhook(reply, client_id="c1", topic="outbound_message"), 0),
    ):
        assert told(sent("d1", message), answer)["response_rate"] == expected


def test_the_first_reply_counts_for_every_message_before_it() -> None:
    events = [sent("d1", at("2026-11-05 10:00")), sent("d2", at("2026-11-05 10:10"))]
    events += [
        webhook(at("2026-11-05 10:30"), client_id="c1"),
        webhook(at("2026-11-05 10:20"), client_id="c1"),
    ]
    events += [sent("d3", at("2026-11-05 10:40")), sent("d1", at("2026-11-05 10:29"))]
    answer = told(*events)
    assert answer["response_rate"] == 2 / 3
    # 20 and 10 minutes.
    assert answer["response_median"] == 15
    assert answer["cases"] == {**answer["cases"], "response_rate": 3, "response_median": 2}


def test_messages_of_a_day_wait_until_it_has_been_over_for_48_hours() -> None:
    early = sent("d1", at("2026-11-25 00:00", BERLIN))
    asked = question("2026-11-25", "2026-11-25", BERLIN)
    over = at("2026-11-28 00:00", BERLIN)
    assert engagement([early], asked, over)["response_rate"] == 0
    assert engagement([early], asked, over - timedelta(seconds=1))["response_rate"] is None
    assert engagement([early], asked, over - timedelta(seconds=1))["cases"]["response_rate"] == 0


def test_goals_engage_clients_who_are_active() -> None:
    on = at("2026-11-05 10:00")
    events = [seen("client:c1", on), seen("client:c2", on), seen("trainer:t1", on), goal("client:c1", on)]
    events += [goal("trainer:t1", on, client="c2"), goal("trainer:t1", on, client="c3")]
    events += [goal("client:c4", at("2026-10-05 10:00"), client="c4")]
    answer = told(*events)
    assert (answer["goal_engagement"], answer["cases"]["goal_engagement"]) == (1 / 2, 2)
    assert answer["goal_engagement_named"] == 1
    assert told()["goal_engagement"] is None


def test_feature_use_counts_different_people_by_week() -> None:
    events = [
        seen(f"client:c{i}", at(f"2026-11-{day} 10:00")) for i, day in ((1, "04"), (1, "05"), (2, "08"))
    ]
    events += [seen("client:c3", at("2026-11-03 10:00")), seen("client:c1", at("2026-11-09 10:00"))]
    use = told(*events, first="2026-11-04", last="2026-11-10")["feature_use"]
    assert {week: counts["login"] for week, counts in use.items()} == {
        date(2026, 11, 2): 2,
        date(2026, 11, 9): 1,
    }
    assert set(use[date(2026, 11, 2)].values()) == {0, 2}


def test_a_score_has_three_points_a_day_for_20_days_and_five_a_feature() -> None:
    # The 28 days up to November 27 begin on October 31.
    days = [at("2026-10-31 00:00") + timedelta(days=i) for i in range(28)]
    events = [seen("client:busy", day) for day in days]
    events += [
        tell(days[0], "client:busy", TemplateApplied(template_id="p1", trainer_id="t1", kind="program"))
    ]
    events += [seen("client:rare", day) for day in (days[3], days[3], days[4], days[-1] + timedelta(days=1))]
    events += [seen("client:gone", days[0] - timedelta(microseconds=1))]
    answer = told(*events)
    assert answer["score_distribution"] == {"client:busy": 70, "client:rare": 11}
    assert answer["score_risers"] == [("client:busy", 0, 70), ("client:rare", 0, 11)]
    assert answer["score_fallers"] == [("client:gone", 8, 0)]


def test_ten_rise_and_ten_fall_at_most_in_the_order_of_change_and_name() -> None:
    before, since = at("2026-10-10 10:00"), at("2026-11-10 10:00")
    events = [seen(f"client:r{i:02}", since) for i in range(12)] + [seen("client:same", before)]
    events += [seen(f"client:f{i:02}", before) for i in range(12)] + [seen("client:same", since)]
    events += [seen("client:r11", since + timedelta(days=1)), seen("client:f11", before + timedelta(days=1))]
    answer = told(*events)
    assert [who for who, _, _ in answer["score_risers"]] == [
        "client:r11",
        *(f"client:r{i:02}" for i in range(9)),
    ]
    assert [who for who, _, _ in answer["score_fallers"]] == [
        "client:f11",
        *(f"client:f{i:02}" for i in range(9)),
    ]
    assert answer["score_risers"][0] == ("client:r11", 0, 11)
