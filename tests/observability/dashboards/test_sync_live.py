"""How sync stands now: every number said as it is, those with trouble first, at the same cost for many."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from uuid_utils.compat import uuid7

from observability import counters, health
from observability.counters import Counter
from observability.dashboards import definitions, sync_health
from observability.dashboards.panels import Chart, Dashboard, Figure, Section
from observability.dashboards.question import Question
from observability.models import EventMinute, Heartbeat, LatencyQuarter, SyncQuarter, Watermark
from observability.timings import bucket_of
from sync.models import (
    Breaker,
    Budget,
    CauseGroup,
    DeadLetter,
    KillSwitch,
    LedgerCheck,
    Location,
    SyncJob,
    Webhook,
)
from trainu import schedules

NOW = datetime(2026, 11, 23, 12, 7, 30, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TODAY = Question(NOW.date() - DAY, NOW.date())
WEEK = Question(NOW.date() - 6 * DAY, NOW.date())

pytestmark = pytest.mark.django_db


def location(number: int, **overrides: Any) -> Location:
    given = {"pk": f"loc-{number}", "name": f"Studio {number:03}", "created_at": NOW} | overrides
    return Location.objects.create(**given)


def job(**overrides: Any) -> SyncJob:
    given: dict[str, Any] = {
        "id": uuid7(),
        "location_id": "loc-1",
        "operation": "contact.add_tags",
        "payload": {},
        "next_at": NOW,
        "created_at": NOW - MINUTE,
        "correlation_id": "journey-1234",
    }
    return SyncJob.objects.create(**(given | overrides))


def letter(cause: str, died_at: datetime, state: str = "open") -> None:
    group, _ = CauseGroup.objects.get_or_create(
        fingerprint=cause,
        version=1,
        defaults={
            "integration": "ghl",
            "subject": "contact.add_tags",
            "code": cause,
            "cause": "refused",
            "first_seen_at": died_at,
            "last_seen_at": died_at,
        },
    )
    ended = {"resolved_at": NOW, "discarded_by": "nora", "discard_reason": "gone"}
    DeadLetter.objects.create(
        job=job(state="dead", cause="refused", settled_at=died_at),
        group=group,
        location_id="loc-1",
        state=state,
        code=cause,
        died_at=died_at,
        first_died_at=died_at,
        **(ended if state == "discarded" else {}),
    )


def live(question: Question = WEEK) -> list[Section]:
    return sync_health.live(question, now=NOW)


def figure(key: str, sections: list[Section] | None = None) -> Figure:
    return Dashboard("", "", None, live() if sections is None else sections).figure(key)


def rows(key: str, question: Question = WEEK) -> list[list[Any]]:
    return [list(row) for row in chart(key, question).table().rows]


def chart(key: str, question: Question = WEEK) -> Chart:
    return Dashboard("", "", None, live(question)).chart(key)


def row(key: str, name: str, question: Question = WEEK) -> dict[str, Any]:
    table = chart(key, question).table()
    [found] = [one for one in table.rows if one[0] == name]
    return dict(zip(table.columns, found, strict=True))


def test_an_empty_house_says_what_is_not_known_and_is_not_in_trouble() -> None:
    dashboard = sync_health.build(WEEK, now=NOW)
    unknown = {
        *("success_hour", "success_day", "settled_p50_hour", "settled_p95_hour", "ghl_p50_hour"),
        *("ghl_p95_hour", "dead_letters_oldest", "sync_success", "error_budget", "retry_rate"),
        *("settled_p50", "settled_p95", "settled_p99", "ghl_p50", "ghl_p95", "ghl_p99"),
        *("webhook_stored_p95", "webhook_processed_p95"),
    }
    figures = [one for section in dashboard.sections for one in section.figures]
    assert {one.key for one in figures if one.value is None} == unknown
    assert {one.value for one in figures} == {None, 0}
    assert "missed" not in {one.verdict for one in figures}
    assert dashboard.counted_at is None


def test_every_figure_and_chart_has_words_and_its_links_lead_to_pages_that_there_are(
    boss: Client,
) -> None:
    location(1)
    SyncQuarter.objects.create(
        quarter=NOW, location_id="loc-1", operation="message.send", outcome="retry", code="timeout", count=1
    )
    for question in (TODAY, Question(WEEK.first, WEEK.last, location="loc-1", operation="message.send")):
        dashboard = sync_health.build(question, now=NOW)
        figures = [one for section in dashboard.sections for one in section.figures]
        charts = [one for section in dashboard.sections for one in section.charts]
        keys = [one.key for one in [*figures, *charts]]
        assert len(set(keys)) == len(keys)
        assert set(keys) <= set(definitions.WORDS)
        urls = [one.url for one in figures] + [url for one in charts for url in one.table().urls]
        urls += [
            one.url for each in charts for one in getattr(each, "series", ()) if each.key != "sync_latency"
        ]
        assert len(urls) > 40
        for url in set(urls):
            # A filter that there is not leads elsewhere.
            assert boss.get(url).status_code == 200, url
    assert "subject=message.send" in dashboard.figure("sync_success").url
    assert "event=sync_retry" in dashboard.figure("retry_rate").url
    # All the words of this dashboard are shown on it.
    words = list(definitions.WORDS)
    assert set(words[words.index("sync_success") :]) == set(keys)


def test_success_of_the_last_hour_and_day_is_of_so_many_minutes() -> None:
    at = NOW.replace(second=0)
    for event, ago, events in (
        ("sync_ok", 0 * MINUTE, 40),
        ("sync_ok", 59 * MINUTE, 2),
        ("sync_dropped", 59 * MINUTE, 8),
        ("sync_retry", 1 * MINUTE, 99),
        ("sync_ok", 60 * MINUTE, 100),
        ("sync_dropped", DAY - MINUTE, 50),
        ("sync_dropped", DAY, 1_000),
    ):
        EventMinute.objects.create(event=event, minute=at - ago, events=events)
    last = figure("success_hour")
    assert (last.value, last.sample, last.verdict) == (42 / 50, 50, "missed")
    # On the full minute, the one that ended an hour ago is out.
    assert figure("success_hour", sync_health.live(WEEK, now=at)).sample == 50
    last = figure("success_day")
    assert (last.value, last.sample) == (142 / 200, 200)


def test_latency_of_the_last_hour_begins_with_its_quarter() -> None:
    for quarter, metric, seconds, observations in (
        (datetime(2026, 11, 23, 12, tzinfo=UTC), "settled", 2.0, 90),
        (datetime(2026, 11, 23, 11, tzinfo=UTC), "settled", 400.0, 10),
        (datetime(2026, 11, 23, 10, 45, tzinfo=UTC), "settled", 9_000.0, 99),
        (datetime(2026, 11, 23, 12, tzinfo=UTC), "ghl", 0.25, 7),
    ):
        LatencyQuarter.objects.create(
            quarter=quarter, metric=metric, bucket=bucket_of(seconds), observations=observations
        )
    sections = live()
    assert figure("settled_p50_hour", sections).value == pytest.approx(2, rel=0.025)
    assert figure("settled_p95_hour", sections).value == pytest.approx(400, rel=0.025)
    assert figure("settled_p95_hour", sections).sample == 100
    assert figure("ghl_p50_hour", sections).value == pytest.approx(250, rel=0.025)
    assert figure("ghl_p95_hour", sections).unit == "milliseconds"


def test_what_waits_is_late_in_hand_or_held_is_told() -> None:
    location(1)
    job(next_at=NOW - 3 * MINUTE)
    job(next_at=NOW + 30 * timedelta(seconds=1))
    job(state="leased", next_at=NOW + MINUTE)
    job(state="leased", next_at=NOW - MINUTE)
    Webhook.objects.create(
        dedupe_key="w-1",
        location_id="loc-1",
        kind="marketplace",
        topic="contact_create",
        body=b"{}",
        received_at=NOW,
        next_at=NOW,
        correlation_id="journey-1234",
    )
    sections = live()
    late = figure("jobs_late", sections)
    assert (late.value, late.verdict) == (180.0, "missed")
    waiting = figure("jobs_waiting", sections)
    assert (waiting.value, waiting.note) == (2, "The next comes due in 30 s.")
    in_hand = figure("jobs_in_hand", sections)
    assert (in_hand.value, in_hand.note) == (2, "Lost with their process: 1. They are taken back.")
    assert figure("webhooks_waiting", sections).value == 1
    assert figure("messages_held", sections).note == "The kill switch is off."
    troubled = figure("locations_troubled", sections)
    assert (troubled.value, troubled.note, troubled.verdict) == (1, "Of 1.", "missed")

    row = {"is_on": True, "changed_at": NOW - HOUR, "by": "nora", "reason": "a wrong text"}
    KillSwitch.objects.update_or_create(pk=1, defaults=row)
    job(operation="message.send", next_at=NOW - MINUTE)
    held = figure("messages_held")
    assert (held.value, held.note) == (1, "The kill switch is on since 2026-11-23 11:07 UTC.")


def test_dead_letters_are_told_now_and_at_each_check_of_the_ledger() -> None:
    location(1)
    letter("timeout", NOW - 3 * HOUR)
    letter("refused", NOW - 9 * HOUR)
    letter("refused", NOW - 30 * HOUR, state="discarded")
    for days, is_open in ((7, 9), (6, 5), (0, 4)):
        LedgerCheck.objects.create(
            day=NOW.date() - days * DAY,
            checked_at=NOW - days * DAY - HOUR,
            dead=is_open,
            open=is_open,
            redriving=0,
            recovered=0,
            discarded=0,
            superseded=0,
        )
    question = Question(WEEK.first, WEEK.last, "Asia/Kathmandu")
    dashboard = sync_health.build(question, now=NOW)
    is_open = dashboard.figure("dead_letters_open")
    assert (is_open.value, is_open.note) == (2, "Of 2 causes.")
    assert dashboard.figure("dead_letters_oldest").value == 9 * 3_600
    assert [list(row) for row in dashboard.chart("dead_letter_backlog").table().rows] == [
        ["2026-11-17 16:52", 5],
        ["2026-11-23 16:52", 4],
        ["Now", 2],
    ]


def test_a_location_shows_how_it_stands() -> None:
    location(1)
    location(2)
    Breaker.objects.filter(location="loc-2").update(state="open", opened_at=NOW, probe_at=NOW + MINUTE)
    Budget.objects.filter(location="loc-2").update(
        tokens=3, refilled_at=NOW, day=NOW.date(), used_today=70, held_until=NOW + 40 * timedelta(seconds=1)
    )
    job(location_id="loc-2", next_at=NOW - 90 * timedelta(seconds=1))
    job(location_id="loc-2", next_at=NOW + 5 * MINUTE)
    for quarter, place, outcome, count in (
        (datetime(2026, 11, 22, 12, 0, tzinfo=UTC), "loc-2", "ok", 3),
        (datetime(2026, 11, 23, 12, 0, tzinfo=UTC), "loc-2", "dropped", 1),
        (datetime(2026, 11, 23, 12, 0, tzinfo=UTC), "loc-2", "retry", 50),
        (datetime(2026, 11, 22, 11, 45, tzinfo=UTC), "loc-2", "dropped", 77),
        (datetime(2026, 11, 23, 12, 0, tzinfo=UTC), "loc-1", "dropped", 1),
    ):
        SyncQuarter.objects.create(
            quarter=quarter,
            location_id=place,
            operation="message.send",
            outcome=outcome,
            count=count,
            code="",
        )
    assert [one[0] for one in rows("location_status")] == ["Studio 002", "Studio 001"]
    assert row("location_status", "Studio 002") == {
        "Location": "Studio 002",
        "Id": "loc-2",
        "State": "Active",
        "GoHighLevel": "Does not answer",
        "May ask at once": 3,
        "Asked today": 70,
        "Of": 190_000,
        "Rests for": 40.0,
        "Waiting": 2,
        "First one late for": 90.0,
        "Next due in": 300.0,
        "Success, 24 hours": 0.75,
        "Settled, 24 hours": 4,
    }
    assert row("location_status", "Studio 001")["Success, 24 hours"] == 0.0
    found = chart("location_status").table().urls
    assert list(found) == ["/admin/sync/location/loc-2/change/", "/admin/sync/location/loc-1/change/"]


def test_a_filter_lists_its_location_alone_and_says_when_there_is_none() -> None:
    location(1)
    location(2)
    one = Question(WEEK.first, WEEK.last, location="loc-1")
    assert [row[0] for row in rows("location_status", one)] == ["Studio 001"]
    nobody = Question(WEEK.first, WEEK.last, location="loc-9")
    assert rows("location_status", nobody) == []
    assert chart("location_status", nobody).note == "There is no such location."


def test_integrations_are_as_health_has_found_them() -> None:
    [ghl, posthog, sentry] = rows("integration_status")
    assert ghl == ["GoHighLevel", "Well", "Jobs and webhooks are worked off."]
    assert posthog == ["PostHog", "Off", "POSTHOG_API_KEY is not set"]
    assert sentry == ["Sentry", "Off", "SENTRY_DSN is not set"]


def test_integrations_that_are_on_say_how_they_do(settings: Any) -> None:
    settings.POSTHOG_API_KEY = "phc_tests"
    settings.SENTRY_DSN = "https://key@127.0.0.1:1/1"
    [_, posthog, sentry] = rows("integration_status")
    assert posthog == ["PostHog", "Well", "Events have waited for 0 s at most."]
    assert sentry == ["Sentry", "Well", "It gets every error."]


@pytest.mark.parametrize(
    ("check", "finding", "row"),
    [
        (
            "sync",
            health.Finding(health.Status.WARN, {"wrong": ["Jobs wait.", "Webhooks wait."]}),
            ["GoHighLevel", "Degraded", "Jobs wait. Webhooks wait."],
        ),
        (
            "posthog",
            health.Finding(health.Status.PASS, {"state": "on", "lag_s": 3.2}),
            ["PostHog", "Well", "Events have waited for 3 s at most."],
        ),
        (
            "posthog",
            health.Finding(
                health.Status.WARN,
                {"state": "failing", "last_error": "Unreachable: timeout", "failures": 1_234},
            ),
            ["PostHog", "Degraded", "Unreachable: timeout; failed 1,234 times in a row."],
        ),
        (
            "posthog",
            health.Finding(health.Status.WARN, {"state": "paused", "lag_s": 4_000.0}),
            ["PostHog", "Degraded", "Somebody has paused it; events have waited for 4,000 s."],
        ),
        (
            "sentry",
            health.Finding(health.Status.PASS, {"state": "on", "dropped": 0}),
            ["Sentry", "Well", "It gets every error."],
        ),
        (
            "sentry",
            health.Finding(health.Status.WARN, {"state": "dropping", "dropped": 12}),
            ["Sentry", "Degraded", "12 errors were not brought there lately. They are counted here."],
        ),
        (
            "sync",
            health.Finding(health.Status.WARN, {"error": "no answer in 2 s"}),
            ["GoHighLevel", "Degraded", "The check did not end: no answer in 2 s."],
        ),
    ],
)
def test_a_finding_is_said_in_words(
    monkeypatch: pytest.MonkeyPatch, check: str, finding: health.Finding, row: list[str]
) -> None:
    monkeypatch.setitem(health.ALL, check, lambda: finding)
    assert row in rows("integration_status")


def test_silent_lanes_come_first_and_what_need_not_run_is_gone() -> None:
    first, second, *others = schedules.lanes()
    for name, ago in (
        *((name, timedelta(seconds=3)) for name in others),
        (second, 3 * DAY),
        ("cluster a:1", HOUR),
        ("cluster b:2", -timedelta(seconds=1)),
        ("cluster c:3", 2 * DAY),
    ):
        Heartbeat.objects.create(name=name, beat_at=NOW - ago)
    found = rows("workers")
    silent = sorted([[first, "Silent", None], [second, "Silent", 3 * 86_400.0]])
    assert found[:2] == silent
    assert found[-1] == ["cluster a:1", "Gone", 3_600.0]
    assert ["cluster b:2", "Alive", 0.0] in found
    assert {one[0] for one in found} == {*schedules.lanes(), "cluster a:1", "cluster b:2"}


def test_what_was_put_off_is_of_the_zones_days_and_says_why() -> None:
    # Nine o'clock in the evening of the 19th, UTC, is the 20th in Tokyo.
    counters.add(Counter.SYNC_DEFERRED, "rate_limited", 4, now=datetime(2026, 11, 19, 21, tzinfo=UTC))
    counters.add(Counter.SYNC_DEFERRED, "kill_switch", 9, now=datetime(2026, 11, 21, 14, 59, tzinfo=UTC))
    counters.add(Counter.SYNC_DEFERRED, "kill_switch", 50, now=datetime(2026, 11, 21, 15, tzinfo=UTC))
    counters.add(Counter.SYNC_DEFERRED, "rate_limited", 7, now=datetime(2026, 11, 19, 14, 59, tzinfo=UTC))
    counters.flush()
    question = Question(date(2026, 11, 20), date(2026, 11, 21), "Asia/Tokyo")
    found = sync_health.build(question, now=NOW).figure("deferred")
    assert (found.value, found.before, found.note) == (13, 7, "Most: kill switch 9, rate limited 4.")


def test_what_no_filter_can_tell_says_that_it_is_of_all() -> None:
    question = Question(WEEK.first, WEEK.last, operation="message.send")
    dashboard = sync_health.build(question, now=NOW)
    assert len(dashboard.notes) == 1
    of_all = {
        one.key
        for section in dashboard.sections
        for one in [*section.figures, *section.charts]
        if sync_health.OF_ALL in one.note
    }
    assert of_all == {
        *("deferred", "settled_p50", "settled_p95", "settled_p99", "ghl_p50", "ghl_p95", "ghl_p99"),
        *("sync_latency", "dead_letter_backlog", "webhook_stored_p95"),
    }
    plain = sync_health.build(WEEK, now=NOW)
    assert (plain.notes, plain.figure("settled_p50").note) == ([], "")


def test_the_page_says_up_to_when_events_are_counted() -> None:
    Watermark.objects.create(consumer="rollups", xid=1, moved_at=NOW - MINUTE)
    assert sync_health.build(WEEK, now=NOW).counted_at == NOW - MINUTE


def test_it_costs_as_many_statements_for_forty_locations_as_for_one() -> None:
    def asked(question: Question) -> tuple[int, int]:
        sync_health.build(question, now=NOW)
        with CaptureQueriesContext(connection) as all_of_it:
            sync_health.build(question, now=NOW)
        with CaptureQueriesContext(connection) as now_only:
            sync_health.live(question, now=NOW)
        return len(all_of_it), len(now_only)

    location(1)
    one = [asked(WEEK), asked(TODAY), asked(Question(WEEK.first, WEEK.last, operation="message.send"))]
    assert one == [(27, 16), (27, 16), (29, 16)]
    for number in range(2, 41):
        location(number)
        job(location_id=f"loc-{number}")
    assert [
        asked(WEEK),
        asked(TODAY),
        asked(Question(WEEK.first, WEEK.last, operation="message.send")),
    ] == one
    listing = chart("location_status")
    assert len(listing.table().rows) == 25
    assert listing.note == "The first 25 of 40, those with trouble first. The others are in Locations."
