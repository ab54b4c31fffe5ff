"""Whether the machine was quiet: what others took of its cores, and how long its disk takes to keep a write.

The rule: a figure of a disturbed run is no figure; so each stands beside what shows that it was disturbed.
"""

import os
import statistics
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_HERTZ = os.sysconf("SC_CLK_TCK")
WRITES = 100


class Watch:
    """Use as `with`; afterwards `foreign` is the share of all cores that was not ours.

    Ours is this process, what it has started, and whatever works in `folder` (PostgreSQL's processes).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self.foreign = 0.0

    def __enter__(self) -> Self:
        self._began = time.monotonic(), _busy_s(), self._ours_s()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        at, busy_s, ours_s = self._began
        whole_s = (time.monotonic() - at) * (os.cpu_count() or 1)
        foreign_s = (_busy_s() - busy_s) - (self._ours_s() - ours_s)
        self.foreign = round(max(0.0, foreign_s) / whole_s, 2)

    def _ours_s(self) -> float:
        parents: dict[int, int] = {}
        taken: dict[int, float] = {}
        ours = {os.getpid()}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    numbers = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                    place = (entry / "cwd").readlink()
                except OSError:
                    continue
                number = int(entry.name)
                parents[number] = int(numbers[1])
                # Those it has waited for are counted in it.
                taken[number] = sum(map(int, numbers[11:15])) / _HERTZ
                if str(place).startswith(self._folder):
                    ours.add(number)
        while more := {child for child, parent in parents.items() if parent in ours} - ours:
            ours |= more
        return sum(taken.get(number, 0.0) for number in ours)


def _busy_s() -> float:
    user, nice, system, _idle, _wait, *others = map(
        int, Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    )
    return (user + nice + system + sum(others[:3])) / _HERTZ


def fdatasync_ms(folder: Path) -> float:
    """Return the median time of a small write that is kept."""
    path = folder / "fdatasync"
    taken = []
    with path.open("wb", buffering=0) as file:
        for _ in range(WRITES):
            started = time.perf_counter()
            file.write(b"x" * 8192)
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - started) * 1e3)
    path.unlink()
    return round(statistics.median(taken), 3)
