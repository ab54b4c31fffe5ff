"""Shares and counts of what goes wrong, from the counters by the minute.

The rule: one statement a minute, by the index of the minute; who retries or sees the same failure twice is
counted as the counters count it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.urls import NoReverseMatch, reverse

from observability.alerts.measures import OTHERS, Link, Measure, Said
from observability.counters import Counter
from observability.timings import bucket_of
from trainu.faults import Severity

SLOW_QUERY_S = 2.0

_SYNC = """
select coalesce(sum(events) filter (where event = 'sync_dropped'), 0), coalesce(sum(events), 0)
from observability_eventminute where event in ('sync_ok', 'sync_dropped') and minute = %(minute)s
"""
# Requests and attempts are what can go wrong; SEV3 is for the digest.
_ERRORS = """
select (select coalesce(sum(errors), 0) from observability_errorminute
        where minute = %(minute)s and severity in ('SEV1', 'SEV2')),
       (select coalesce(sum(observations), 0) from observability_durationminute
        where metric = 'api_response_time' and minute = %(minute)s)
       + (select coalesce(sum(events), 0) from observability_eventminute
          where event in ('sync_ok', 'sync_retry', 'sync_dropped') and minute = %(minute)s)
"""
_QUERIES = """
select coalesce(sum(observations) filter (where bucket > %(slow)s), 0), coalesce(sum(observations), 0)
from observability_durationminute where metric = 'database_query_time' and minute = %(minute)s
"""
_DRAFTS = """
select (select coalesce(sum(errors), 0) from observability_errorminute
        where minute = %(minute)s and category = 'llm'),
       (select coalesce(sum(events), 0) from observability_eventminute
        where event = 'message_drafted' and minute = %(minute)s)
"""
_WORST = """
select code, sum(errors) from observability_errorminute
where minute = %(minute)s and severity = %(worst)s group by code order by code
"""
_COUNTED = """
select coalesce(sum(count), 0) from observability_counterminute
where name = %(name)s and minute = %(minute)s
"""


def _asked(statement: str, minute: datetime, **given: Any) -> tuple[float, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"minute": minute, **given})
        return tuple(float(number) for number in cursor.fetchone())


def sync_failures(minute: datetime) -> Iterable[Said]:
    """Jobs given up, of jobs settled."""
    bad, total = _asked(_SYNC, minute)
    return [Said(bad=bad, total=total)]


def errors(minute: datetime) -> Iterable[Said]:
    """Errors of SEV1 and SEV2, of requests and attempts. One without a request is a case too."""
    bad, total = _asked(_ERRORS, minute)
    return [Said(bad=bad, total=max(bad, total))]


def slow_queries(minute: datetime) -> Iterable[Said]:
    """Queries slower than two seconds: more than 5 % of them are a p95 above it, exactly."""
    bad, total = _asked(_QUERIES, minute, slow=bucket_of(SLOW_QUERY_S))
    return [Said(bad=bad, total=total)]


def drafts(minute: datetime) -> Iterable[Said]:
    """Attempts at a draft that failed, of these and the drafts made."""
    bad, made = _asked(_DRAFTS, minute)
    return [Said(bad=bad, total=bad + made)]


def worst_faults(minute: datetime) -> Iterable[Said]:
    """Faults of SEV1, each code by itself: one incident must not hide another."""
    with connection.cursor() as cursor:
        cursor.execute(_WORST, {"minute": minute, "worst": Severity.SEV1.value})
        return [Said(), *(Said(code, bad=float(number)) for code, number in cursor.fetchall())]


def _counter(counter: Counter) -> Any:
    def read(minute: datetime) -> Iterable[Said]:
        [bad] = _asked(_COUNTED, minute, name=counter.value)
        return [Said(bad=bad)]

    return read


def _of_code(group: str) -> list[Link]:
    if not group or group == OTHERS:
        return []
    return [
        (
            "Log lines that name it",
            f"{reverse('admin:logs')}?{urlencode({'level': 'warn-up', 'text': group})}",
        )
    ]


def _failed_drafts(_group: str) -> list[Link]:
    try:
        return [("AI Inbox: drafts that failed", f"{reverse('admin:sync_inbox')}?tab=failed")]
    except NoReverseMatch:
        return []


MEASURES = (
    Measure(
        "sync_failure_rate", "rate", "share", "Jobs given up, of jobs settled", sync_failures, "admin:errors"
    ),
    Measure("error_rate", "rate", "share", "Errors, of requests and attempts", errors, "admin:errors"),
    Measure("query_time", "rate", "share", "Queries slower than two seconds", slow_queries, "admin:logs"),
    Measure(
        "draft_failure_rate",
        "rate",
        "share",
        "Attempts at a draft that failed",
        drafts,
        "admin:errors",
        pages=_failed_drafts,
    ),
    # Nobody waits for the end of the minute.
    Measure(
        "sev1_fault",
        "count",
        "number",
        "Faults of SEV1",
        worst_faults,
        "admin:errors",
        at_hand=True,
        pages=_of_code,
    ),
    Measure("deadlocks", "count", "number", "Deadlocks", _counter(Counter.DEADLOCK), "admin:logs"),
    Measure(
        "log_drops", "count", "number", "Log lines lost", _counter(Counter.LOG_LINE_DROPPED), "admin:logs"
    ),
    Measure(
        "database_down",
        "count",
        "seconds",
        "Seconds in which PostgreSQL did not answer",
        _counter(Counter.DATABASE_AWAY),
        "admin:logs",
        at_hand=True,
    ),
)
