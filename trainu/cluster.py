"""A cluster of django-q2's workers that stops at once when it is asked to, and ends when it stands still.

What django-q2 cannot mend from inside (see trainu.pulse), a new start mends: the command ends with
processes.STUCK, and whoever runs it (`up`, systemd, a container's restart policy) starts it again.

Kernel: imports no app. The rule: no process outlives the one that started it, on Linux; so to end the
guard is to end the workers, and a killed cluster leaves nobody behind who would go on taking tasks.
"""

import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import structlog
from django_q.cluster import Cluster
from django_q.conf import Conf

from trainu import lanes, pulse
from trainu.faults import DegradedFault
from trainu.processes import STUCK

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0
# Until then every task that it had taken has ended, or has been given up.
STOP_WITHIN_S = float(Conf.RETRY)
# How long the last words may take: counts to the database, an error to Sentry.
LAST_WORDS_S = 10
_PR_SET_PDEATHSIG = 1


class WatchedCluster(Cluster):  # type: ignore[misc]
    """One per process. silent_s, ping_every_s: see trainu.pulse."""

    stop_event: Any

    def __init__(self, *, silent_s: float = pulse.SILENT_S, ping_every_s: float = pulse.PING_EVERY_S) -> None:
        super().__init__(pulse.PingingBroker(ping_every_s=ping_every_s))
        self.is_asked_to_stop = False
        self._watch = pulse.Watch(silent_s=silent_s)
        lanes.cluster = f"{socket.gethostname()}:{os.getpid()}"
        pulse.connect()
        _tie_children()

    def run(self, *, beside: Callable[[], object] = lambda: None) -> None:
        """Run until it is asked to stop. Exits the process with STUCK when the cluster stands still.

        beside: called once the workers are forked, for what this process alone is to do in threads.
        """
        try:
            self.start()
            beside()
            while self.sentinel.is_alive():
                # Not a sleep: that would go on after the signal by which all was stopped.
                lanes.stopping.wait(LOOK_EVERY_S)
                silent = self._watch.look(pulse.signs(), now=time.monotonic())
                if silent and not self.is_asked_to_stop:
                    raise DegradedFault("worker_silent", part=silent)
            if not self.is_asked_to_stop:
                raise DegradedFault("worker_died", part=pulse.Part.GUARD)
        except DegradedFault:
            log.exception("cluster_stands_still", cluster=lanes.cluster)
            self._give_up()

    def stop(self) -> bool:
        """Let lanes leave at once, other tasks end, and the processes go. What does not go is killed."""
        self.is_asked_to_stop = True
        lanes.stopping.set()
        if self.sentinel is None:
            # A signal has come before there was anything to stop.
            sys.exit(0)
        if not self.sentinel.is_alive():
            return False
        self.stop_event.set()
        self.sentinel.join(STOP_WITHIN_S)
        if self.sentinel.is_alive():
            self.sentinel.kill()
            self.sentinel.join()
        self.start_event = None
        self.stop_event = None
        return True

    def _give_up(self) -> None:
        self.sentinel.kill()
        self.sentinel.join()
        # Last words go out while the process ends in order, and must not keep it from ending.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(LAST_WORDS_S)
        sys.exit(STUCK)


def _tie_children() -> None:
    """Have whatever this process forks, and what that forks, killed by Linux when its parent is gone."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    parent = 0

    def before() -> None:
        nonlocal parent
        parent = os.getpid()

    def in_child() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    os.register_at_fork(before=before, after_in_child=in_child)
