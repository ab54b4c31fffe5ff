"""The log store: a copy of finished lines on its way to PostgreSQL, by one thread of each process.

The rule: whoever logs pays a few microseconds and never waits. What finds no room is dropped and
counted, errors last; what a killed process had not written yet (BATCH_S, the stream has it) is lost;
a process that ends in order writes the rest. Settings import this module: models only inside functions.
"""

import atexit
import contextlib
import os
import threading
import time
import weakref
from collections import Counter as Tally
from collections.abc import Iterator
from datetime import UTC, datetime
from multiprocessing import util
from queue import Empty, SimpleQueue
from typing import Any

from observability.logs.rows import Row, row_of
from observability.logs.writer import Refused, Writer

BATCH, BATCH_S = 500, 1.0
LIMIT, LIMIT_FOR_ERRORS = 10_000, 12_000
# After so long without a line the connection is given back.
IDLE_S = 60.0
BACKOFF_S = (0.25, 0.5, 1.0, 2.0, 5.0)
CLOSING_S = 5.0
TRIES_AT_THE_END = 4
_TELL_EVERY_S = 60.0

Line = dict[str, Any]
_stores: "weakref.WeakSet[LogStore]" = weakref.WeakSet()
# Connections of a parent process: never closed here, for that would end them for the parent too.
_inherited: list[Any] = []


class LogStore:
    """Takes lines from any thread; see the module for what it promises."""

    def __init__(self, *, limit: int = LIMIT, limit_for_errors: int = LIMIT_FOR_ERRORS) -> None:
        self.limit, self.limit_for_errors = limit, limit_for_errors
        self._told_at = -_TELL_EVERY_S
        self._reset()
        _stores.add(self)

    def _reset(self) -> None:
        self._queue: SimpleQueue[Line | None] = SimpleQueue()
        # Reentrant: a destructor that logs may run while this very thread counts a drop.
        self._lock = threading.RLock()
        self._dropped: Tally[str] = Tally()
        self._has_dropped = False
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()
        self._left: list[Row] = []
        self._closes_early = False
        self._writer = Writer(on_bad=lambda row: self._drop(row.level))

    def put(self, line: Line) -> None:
        """Take a finished line, which nobody changes afterwards. Never waits, never raises."""
        if self._ending.is_set():
            return
        waiting = self._queue.qsize()
        if waiting >= self.limit and (line.get("level") != "error" or waiting >= self.limit_for_errors):
            self._drop(str(line.get("level")))
            return
        if self._thread is None:
            self._start()
        elif self._thread.ident == threading.get_ident():
            # What the writing itself has logged: to keep it would give the next such line.
            return
        self._queue.put(line)

    def close(self, timeout_s: float = CLOSING_S) -> None:
        """Write what waits, as far as the database takes it in time, and end. Later lines are not kept."""
        self._ending.set()
        with self._lock:
            thread = self._thread
        if thread is None or not thread.is_alive():
            return
        self._queue.put(None)
        thread.join(timeout_s)
        if self._has_dropped:
            from observability import counters

            # The carrier may have made its last round already.
            with contextlib.suppress(Exception):
                counters.flush()

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None or self._ending.is_set():
                return
            thread = threading.Thread(target=self._run, name="log-store", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # No more threads now; the lines wait for the next try.
                return
            self._thread = thread
            self._close_at_exit()

    def _close_at_exit(self) -> None:
        # django-q2's children end without atexit; multiprocessing's own hook runs in both.
        util.Finalize(None, self.close, exitpriority=5)
        atexit.register(self.close)

    def _drop(self, level: str, count: int = 1) -> None:
        with self._lock:
            self._dropped[level] += count

    # What follows runs in the store's own thread.

    def _run(self) -> None:
        while not (self._ending.is_set() and self._queue.empty()):
            try:
                self._left += self._rows(self._next_lines())
                self._write()
                self._tell_drops()
            except Exception as error:  # noqa: BLE001 - this thread is the only one that writes
                for row in self._left:
                    self._drop(row.level)
                self._left = []
                self._say(f"broken by {type(error).__name__}")
                self._ending.wait(BACKOFF_S[-1])
        self._tell_drops()
        self._writer.close()

    def _next_lines(self) -> list[Line]:
        """Return the next lines: as many as a batch holds, or as come within BATCH_S of the first."""
        return list(self._collected())

    def _collected(self) -> Iterator[Line]:
        deadline = None
        for _ in range(BATCH):
            wait_s = IDLE_S if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                line = self._queue.get(timeout=0.0 if self._ending.is_set() else wait_s)
            except Empty:
                if deadline is None:
                    self._writer.close()
                return
            if line is not None:
                yield line
            deadline = deadline or time.monotonic() + BATCH_S

    def _rows(self, lines: list[Line]) -> Iterator[Row]:
        now = datetime.now(UTC)
        for line in lines:
            try:
                yield row_of(line, now=now)
            except Exception:  # noqa: BLE001 - one odd line does not take its batch along
                self._drop(str(line.get("level")))

    def _write(self) -> None:
        """Write the batch in hand, however long the database is away; then it is the queue that fills."""
        failures = failures_at_the_end = 0
        while self._left:
            try:
                self._writer.write(self._left)
                if failures:
                    self._say("lines are kept again")
                self._left = []
                self._close_before_the_embedded_server()
            except Refused as refused:
                self._left = refused.left
                self._tell_drops()
                if self._ending.is_set():
                    # A connection that was cut heals at once; a server that is away does not in time.
                    failures_at_the_end += 1
                    if failures_at_the_end == TRIES_AT_THE_END:
                        self._give_up(str(refused))
                        return
                    time.sleep(BACKOFF_S[0])
                    continue
                self._say(f"the database takes no lines ({refused})")
                self._ending.wait(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
                failures += 1

    def _close_before_the_embedded_server(self) -> None:
        """What is registered last runs first, and that server registered its own end when it started."""
        if not self._closes_early:
            self._closes_early = True
            atexit.register(self.close)

    def _give_up(self, reason: str) -> None:
        lost, self._left = len(self._left), []
        with contextlib.suppress(Empty):
            while True:
                lost += self._queue.get_nowait() is not None
        self._say(f"{lost} lines are in the stream only ({reason})", at_once=True)

    def _tell_drops(self) -> None:
        with self._lock:
            dropped, self._dropped = self._dropped, Tally()
        if not dropped:
            return
        from observability import counters
        from observability.counters import Counter

        self._has_dropped = True
        for level, count in dropped.items():
            counters.add(Counter.LOG_LINE_DROPPED, level, count)
        self._say("dropped " + ", ".join(f"{count} {level}" for level, count in dropped.items()))

    def _say(self, words: str, *, at_once: bool = False) -> None:
        """Tell stderr, at most once a minute: the way through logging ends here."""
        now = time.monotonic()
        if at_once or now - self._told_at >= _TELL_EVERY_S:
            self._told_at = now
            # Not by sys.stderr, whose lock a thread that dies with the process would take along.
            with contextlib.suppress(OSError):
                os.write(2, f"log store: {words}\n".encode())

    def after_fork(self) -> None:
        """Begin anew in a child: lines, lock, thread and connection are the parent's and stay so."""
        connection = self._writer.connection
        if connection is not None:
            _inherited.append(connection)
            with contextlib.suppress(Exception):
                # Only this copy of the socket; the session goes on with the parent.
                os.close(connection.pgconn.socket)
        self._reset()


def _after_fork() -> None:
    for each in _stores:
        each.after_fork()


os.register_at_fork(after_in_child=_after_fork)
store = LogStore()
