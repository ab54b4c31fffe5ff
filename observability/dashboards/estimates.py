"""Counts of people: exact, or estimated from the sample that sets of people hold.

The rule: every count of people on a dashboard goes through here, so that none is shown without its error.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pyroaring import BitMap

from observability.dashboards.intervals import sample_error, wilson
from observability.dashboards.panels import Figure, Series


@dataclass(frozen=True, slots=True)
class Estimates:
    """level: sets hold one in 2**level people; 0 where they hold everybody."""

    level: int

    @property
    def note(self) -> str:
        """What a chart of such counts has to say; empty where they are exact."""
        return f"Estimated from one in {2**self.level} people." if self.level else ""

    def count(self, people: BitMap) -> int:
        """Return how many people a set stands for."""
        return len(people) << self.level

    def scaled(self, average: float) -> float:
        """Return what an average size of sets stands for."""
        return average * (1 << self.level)

    def bounds(self, count: float) -> tuple[float, float] | None:
        """Return the 95 % interval of a count of people, or of an average of such; None where it is exact."""
        if not self.level:
            return None
        error = sample_error(count, 2**self.level)
        return max(0.0, count - error), count + error

    def figure(self, key: str, label: str, count: float, **more: Any) -> Figure:
        """Return a count of people as a figure."""
        low, high = self.bounds(count) or (None, None)
        return Figure(key, label, count, low=low, high=high, is_rough=bool(self.level), **more)

    def series(self, label: str, sets: Iterable[BitMap], *, url: str = "") -> Series:
        """Return the sizes of sets along the x of a chart, with a band where they are estimated."""
        counts = [self.count(people) for people in sets]
        bands = [band for count in counts if (band := self.bounds(count))]
        return Series(label, counts, [low for low, _ in bands], [high for _, high in bands], url)


def share(key: str, label: str, successes: int, cases: int, **more: Any) -> Figure:
    """Return successes of cases as a figure with its interval (Wilson); no value without cases."""
    low, high = wilson(successes, cases) or (None, None)
    value = successes / cases if cases else None
    return Figure(key, label, value, "share", sample=cases, low=low, high=high, **more)


def ratio(successes: float, cases: float) -> float | None:
    """Return a share; None without cases."""
    return successes / cases if cases else None
