"""Figures that only grow, by the minute: what was retried, dropped or deadlocked.

The rule: counting never raises and never waits; the carrier brings the counts to PostgreSQL, where
alerts and pages read them. Numerators come from here, never from log lines.
"""

import os
import threading
from collections import Counter as Tally
from datetime import datetime
from enum import StrEnum

from django.db import Error, connection
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


_lock = threading.Lock()
_waiting: Tally[tuple[str, str, datetime]] = Tally()


def add(counter: Counter, label: str = "", count: int = 1, *, now: datetime | None = None) -> None:
    """Count. label: a word from a closed vocabulary, such as a level or an SQLSTATE; cut at 64."""
    minute = (now or timezone.now()).replace(second=0, microsecond=0)
    with _lock:
        if len(_waiting) < _MOST:
            _waiting[counter.value, label[:64], minute] += count
    carrier.wake()


def total(counter: Counter, *, since: datetime, label: str | None = None) -> int:
    """Return the count of the minutes from `since` on, of one label or of all."""
    rows = CounterMinute.objects.filter(name=counter.value, minute__gte=since)
    if label is not None:
        rows = rows.filter(label=label)
    return int(rows.aggregate(total=Sum("count"))["total"] or 0)


@carrier.load
def flush() -> None:
    """Carry the counts to the database; on failure keep them for the next time."""
    global _waiting
    with _lock:
        counts, _waiting = _waiting, Tally()
    if not counts:
        return
    # Sorted, so that two processes add to the same rows in the same order and cannot deadlock.
    rows = [(*key, count) for key, count in sorted(counts.items())]
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "insert into observability_counterminute as c (name, label, minute, count)"
                " select * from unnest(%s::text[], %s::text[], %s::timestamptz[], %s::bigint[])"
                " on conflict (name, label, minute) do update set count = c.count + excluded.count",
                [list(column) for column in zip(*rows, strict=True)],
            )
    except Error:
        with _lock:
            _waiting.update(counts)
        raise


def forget() -> None:
    """Start empty; a forked child must not carry its parent's counts a second time."""
    global _lock, _waiting
    _lock, _waiting = threading.Lock(), Tally()


os.register_at_fork(after_in_child=forget)
