"""Figures of the observer itself: how far events have got, and whether workers give signs of life."""

from collections.abc import Iterator
from datetime import datetime

from django.conf import settings
from prometheus_client.core import CounterMetricFamily, Metric

from observability import forwarder
from observability.metrics.families import PREFIX, age_s, gauge, gauges
from observability.models import Heartbeat, Watermark
from observability.rollups import CONSUMER
from trainu import schedules


def forwarding(now: datetime) -> Iterator[Metric]:
    """How far PostHog has got."""
    state = forwarder.look()
    yield gauge(
        "forwarder_configured",
        "1 where events go on to PostHog, else 0.",
        float(bool(settings.POSTHOG_API_KEY)),
    )
    yield gauge(
        "forwarder_lag_seconds",
        "For how long the oldest event has waited for PostHog; 0 where none waits.",
        age_s(state.oldest_waiting_at, now),
    )
    yield gauge("forwarder_failures", "Tries that have failed in a row.", state.failures)
    yield gauge("forwarder_paused", "1 while a person has paused it, else 0.", float(bool(state.paused_at)))
    events = CounterMetricFamily(
        f"{PREFIX}forwarder_events", "Events by what became of them at PostHog.", labels=["result"]
    )
    for result in ("sent", "skipped", "refused"):
        events.add_metric([result], getattr(state, result))
    yield events


def rollups(now: datetime) -> Iterator[Metric]:
    """How far counts are behind the events."""
    moved = Watermark.objects.filter(consumer=CONSUMER).values_list("moved_at", flat=True).first()
    yield gauge(
        "rollup_lag_seconds",
        "Since when the counts have not had every event; missing where they never had.",
        age_s(moved, now) if moved and moved.year > 1 else None,
    )


def workers(now: datetime) -> Iterator[Metric]:
    """When each lane has last given a sign of life."""
    beats = dict(Heartbeat.objects.filter(name__in=schedules.lanes()).values_list("name", "beat_at"))
    yield gauges(
        "heartbeat_age_seconds",
        "Since when a lane has given no sign of life; missing where it has given none for a day.",
        ["lane"],
        {(lane,): age_s(beats[lane], now) if lane in beats else None for lane in schedules.lanes()},
    )
