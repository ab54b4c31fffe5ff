"""Timings: every request counts in the histogram, one in N becomes an event, and it costs little."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from observability import timings
from observability.models import DurationMinute, Event
from observability.timings import GAMMA, bucket_of, recorder

pytestmark = pytest.mark.django_db


def observed(metric: str, label: str) -> int:
    rows = DurationMinute.objects.filter(metric=metric, label=label)
    return sum(rows.values_list("observations", flat=True))


def test_every_request_is_counted_by_its_route(client: Client) -> None:
    for _ in range(7):
        client.get("/api/health/live")
    recorder.flush()
    assert observed("api_response_time", "/api/health/live") == 7


def test_every_query_of_a_request_is_counted(client: Client, key: str) -> None:
    client.post("/api/events", b"{}", "application/json", headers={"Authorization": f"Bearer {key}"})
    recorder.flush()
    assert observed("database_query_time", "/api/events") >= 1


def test_a_second_flush_adds_and_counts_nothing_twice(client: Client) -> None:
    for expected in (1, 2):
        client.get("/api/health/live")
        recorder.flush()
        recorder.flush()
        assert observed("api_response_time", "/api/health/live") == expected


def test_one_in_n_requests_becomes_two_events(client: Client, settings: Any) -> None:
    settings.TIMING_SAMPLE_EVERY = 1
    client.get("/api/health/live?contact=someone@example.org", headers={"X-Correlation-ID": "journey-1234"})
    recorder.flush()
    stored = {event.event: event for event in Event.objects.all()}
    assert set(stored) == {"api_response_time", "database_query_time"}
    properties = stored["api_response_time"].properties
    assert (properties["route"], properties["status"]) == ("/api/health/live", 200)
    assert properties["sampled_one_in"] == 1
    assert stored["api_response_time"].correlation_id == "journey-1234"
    assert "someone" not in str([event.properties for event in stored.values()])


def test_an_unknown_address_leaves_no_label_behind(client: Client) -> None:
    client.get("/nowhere/someone@example.org")
    recorder.flush()
    assert not DurationMinute.objects.exclude(label__startswith="/admin").exists()


@given(st.floats(min_value=1e-6, max_value=3600))
def test_a_bucket_bounds_its_durations_within_five_percent(seconds: float) -> None:
    bucket = bucket_of(seconds)
    upper = GAMMA**bucket * 1e-6
    assert upper / GAMMA * (1 - 1e-9) <= max(seconds, upper / GAMMA)
    assert seconds <= upper * (1 + 1e-9)
    assert seconds > upper / GAMMA * (1 - 1e-9) or bucket == 0


def test_a_measurement_costs_microseconds() -> None:
    """Change detector, with a wide margin: 100,000 measurements in well under three seconds."""
    import time

    started = time.process_time()
    now = timezone.now()
    for _ in range(100_000):
        timings.recorder.add("api_response_time", "/x", [0.001], now=now)
    assert time.process_time() - started < 3
