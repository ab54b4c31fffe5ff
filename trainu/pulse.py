"""The pulse of a cluster of workers: signs that its parts move, and the verdict that one of them does not.

django-q2 replaces a process that dies, but not the lock it held. An idle worker always holds that of the
task queue, the monitor that of the results: kill one, and the cluster takes no task ever again, does not
stop on SIGTERM, and stays green in its own eyes. So each cluster sends a ping through itself, the way tasks
go: pusher, worker, monitor. The ping asks no database, so one that is away is no standstill; and it waits
behind other tasks, of which none takes longer than their time limit, so a busy cluster moves within that.

Kernel: imports no app. The rule: signs stand in bare shared memory, for a lock around them could be lost
in the very same way; and only forked processes of one cluster share them.
"""

import time
import uuid
from collections.abc import Mapping
from enum import StrEnum
from multiprocessing.sharedctypes import RawValue
from typing import Any

import structlog
from django.db import Error, connections
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.signals import post_execute, post_execute_in_worker, pre_execute
from django_q.signing import SignedPackage

from trainu import lanes

log = structlog.get_logger(__name__)

PING_EVERY_S = 10.0
# More than the time limit of tasks (110 s, and 3 s until the guard acts); settings' test holds it.
SILENT_S = 120.0
LONGEST_STEP_S = 5.0
AWAY_S = 1.0
_PING = f"{__name__}.ping"


class Part(StrEnum):
    """What must move: the guard looks after the others, workers take tasks, the monitor keeps results."""

    GUARD = "guard"
    WORKERS = "workers"
    RESULTS = "results"


# When each part last gave a sign, on the monotonic clock of this machine.
_signs = {part: RawValue("d", 0.0) for part in Part}


def sign(part: Part) -> None:
    """Say that a part has moved just now."""
    _signs[part].value = time.monotonic()


def signs() -> dict[Part, float]:
    """Return the newest sign of each part."""
    return {part: float(shared.value) for part, shared in _signs.items()}


class Watch:
    """Looks at signs now and then; counts for how long each part gave none.

    silent_s: how long is too long. What passes between two looks counts as a few seconds at most: a machine
    or a cluster that was asleep as a whole was not silent.
    """

    def __init__(self, *, silent_s: float = SILENT_S) -> None:
        self.silent_s = silent_s
        self._seen: dict[Part, float] = {}
        self._silent_s = dict.fromkeys(Part, 0.0)
        self._looked_at: float | None = None

    def look(self, signs: Mapping[Part, float], *, now: float) -> Part | None:
        """Return a part that has been silent for too long. now: seconds on a monotonic clock."""
        passed = 0.0 if self._looked_at is None else min(now - self._looked_at, LONGEST_STEP_S)
        self._looked_at = now
        for part, newest in signs.items():
            moved = newest != self._seen.get(part, newest)
            self._seen[part] = newest
            self._silent_s[part] = 0.0 if moved else self._silent_s[part] + passed
        return next((part for part in signs if self._silent_s[part] > self.silent_s), None)


class PingingBroker(ORM):  # type: ignore[misc]
    """The queue in PostgreSQL, with a ping among its tasks every few seconds.

    django-q2's guard tells the broker each half second how its cluster stands, and its pusher asks the
    broker for tasks: both show here that they move.
    """

    def __init__(self, list_key: str | None = None, *, ping_every_s: float = PING_EVERY_S) -> None:
        super().__init__(list_key=list_key)
        self.ping_every_s = ping_every_s
        self._pings_at = 0.0
        self._is_away = False

    def set_stat(self, key: str, value: str, timeout: int) -> Any:
        sign(Part.GUARD)
        return super().set_stat(key, value, timeout)

    def dequeue(self) -> Any:
        """Return tasks as (row id, package), or None. While the database is away: none, and no exception.

        django-q2's pusher would die of one, after ten seconds in which it does nothing.
        """
        if time.monotonic() >= self._pings_at:
            self._pings_at = time.monotonic() + self.ping_every_s
            return [(None, _package())]
        try:
            tasks = super().dequeue()
        except Error as error:
            if not self._is_away:
                log.warning("queue_not_read", error=type(error).__name__)
            self._is_away = True
            time.sleep(AWAY_S)
            return None
        self._is_away = False
        return tasks


def ping() -> None:
    """What a worker does with a ping: it writes down, for all hosts to see, that its cluster lives."""
    # As long as the column, and a host may be called longer than that.
    lanes.beat(f"cluster {lanes.cluster}"[:64], {})


def is_ping(task: Mapping[str, Any]) -> bool:
    """Tell whether a task of django-q2 is a ping, and nobody's work."""
    return task.get("func") == _PING


def connect() -> None:
    """Let this process, and whatever is forked from it, give signs; a second call changes nothing."""
    lanes.beaten.connect(_on_worker, dispatch_uid="pulse.beaten")
    pre_execute.connect(_on_worker, dispatch_uid="pulse.pre_execute")
    post_execute_in_worker.connect(_on_idle, dispatch_uid="pulse.post_execute_in_worker")
    post_execute.connect(_on_result, dispatch_uid="pulse.post_execute")


def _package() -> str:
    """Return a ping as the queue would hold it. It has no row, and its result is not kept."""
    task = {"id": uuid.uuid4().hex, "name": "ping", "func": _PING, "args": (), "kwargs": {}, "save": False}
    return str(SignedPackage.dumps(task | {"started": timezone.now()}))


def _on_worker(**_signal: Any) -> None:
    sign(Part.WORKERS)


def _on_idle(**_signal: Any) -> None:
    # Most workers wait most of the time, and PostgreSQL has no connection to give away for that.
    connections.close_all()


def _on_result(**_signal: Any) -> None:
    sign(Part.RESULTS)
