"""Lanes: long tasks that django-q2's schedules start every minute, and that look for work each second.

The rule: lanes of one name may overlap and may be killed at any line; whoever steps holds a lock or a
row. A lane ends by itself, so a stopped cluster stops it, and the next minute starts the next one.
"""

import multiprocessing
import time
from collections.abc import Callable
from typing import Any

from django.utils import timezone

from observability.models import Heartbeat

# Longer than the minute of the schedule and the half minute by which django-q2's scheduler may be late.
RUN_FOR_S = 95.0
BEAT_EVERY_S = 5.0
IDLE_S = 0.5

# Set by the qcluster command on SIGTERM, seen by all its worker processes: lanes leave at once.
stopping = multiprocessing.get_context("fork").Event()


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
    """Write a sign of life."""
    Heartbeat.objects.update_or_create(name=name, defaults={"beat_at": timezone.now(), "detail": detail})
