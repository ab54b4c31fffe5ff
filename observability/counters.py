"""Figures that only grow, by the minute: what was retried, dropped or deadlocked.

The rule: counting never raises and never waits; the carrier brings the counts to PostgreSQL, where
alerts and pages read them. Numerators come from here, never from log lines.
"""

from collections import Counter as Tally
from datetime import datetime
from enum import StrEnum

from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from observability import carrier
from observability.models import CounterMinute

# Bounds what a process holds while the database is away.
_MOST = 10_000


class Counter(StrEnum):
    """What is counted; the label says which kind."""

    TRANSACTION_RETRY = "transaction_retry"
    DEADLOCK = "deadlock"
    LOG_LINE_DROPPED = "log_line_dropped"
    SENTRY_EVENT_DROPPED = "sentry_event_dropped"
    # Seconds in which PostgreSQL did not answer, counted by whoever asked; carried when it answers again.
    DATABASE_AWAY = "database_away"
    # An attempt of sync that ended nothing and cost no try; label: its code.
    SYNC_DEFERRED = "sync_deferred"


def _write(counts: Tally[tuple[str, str, datetime]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into observability_counterminute as c (name, label, minute, count)"
            " select * from unnest(%s::text[], %s::text[], %s::timestamptz[], %s::bigint[])"
            " on conflict (name, label, minute) do update set count = c.count + excluded.count",
            carrier.columns(counts),
        )


_waiting = carrier.Waiting(_write, most=_MOST)
flush, forget = _waiting.flush, _waiting.forget


def add(counter: Counter, label: str = "", count: int = 1, *, now: datetime | None = None) -> None:
    """Count. label: a word from a closed vocabulary, such as a level or an SQLSTATE; cut at 64."""
    minute = (now or timezone.now()).replace(second=0, microsecond=0)
    _waiting.add((counter.value, label[:64], minute), count)


def total(counter: Counter, *, since: datetime, label: str | None = None) -> int:
    """Return the count of the minutes from `since` on, of one label or of all."""
    rows = CounterMinute.objects.filter(name=counter.value, minute__gte=since)
    if label is not None:
        rows = rows.filter(label=label)
    return int(rows.aggregate(total=Sum("count"))["total"] or 0)


def by_label(counter: Counter, *, since: datetime, until: datetime) -> dict[str, int]:
    """Return the counts of the minutes in [since, until), by label."""
    rows = CounterMinute.objects.filter(name=counter.value, minute__gte=since, minute__lt=until)
    return dict(rows.values_list("label").annotate(total=Sum("count")))
