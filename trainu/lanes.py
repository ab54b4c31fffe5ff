"""Lanes: long tasks that django-q2's schedules start every minute, and that look for work each second.

Kernel: imports no app. The rule: lanes of one name may overlap and may be killed at any line; whoever
steps holds a lock or a row. A lane ends by itself, so a stopped cluster stops it, and the next minute
starts the next one. It is called as its schedule is, without " lane" (see trainu.schedules).
"""

import os
import select
import time
from collections.abc import Callable
from typing import Any

from django.dispatch import Signal

# Longer than the minute of the schedule and the half minute by which django-q2's scheduler may be late.
RUN_FOR_S = 95.0
BEAT_EVERY_S = 5.0
IDLE_S = 0.5


class Flag:
    """Raised by one process, seen at once by all that were forked from it: a pipe with something in it.

    Not multiprocessing's Event: that has a lock, which a process killed in the wrong moment would keep.
    """

    def __init__(self) -> None:
        self._out, self._in = os.pipe()

    def set(self) -> None:
        """Raise it; safe in a signal handler."""
        if not self.is_set():
            os.write(self._in, b"!")

    def clear(self) -> None:
        while self.is_set():
            os.read(self._out, 1)

    def is_set(self) -> bool:
        return self.wait(0)

    def wait(self, seconds: float) -> bool:
        """Wait until it is raised, for so long at most; tell whether it is."""
        waiting = select.poll()
        waiting.register(self._out, select.POLLIN)
        return bool(waiting.poll(seconds * 1e3))


# Raised by the qcluster command on SIGTERM, seen by all its worker processes: lanes leave at once.
stopping = Flag()

# The cluster that this process belongs to, as host:pid; its command says so before it forks its workers.
cluster = ""

# name: of the lane; detail: plain values. Receivers do not raise: who keeps signs of life must not end work.
beaten = Signal()


def run(name: str, step: Callable[[], bool], *, run_for_s: float = RUN_FOR_S, idle_s: float = IDLE_S) -> int:
    """Call `step` until the time is up or the cluster stops; return how often it was called.

    step: does a bit of work and returns whether more is waiting. What it raises ends the lane and
    stands among the failed tasks; the next lane starts within a minute.
    """
    ends = time.monotonic() + run_for_s
    beats = 0.0
    steps = 0
    while time.monotonic() < ends and not stopping.is_set():
        if time.monotonic() >= beats:
            beat(name, {"steps": steps})
            beats = time.monotonic() + BEAT_EVERY_S
        behind = step()
        steps += 1
        if not behind:
            stopping.wait(idle_s)
    return steps


def beat(name: str, detail: dict[str, Any]) -> None:
    """Give a sign of life, to whoever listens to `beaten`."""
    beaten.send(sender=None, name=name, detail=detail | ({"cluster": cluster} if cluster else {}))
