"""Figures of alerts: what is open, what is to be told, and when the rules were last looked at."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Count
from prometheus_client.core import Metric

from observability.health import alerting
from observability.metrics.families import age_s, gauge, gauges
from observability.models import Channel, Evaluation, Incident
from observability.models.alert import Severity

_OPEN = (Incident.State.OPEN, Incident.State.ACKNOWLEDGED)


def incidents(now: datetime) -> Iterator[Metric]:
    """Incidents that are not resolved."""
    rows = Incident.objects.filter(state__in=_OPEN).order_by().values_list("severity", "state")
    found = {(severity, state): number for severity, state, number in rows.annotate(number=Count("pk"))}
    yield gauges(
        "incidents",
        "Incidents that are not resolved.",
        ["severity", "state"],
        {
            (severity.value, state.value): found.get((severity.value, state.value), 0)
            for severity in Severity
            for state in _OPEN
        },
    )


def notifications(now: datetime) -> Iterator[Metric]:
    """What is to be told by each channel."""
    waiting, dead = alerting.waiting(), alerting.dead(now=now)
    channels = {one.kind: one for one in Channel.objects.all()}
    kinds = ("email", "pagerduty", "slack")
    yield gauges(
        "notifications",
        f"Notifications that wait, or were given up within a week. Counted up to {alerting.MOST:,} in all.",
        ["channel", "state"],
        {
            **{(kind, "waiting"): waiting.get(kind, (0, now))[0] for kind in kinds},
            **{(kind, "dead"): dead.get(kind, 0) for kind in kinds},
        },
    )
    yield gauges(
        "notifications_oldest_seconds",
        "For how long the oldest of those that wait has waited; 0 where none does.",
        ["channel"],
        {(kind,): age_s(waiting.get(kind, (0, None))[1], now) for kind in kinds},
    )
    yield gauges(
        "channel_on",
        "1 where a channel is on, else 0.",
        ["channel"],
        {(kind,): float(kind in channels and channels[kind].is_enabled) for kind in kinds},
    )


def evaluation(now: datetime) -> Iterator[Metric]:
    """When the rules were last looked at."""
    last = Evaluation.objects.first()
    evaluated_at = last.evaluated_at if last else None
    yield gauge(
        "alerts_evaluated_age_seconds",
        "Since when no rule was looked at; missing where none ever was.",
        age_s(evaluated_at, now) if evaluated_at else None,
    )
    yield gauge("alert_rules_broken", "Rules whose measure broke.", len(last.broken) if last else 0)
