"""One thread a process carries what was counted in memory to PostgreSQL, every few seconds.

The rule: whoever counts pays microseconds and never waits for the database. What a killed process had
not carried yet (EVERY_S) is lost; a process that ends in order carries the rest.
"""

import atexit
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing import util
from typing import Any, Generic, TypeVar

import structlog
from django.conf import settings
from django.db import Error, connection

log = structlog.get_logger(__name__)

EVERY_S = 5.0
NAME = "carrier"

Key = TypeVar("Key", bound=tuple[Any, ...])

_loads: list[Callable[[], None]] = []
_lock = threading.Lock()
_thread: threading.Thread | None = None


def load(flush: Callable[[], None]) -> Callable[[], None]:
    """Have `flush` called every few seconds from now on. It keeps what it could not write."""
    _loads.append(flush)
    return flush


class Waiting(Generic[Key]):
    """Counts in memory that wait to be carried. write: adds them to the database, or raises django.db.Error.

    most: kinds of counts held while the database is away; further ones are not counted then.
    """

    def __init__(self, write: Callable[[Counter[Key]], None], *, most: int) -> None:
        self._write = write
        self._most = most
        self._lock = threading.Lock()
        self._counts: Counter[Key] = Counter()
        load(self.flush)
        os.register_at_fork(after_in_child=self.forget)

    def add(self, key: Key, count: int = 1) -> None:
        """Count; never raises, never waits for the database."""
        with self._lock:
            if len(self._counts) < self._most or key in self._counts:
                self._counts[key] += count
        wake()

    def flush(self) -> None:
        """Carry the counts to the database; on failure keep them for the next time, and raise."""
        with self._lock:
            counts = self._counts
            self._counts = Counter()
        if not counts:
            return
        try:
            self._write(counts)
        except Error:
            with self._lock:
                self._counts.update(counts)
            raise

    def forget(self) -> None:
        """Start empty; a forked child must not carry its parent's counts a second time."""
        self._lock = threading.Lock()
        self._counts = Counter()


def columns(counts: Counter[Key]) -> list[list[object]]:
    """Return counts by tuples as columns, the count last, for an insert from unnest.

    Sorted, so that two processes add to the same rows in the same order and cannot deadlock.
    """
    rows = [(*key, count) for key, count in sorted(counts.items())]
    return [list(column) for column in zip(*rows, strict=True)]


def wake() -> None:
    """Make sure that somebody will carry: the thread, and for a command the end of the process."""
    global _thread
    if _thread is not None:
        return
    with _lock:
        if _thread is None:
            # Not started in a command, which carries at its end.
            _thread = threading.Thread(target=_run, name=NAME, daemon=True)
            # django-q2's children end without atexit; multiprocessing's own hook runs in both.
            util.Finalize(None, carry, exitpriority=10)
            atexit.register(carry)
            if settings.PROCESS != "command":
                _thread.start()


def carry() -> None:
    """Carry everything now. A load that breaks is logged, and does not hold up the others."""
    for flush in _loads:
        try:
            flush()
        except Exception:
            log.warning("counts_not_carried", load=getattr(flush, "__qualname__", "load"), exc_info=True)


def _run() -> None:
    while True:
        time.sleep(EVERY_S * random.uniform(0.8, 1.2))
        carry()
        # A thread that keeps its connection would hold one of the pool's for good.
        connection.close()


def _after_fork() -> None:
    global _lock, _thread
    _lock, _thread = threading.Lock(), None


os.register_at_fork(after_in_child=_after_fork)
