"""What the observer itself can tell about a correlation id: events and log lines.

The rule: every source stops at its limit of rows and of time, and finds its rows by an index.
"""

from datetime import datetime, timedelta

from django.urls import reverse

from observability import trace
from observability.bounded_query import BY_BLOOM, bounded
from observability.event_search import key_of
from observability.models import Event, LogLine
from observability.trace import Moment, Source

# The many are quiet, so that the few stand out.
LEVEL_TONES = {"error": "bad", "warn": "warn"}
_DETAIL_CHARACTERS = 4_000


def events(correlation_id: str, since: datetime, most: int) -> list[Moment]:
    """Return the events that were reported under an id."""
    found = Event.objects.filter(timestamp__gte=since, correlation_id=correlation_id)
    with bounded(trace.TIME_LIMIT_MS, **BY_BLOOM):
        rows = list(found.defer("properties").order_by("-timestamp")[:most])
    return [
        Moment(
            at=event.timestamp,
            kind="Event",
            title=event.event,
            detail=f"{event.distinct_id}, by {event.source}",
            url=reverse("admin:event", args=[str(key_of(event))]),
        )
        for event in rows
    ]


def log_lines(correlation_id: str, since: datetime, most: int) -> list[Moment]:
    """Return the log lines that were written under an id."""
    found = LogLine.objects.filter(logged_at__gte=since, correlation_id=correlation_id)
    with bounded(trace.TIME_LIMIT_MS):
        rows = list(found.order_by("-logged_at", "-id")[:most])
    return [
        Moment(
            at=line.logged_at,
            kind=f"Log, {line.level}",
            title=line.event,
            detail=str(line.rest.get("exception", ""))[-_DETAIL_CHARACTERS:] or line.service,
            tone=LEVEL_TONES.get(line.level, ""),
        )
        for line in rows
    ]


trace.register(Source("events", "observability.view_event", events, timedelta(days=30)))
trace.register(Source("log lines", "observability.view_logline", log_lines, timedelta(days=90)))
