"""Runs checks of health side by side, each at most once at a time, and holds what they found.

The rule: no caller waits longer than the time limit, whatever hangs; and what hangs is waited for once, not
once a caller: that it gave no answer is held too, for as long as it hangs.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass

import structlog
from django.db import connection

from observability.health.finding import Finding, Report, Status

log = structlog.get_logger(__name__)

Check = Callable[[], Finding]

TIME_LIMIT_S = 2.0
HELD_S = {Status.PASS: 10.0, Status.WARN: 5.0, Status.FAIL: 2.0}
# Without these the service cannot serve, or nobody would be told that it does not; the others can only warn.
CRITICAL = frozenset({"database", "migrations", "alerts"})
# More checks than this are never under way at once: one of each name.
_THREADS = 32


@dataclass(frozen=True, slots=True)
class _Run:
    """A check under way. late_at: from when on nobody waits for it, by the monotonic clock."""

    future: Future[Finding]
    late_at: float


class Monitor:
    """A check that hangs costs its first callers the time limit, and those after them nothing."""

    def __init__(self, time_limit_s: float = TIME_LIMIT_S) -> None:
        self.time_limit_s = time_limit_s
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._running: dict[str, _Run] = {}
        self._held: dict[str, tuple[float, Finding]] = {}

    def report(self, checks: Mapping[str, Check]) -> Report:
        """Return what the checks found, now or a few seconds ago."""
        started = {name: self._start(name, check) for name, check in checks.items()}
        return Report({name: self._finish(name, found) for name, found in started.items()})

    def forget(self) -> None:
        """Check everything anew at the next question."""
        with self._lock:
            self._held.clear()

    def _start(self, name: str, check: Check) -> Finding | _Run:
        with self._lock:
            held = self._held.get(name)
            if held and held[0] > time.monotonic():
                return held[1]
            if name not in self._running:
                self._pool = self._pool or ThreadPoolExecutor(
                    max_workers=_THREADS, thread_name_prefix="health"
                )
                future = self._pool.submit(self._run, name, check)
                self._running[name] = _Run(future, time.monotonic() + self.time_limit_s)
            return self._running[name]

    def _run(self, name: str, check: Check) -> Finding:
        try:
            finding = check()
        except Exception as error:  # noqa: BLE001 - a check that breaks has found something
            finding = Finding(_worst(name), {"error": type(error).__name__})
            log.warning("health_check_failed", check=name, error=type(error).__name__)
        finally:
            # A thread that keeps its connection would hold one of the pool's for good.
            connection.close()
        with self._lock:
            self._held[name] = (time.monotonic() + HELD_S[finding.status], finding)
            self._running.pop(name, None)
        return finding

    def _finish(self, name: str, found: Finding | _Run) -> Finding:
        if isinstance(found, Finding):
            return found
        try:
            return found.future.result(timeout=max(0.0, found.late_at - time.monotonic()))
        except FutureTimeoutError:
            return Finding(_worst(name), {"error": f"no answer in {self.time_limit_s:g} s"})


def _worst(name: str) -> Status:
    """Return what it means that a check of this name gives no answer."""
    return Status.FAIL if name in CRITICAL else Status.WARN
