"""Where a chart's target is drawn: a line, or a band between two.

The rule: its words stand in the legend, where no value of the chart can cross them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from observability.charts.formatting import known
from observability.dashboards.panels import Target


@dataclass(frozen=True, slots=True)
class Mark:
    """lines: heights of its bounds. top, height: the band between two; of one bound the height is 0."""

    words: str
    lines: tuple[float, ...]
    top: float
    height: float


def mark(target: Target | None, height_of: Callable[[float], float]) -> Mark | None:
    """Return a target in the picture; None where it has no bound. height_of: the place of a value."""
    bounds = [number for bound in _bounds(target) if (number := known(bound)) is not None]
    if target is None or not bounds:
        return None
    lines = tuple(sorted(height_of(bound) for bound in bounds))
    return Mark(target.words, lines, lines[0], round(lines[-1] - lines[0], 2))


def _bounds(target: Target | None) -> tuple[float | None, ...]:
    return (target.low, target.high) if target else ()
