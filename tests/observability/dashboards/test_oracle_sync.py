"""The oracle's Sync health promises what was worked out by hand."""

from datetime import date
from typing import Any

import pytest

from observability.capture import Occurrence
from observability.catalog.sync import SyncDropped, SyncOk, SyncRetry
from tests.observability.dashboards.oracle import sync_health
from tests.observability.dashboards.tales import at, attempt, question, webhook

NOW = at("2026-11-28 12:00")
ON = at("2026-11-10 10:00")


def told(
    *events: Occurrence, first: str = "2026-11-01", last: str = "2026-11-28", **asked: str
) -> dict[str, Any]:
    zone = asked.pop("zone", "UTC")
    return sync_health(events, question(first, last, zone, **asked), NOW)


def test_success_is_of_settled_jobs_and_retries_of_attempts() -> None:
    events = [attempt(SyncOk, ON) for _ in range(6)] + [attempt(SyncDropped, ON) for _ in range(2)]
    events += [attempt(SyncRetry, ON) for _ in range(8)]
    answer = told(*events)
    assert answer["sync_success"] == 6 / 8
    assert answer["retry_rate"] == 8 / 16
    # Of 0.04 failures allowed, 2 have happened: all, and 49 times all more.
    assert answer["error_budget"] == pytest.approx(-49)
    assert answer["cases"] == {
        **answer["cases"],
        "sync_success": 8,
        "retry_rate": 16,
        "ghl": 16,
        "settled": 6,
    }
    nothing = told()
    assert nothing["sync_success"] is nothing["retry_rate"] is nothing["error_budget"] is None


def test_what_came_twice_counts_once() -> None:
    once = attempt(SyncOk, ON)
    assert told(once, attempt(SyncOk, ON), once)["cases"]["sync_success"] == 2


def test_the_error_budget_is_whole_without_failures_and_half_with_half_of_them() -> None:
    assert told(attempt(SyncOk, ON))["error_budget"] == 1
    events = [attempt(SyncOk, ON) for _ in range(399)] + [attempt(SyncDropped, ON)]
    assert told(*events)["error_budget"] == pytest.approx(0.5)


def test_times_are_those_of_successes_and_of_all_attempts() -> None:
    events = [attempt(SyncOk, ON, ms=100.0 * i, settled_s=float(i)) for i in range(1, 6)]
    events += [attempt(SyncDropped, ON, ms=700.0, settled_s=900.0), attempt(SyncRetry, ON, ms=600.0)]
    answer = told(*events)
    assert answer["settled_s"] == [1, 2, 3, 4, 5]
    assert (answer["settled_p50"], answer["settled_p95"]) == (3, pytest.approx(4.8))
    assert answer["ghl_ms"] == [100, 200, 300, 400, 500, 600, 700]
    assert (answer["ghl_p50"], answer["ghl_p99"]) == (400, pytest.approx(694))
    assert answer["sync_latency"][date(2026, 11, 10)] == (3, pytest.approx(4.8), pytest.approx(4.96))
    assert answer["sync_latency"][date(2026, 11, 11)] is None


def test_location_and_operation_keep_attempts_and_trainers_are_nothing_to_sync() -> None:
    events = [attempt(SyncOk, ON), attempt(SyncOk, ON, location="l2", operation="message.send")]
    events += [webhook(ON, location="l2", duration_ms=5.0), webhook(ON, duration_ms=9.0)]
    for filters, attempts, webhooks in (
        ({}, 2, 2),
        ({"location": "l2"}, 1, 1),
        ({"operation": "message.send"}, 1, 2),
        ({"location": "l1", "operation": "message.send"}, 0, 1),
        ({"trainer": "t9", "segment": "vip"}, 2, 2),
    ):
        answer = told(*events, **filters)
        assert (answer["cases"]["sync_success"], answer["webhooks_received"]) == (attempts, webhooks)
    assert told(*events)["webhook_stored_p95"] == pytest.approx(8.8)


def test_outcomes_go_by_day_of_the_zone_and_by_hour_for_two_days() -> None:
    # A quarter past five in the morning of the 11th in Kathmandu.
    late = at("2026-11-10 23:30")
    events = [attempt(SyncOk, ON), attempt(SyncRetry, late, code="status_503"), attempt(SyncDropped, late)]
    answer = told(*events, first="2026-11-10", last="2026-11-12", zone="Asia/Kathmandu")
    assert answer["sync_outcomes"] == {
        date(2026, 11, 10): (1, 0, 0),
        date(2026, 11, 11): (0, 1, 1),
        date(2026, 11, 12): (0, 0, 0),
    }
    assert answer["sync_success_trend"] == {
        date(2026, 11, 10): 1,
        date(2026, 11, 11): 0,
        date(2026, 11, 12): None,
    }
    assert answer["sync_errors"][date(2026, 11, 11)] == {"status_503": 1, "timeout": 1}
    assert answer["sync_errors"][date(2026, 11, 10)] == {}
    hours = told(*events, first="2026-11-10", last="2026-11-11", zone="Asia/Kathmandu")["sync_outcomes"]
    assert len(hours) == 48
    assert {when: counts for when, counts in hours.items() if any(counts)} == {
        (date(2026, 11, 10), 15): (1, 0, 0),
        (date(2026, 11, 11), 5): (0, 1, 1),
    }
