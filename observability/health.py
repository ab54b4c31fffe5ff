"""Is the service well? Each check has its own time limit, and its answer is held for a while.

The rule: what keeps the service from serving fails; what only makes it late warns, and is still 200,
or an outage at PostHog would take this service out of its load balancer. No text of an exception
is shown: it may hold hosts and users.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

import structlog
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from observability import counters, forwarder, partitions, sync_health
from observability.counters import Counter
from observability.errors import sentry
from observability.logs import drops
from observability.models import AuditVerification, Heartbeat, Watermark
from observability.retention import lateness
from trainu import schedules

log = structlog.get_logger(__name__)

TIME_LIMIT_S = 2.0
HELD_S = {"pass": 10.0, "warn": 5.0, "fail": 2.0}
LANE_SILENT = timedelta(seconds=120)
FORWARD_LAG = timedelta(minutes=5)
ROLLUP_LAG = timedelta(minutes=2)
# It is verified daily.
AUDIT_VERIFIED_WITHIN = timedelta(days=2)
SENTRY_DROPPED_WITHIN = timedelta(minutes=15)
LINES_DROPPED_WITHIN = timedelta(minutes=15)


class Status(StrEnum):
    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


_WORST = [Status.PASS, Status.WARN, Status.FAIL]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. detail: numbers and plain words for whoever may see them."""

    status: Status
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """All findings by name, and the worst of their states."""

    findings: dict[str, Finding]

    @property
    def status(self) -> Status:
        return max((finding.status for finding in self.findings.values()), key=_WORST.index)


def check_database() -> Finding:
    started = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("select current_setting('server_version')")
        version = cursor.fetchone()[0]
    milliseconds = round((time.perf_counter() - started) * 1e3, 2)
    return Finding(Status.PASS, {"latency_ms": milliseconds, "version": version})


def check_migrations() -> Finding:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return Finding(Status.FAIL if waiting else Status.PASS, {"waiting": len(waiting)})


def check_partitions() -> Finding:
    """Today must be there. A missing tomorrow is made on demand, but the schedule should have."""
    today = timezone.now().date()
    missing = partitions.EVENTS.missing([today, today + timedelta(days=1)])
    if today in missing:
        return Finding(Status.WARN, {"missing": [str(day) for day in missing], "made": "on demand"})
    return Finding(Status.WARN if missing else Status.PASS, {"missing": [str(day) for day in missing]})


def check_workers() -> Finding:
    """Every lane must have given a sign of life within two minutes, on any host. Clusters come and go."""
    now = timezone.now()
    beats = Heartbeat.objects.filter(beat_at__gt=now - LANE_SILENT)
    ages = {beat.name: round((now - beat.beat_at).total_seconds(), 1) for beat in beats}
    silent = [name for name in schedules.lanes() if name not in ages]
    return Finding(Status.WARN if silent else Status.PASS, {"silent": silent, "beat_age_s": ages})


def check_rollups() -> Finding:
    moved = Watermark.objects.filter(consumer="rollups").values_list("moved_at", flat=True).first()
    age = timezone.now() - moved if moved else None
    late = age is None or age > ROLLUP_LAG
    return Finding(
        Status.WARN if late else Status.PASS, {"age_s": round(age.total_seconds(), 1) if age else None}
    )


def check_posthog() -> Finding:
    """Passive: how long the oldest event has been waiting. It never asks PostHog itself."""
    if not settings.POSTHOG_API_KEY:
        return Finding(Status.PASS, {"state": "off", "reason": "POSTHOG_API_KEY is not set"})
    state = forwarder.look()
    now = timezone.now()
    lag = now - state.oldest_waiting_at if state.oldest_waiting_at else timedelta(0)
    late = lag > FORWARD_LAG or state.failures > 0 or state.paused_at is not None
    return Finding(
        Status.WARN if late else Status.PASS,
        {
            "state": "paused" if state.paused_at else "failing" if state.failures else "on",
            "lag_s": round(lag.total_seconds(), 1),
            "acknowledged_at": state.acknowledged_at.isoformat() if state.acknowledged_at else None,
            "failures": state.failures,
            "last_error": state.last_error,
            "refused": state.refused,
        },
    )


def check_sentry() -> Finding:
    """Passive: what was dropped lately, by any process, and whether this one could send."""
    if not settings.SENTRY_DSN:
        return Finding(Status.PASS, {"state": "off", "reason": "SENTRY_DSN is not set"})
    dropped = counters.total(Counter.SENTRY_EVENT_DROPPED, since=timezone.now() - SENTRY_DROPPED_WITHIN)
    well = not dropped and sentry.is_well()
    return Finding(
        Status.PASS if well else Status.WARN, {"state": "on" if well else "dropping", "dropped": dropped}
    )


def check_logs() -> Finding:
    """Whether the log store could keep up; the stream has every line all the same."""
    dropped = drops.dropped(since=timezone.now() - LINES_DROPPED_WITHIN)
    return Finding(Status.WARN if dropped else Status.PASS, {"kept": settings.LOG_STORE, "dropped": dropped})


def check_retention() -> Finding:
    """Whether anything is kept longer than its policy says, by more than two days."""
    late = lateness.late(now=timezone.now())
    detail = {"late": [one.dataset for one in late], "reasons": [one.reason for one in late if one.reason]}
    return Finding(Status.WARN if late else Status.PASS, detail)


def check_audit() -> Finding:
    """What the last verification of the audit log found. A service that was never verified yet is well."""
    newest = AuditVerification.objects.first()
    if newest is None:
        return Finding(Status.PASS, {"findings": None})
    age = timezone.now() - newest.verified_at
    well = not newest.findings and age <= AUDIT_VERIFIED_WITHIN
    detail = {"findings": newest.findings, "entries": newest.entries, "age_s": round(age.total_seconds())}
    return Finding(Status.PASS if well else Status.WARN, detail)


def check_sync() -> Finding:
    """Passive: whether what could go to GoHighLevel, or came from there, is worked off."""
    wrong, detail = sync_health.look(now=timezone.now())
    return Finding(Status.WARN if wrong else Status.PASS, detail)


READY: dict[str, Callable[[], Finding]] = {
    "database": check_database,
    "migrations": check_migrations,
    "partitions": check_partitions,
}
ALL: dict[str, Callable[[], Finding]] = READY | {
    "workers": check_workers,
    "rollups": check_rollups,
    "posthog": check_posthog,
    "retention": check_retention,
    "sentry": check_sentry,
    "audit": check_audit,
    "logs": check_logs,
    "sync": check_sync,
}
# Without these the service cannot serve; the others can only warn.
CRITICAL = {"database", "migrations"}


class Monitor:
    """Runs checks side by side, each at most once at a time, and holds what they found.

    A check that hangs costs its first caller TIME_LIMIT_S, and the others nothing.
    """

    def __init__(self, time_limit_s: float = TIME_LIMIT_S) -> None:
        self.time_limit_s = time_limit_s
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._running: dict[str, Any] = {}
        self._held: dict[str, tuple[float, Finding]] = {}

    def report(self, checks: dict[str, Callable[[], Finding]]) -> Report:
        """Return what the checks found, now or a few seconds ago."""
        started = {name: self._start(name, check) for name, check in checks.items()}
        deadline = time.monotonic() + self.time_limit_s
        return Report({name: self._finish(name, future, deadline) for name, future in started.items()})

    def forget(self) -> None:
        """Check everything anew at the next question."""
        with self._lock:
            self._held.clear()

    def _start(self, name: str, check: Callable[[], Finding]) -> Any:
        with self._lock:
            held = self._held.get(name)
            if held and held[0] > time.monotonic():
                return held[1]
            if name not in self._running:
                self._pool = self._pool or ThreadPoolExecutor(
                    max_workers=len(ALL), thread_name_prefix="health"
                )
                self._running[name] = self._pool.submit(self._run, name, check)
            return self._running[name]

    def _run(self, name: str, check: Callable[[], Finding]) -> Finding:
        try:
            finding = check()
        except Exception as error:  # noqa: BLE001 - a check that breaks has found something
            status = Status.FAIL if name in CRITICAL else Status.WARN
            finding = Finding(status, {"error": type(error).__name__})
            log.warning("health_check_failed", check=name, error=type(error).__name__)
        finally:
            # A thread that keeps its connection would hold one of the pool's for good.
            connection.close()
        with self._lock:
            self._held[name] = (time.monotonic() + HELD_S[finding.status], finding)
            self._running.pop(name, None)
        return finding

    def _finish(self, name: str, started: Any, deadline: float) -> Finding:
        if isinstance(started, Finding):
            return started
        try:
            finding: Finding = started.result(timeout=max(0.0, deadline - time.monotonic()))
        except FutureTimeoutError:
            status = Status.FAIL if name in CRITICAL else Status.WARN
            finding = Finding(status, {"error": f"no answer in {self.time_limit_s:g} s"})
            with self._lock:
                self._held.setdefault(name, (time.monotonic() + HELD_S[status], finding))
        return finding


monitor = Monitor()
