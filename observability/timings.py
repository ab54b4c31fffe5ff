"""How long requests and queries take: every one into a histogram, one in N as an event.

The rule: a request pays microseconds. It adds to this process's memory, which the carrier brings to
PostgreSQL every few seconds.
"""

import math
import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import Error, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from uuid_utils.compat import uuid7

from observability import capture, carrier
from observability.capture import Occurrence
from observability.catalog.performance import ApiResponseTime, DatabaseQueryTime
from observability.store import Origin
from trainu import correlation

log = structlog.get_logger(__name__)

GAMMA = 1.05
_LOG_GAMMA = math.log(GAMMA)
# Bounds of what a process holds while the database is away.
_MOST_BUCKETS = 50_000
_MOST_SAMPLES = 1_000
_MOST_QUERIES = 1_000

_NOT_IN_ROUTE = re.compile(r"[^A-Za-z0-9_./{}<>:-]")


def bucket_of(seconds: float) -> int:
    """Return the bucket of a duration: n for (1.05**(n-1), 1.05**n] microseconds, 0 below one."""
    microseconds = seconds * 1e6
    return max(0, math.ceil(math.log(microseconds) / _LOG_GAMMA)) if microseconds > 1 else 0


class Recorder:
    """What this process has measured and not yet carried to the database."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start empty; a forked child must not carry its parent's measurements a second time."""
        self.lock = threading.Lock()
        self.counts: Counter[tuple[str, str, datetime, int]] = Counter()
        self.samples: list[tuple[Occurrence, str]] = []
        self.dropped = 0

    def add(self, metric: str, label: str, durations_s: list[float], *, now: datetime) -> None:
        """Count durations of a label into their buckets."""
        minute = now.replace(second=0, microsecond=0)
        with self.lock:
            if len(self.counts) >= _MOST_BUCKETS:
                self.dropped += len(durations_s)
                return
            for seconds in durations_s:
                self.counts[metric, label, minute, bucket_of(seconds)] += 1
        carrier.wake()

    def sample(self, event: ApiResponseTime | DatabaseQueryTime, *, now: datetime) -> None:
        """Keep an event to be stored with the next flush."""
        occurrence = Occurrence(event, f"svc:{settings.SERVICE}", now, uuid7())
        with self.lock:
            if len(self.samples) < _MOST_SAMPLES:
                self.samples.append((occurrence, correlation.current()))

    def flush(self) -> None:
        """Carry everything to the database; on failure keep it for the next time."""
        with self.lock:
            counts, self.counts = self.counts, Counter()
            samples, self.samples = self.samples, []
        if not counts and not samples:
            return
        try:
            _write(counts, samples)
        except Error:
            with self.lock:
                self.counts.update(counts)
                self.samples[:0] = samples
            log.warning("timings_not_flushed", buckets=len(counts), samples=len(samples))


def _write(counts: Counter[tuple[str, str, datetime, int]], samples: list[tuple[Occurrence, str]]) -> None:
    # Sorted, so that two processes add to the same rows in the same order and cannot deadlock.
    rows = sorted(counts.items())
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "insert into observability_durationminute as d (metric, label, minute, bucket, observations)"
                " select * from unnest(%s::text[], %s::text[], %s::timestamptz[], %s::smallint[],"
                " %s::bigint[])"
                " on conflict (metric, label, minute, bucket)"
                " do update set observations = d.observations + excluded.observations",
                [
                    *(list(column) for column in zip(*(key for key, _ in rows), strict=True)),
                    [n for _, n in rows],
                ]
                if rows
                else [[], [], [], [], []],
            )
        for occurrence, correlation_id in samples:
            capture.persist([occurrence], Origin("python", correlation_id))


recorder = Recorder()
carrier.load(lambda: recorder.flush())
os.register_at_fork(after_in_child=recorder.reset)


class QueryClock(threading.local):
    """Times each query of this thread; what it has seen belongs to the request or task in hand."""

    def __init__(self) -> None:
        # The carrier's own queries say nothing about what users wait for.
        self.enabled = threading.current_thread().name != carrier.NAME
        self.durations_s: list[float] = []

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        started = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.observe(time.perf_counter() - started)

    def observe(self, seconds: float) -> None:
        """Note one query. A long task's list is bounded: the rest of its queries go uncounted."""
        if self.enabled and len(self.durations_s) < _MOST_QUERIES:
            self.durations_s.append(seconds)

    def take(self) -> list[float]:
        """Return what was seen since the last call."""
        taken, self.durations_s = self.durations_s, []
        return taken


clock = QueryClock()


def watch(connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    """Put the clock on a new connection; receiver of connection_created."""
    if clock not in connection.execute_wrappers:
        connection.execute_wrappers.append(clock)


class TimingMiddleware:
    """Measure each request and its queries."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        clock.take()
        started = time.perf_counter()
        response = self.get_response(request)
        seconds = time.perf_counter() - started
        queries_s = clock.take()
        if request.resolver_match is not None:
            now = timezone.now()
            route = route_of(request)
            recorder.add("api_response_time", route, [seconds], now=now)
            recorder.add("database_query_time", route, queries_s, now=now)
            every = settings.TIMING_SAMPLE_EVERY
            if every and random.randrange(every) == 0:
                _sample(request, response, route, seconds, queries_s, now=now)
        return response


def route_of(request: HttpRequest) -> str:
    """Return the matched route with its variables as names: no id, no query, no value."""
    route = request.resolver_match.route if request.resolver_match else "unmatched"
    return ("/" + _NOT_IN_ROUTE.sub("", route))[:120]


def _sample(
    request: HttpRequest,
    response: HttpResponse,
    route: str,
    seconds: float,
    queries_s: list[float],
    *,
    now: datetime,
) -> None:
    every = settings.TIMING_SAMPLE_EVERY
    recorder.sample(
        ApiResponseTime(
            duration_ms=round(seconds * 1e3, 3),
            route=route,
            method=(request.method or "get").lower(),
            status=response.status_code,
            sampled_one_in=every,
        ),
        now=now,
    )
    recorder.sample(
        DatabaseQueryTime(
            duration_ms=round(sum(queries_s) * 1e3, 3),
            queries=len(queries_s),
            route=route,
            sampled_one_in=every,
        ),
        now=now,
    )
