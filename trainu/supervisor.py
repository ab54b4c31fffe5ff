"""Run the service's processes side by side, restart what dies, and stop them all cleanly.

The rule: only processes that this one started are ever signalled, each with what hangs on it (it
leads a process group of its own). If this process is killed outright, Linux takes its children along.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STOP_S = 20.0
LONGEST_PAUSE_S = 30.0
# A process that ran so long has been well; its next death is not counted with the last.
WELL_AFTER_S = 60.0
_PR_SET_PDEATHSIG = 1


@dataclass
class Service:
    """One process: what it is called, how it is run, and how it has fared.

    endings: what it means when it ends with a code, as words that can follow its name.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    endings: Mapping[int, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    deaths: int = 0
    start_again_at: float | None = field(default=None)


class Supervisor:
    """Keeps services running until `stop` is asked for. say: prints a line to whoever watches."""

    def __init__(self, services: Sequence[Service], *, folder: Path, say: Callable[[str], None]) -> None:
        self.services = list(services)
        self.folder = folder
        self.say = say
        self.stopping = False

    def stop(self, *_signal: object) -> None:
        """Ask for the end; safe in a signal handler."""
        self.stopping = True

    def start(self) -> None:
        """Start every service."""
        for service in self.services:
            self._start(service)

    def watch(self, *, until: Callable[[], bool] = lambda: False) -> None:
        """Restart what dies, until `stop` is asked for or `until` says so."""
        while not self.stopping and not until():
            for service in self.services:
                self._tend(service)
            time.sleep(0.2)

    def shut_down(self) -> None:
        """End every service: TERM first, and KILL for what is still there after STOP_S."""
        # Those too that have died just now: what they leave behind has not been ended yet.
        started = [one for one in self.services if one.process is not None and one.start_again_at is None]
        for service in started:
            assert service.process is not None
            # Only the leader: django-q2's helpers end by its word, and would lose their task by a TERM.
            service.process.terminate()
        deadline = time.monotonic() + STOP_S
        for service in started:
            assert service.process is not None
            try:
                service.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(f"{service.name} did not stop in {STOP_S:.0f} s and was ended.")
            self._end_group(service)

    def _start(self, service: Service) -> None:
        service.process = subprocess.Popen(
            service.command,
            cwd=self.folder,
            env=os.environ | dict(service.environment),
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        service.started_at = time.monotonic()
        service.start_again_at = None

    def _tend(self, service: Service) -> None:
        now = time.monotonic()
        if service.start_again_at is not None:
            if now >= service.start_again_at:
                self._start(service)
            return
        if service.process is None or service.process.poll() is None:
            return
        # What it leaves behind could hold its port or its tasks.
        self._end_group(service)
        service.deaths = 0 if now - service.started_at > WELL_AFTER_S else service.deaths + 1
        pause_s = min(LONGEST_PAUSE_S, 2.0 ** max(0, service.deaths - 1))
        service.start_again_at = now + pause_s
        code = service.process.returncode
        how = service.endings.get(code, f"ended with {code}")
        self.say(f"{service.name} {how}; it starts again in {pause_s:.0f} s.")

    def _end_group(self, service: Service) -> None:
        assert service.process is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(service.process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            service.process.wait(5)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
