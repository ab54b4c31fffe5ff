"""What stands beside the pointer: a box of values for each point in time, shown by CSS or the arrow keys.

The rule: never more than sixty places to point at; where there are more points, the page would be mostly
these. A box names its own point, the last point is always one, and the table has them all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from observability.charts import lettering
from observability.charts.formatting import write
from observability.charts.lettering import SMALL
from observability.dashboards.panels import Lines

MOST = 60
# So many looks of series there are; then they begin again.
LOOKS = 8
_MOST_ROWS = 10
_LINE, _PAD = 15, 7
_LONGEST_NAME = 130
_TOP = 16.0


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the box: name, value, and the look of the series; 0 for a line that is no series."""

    name: str
    value: str
    look: int
    y: float


@dataclass(frozen=True, slots=True)
class Box:
    """What is shown: a title above the rows, and where all that stands."""

    title: str
    rows: tuple[Row, ...]
    x: float
    y: float
    width: float
    height: float
    names_x: float
    values_x: float


@dataclass(frozen=True, slots=True)
class Pointer:
    """One place to point at: the stripe that listens, the upright line at x, the dots on it, and the box."""

    x: float
    stripe_x: float
    stripe_width: float
    dots: tuple[tuple[float, int], ...]
    box: Box


def look(number: int) -> int:
    """Return the number of a series' class, from 1 on."""
    return number % LOOKS + 1


def pointers(
    chart: Lines,
    values: Sequence[Sequence[float | None]],
    tops: Sequence[Sequence[float | None]],
    x_of: Callable[[int], float],
    y_of: Callable[[float], float],
    *,
    left: float,
    right: float,
) -> tuple[Pointer, ...]:
    """Return the places to point at. values: as they are. tops: as they are drawn, the edges of a stack."""
    step = max(1, -(-len(chart.xs) // MOST))
    points = list(range(len(chart.xs) - 1, -1, -step))[::-1]
    places = [x_of(i) for i in points]
    edges = [left, *((a + b) / 2 for a, b in pairwise(places)), right]
    found = []
    for i, x, start, end in zip(points, places, edges[:-1], edges[1:], strict=True):
        dots = tuple(
            (y_of(edge[i] or 0.0), look(number)) for number, edge in enumerate(tops) if edge[i] is not None
        )
        box = _box(chart, [series[i] for series in values], chart.xs[i], x, right)
        found.append(Pointer(x, round(start, 2), round(end - start, 2), dots, box))
    return tuple(found)


def _box(chart: Lines, values: Sequence[float | None], title: str, x: float, right: float) -> Box:
    shown = list(zip(chart.series, values, strict=True))[:_MOST_ROWS]
    lines = [
        (lettering.cut(one.label, _LONGEST_NAME, SMALL), write(value, chart.unit), look(number))
        for number, (one, value) in enumerate(shown)
    ]
    if left_out := len(chart.series) - len(shown):
        lines.append((f"{left_out} more in the table", "", 0))
    names = max(lettering.width(name, SMALL) for name, _, _ in lines)
    figures = max(lettering.width(figure, SMALL) for _, figure, _ in lines)
    title = lettering.cut(title, 200, SMALL)
    width = max(12 + names + 12 + figures, lettering.width(title, SMALL)) + 2 * _PAD
    # On the side where there is room; what has been cut always finds some.
    start = x + 8 if x + 8 + width <= right else max(0.0, x - 8 - width)
    rows = tuple(
        Row(name, figure, number, _TOP + _PAD + (place + 2) * _LINE - 4)
        for place, (name, figure, number) in enumerate(lines)
    )
    return Box(
        title=title,
        rows=rows,
        x=round(start, 2),
        y=_TOP,
        width=round(width, 2),
        height=float((len(rows) + 1) * _LINE + 2 * _PAD - 2),
        names_x=round(start + _PAD + 12, 2),
        values_x=round(start + width - _PAD, 2),
    )
