"""Bars as rows of a table: a name, which may lead somewhere, its bar, and its value.

The rule: all bars begin at nothing, and run to the left of it where a value is below.
"""

from dataclasses import dataclass

from observability.charts.formatting import known, write
from observability.dashboards.panels import Bars
from trainu.admin_rendering import seen

WIDTH = 100.0


@dataclass(frozen=True, slots=True)
class Bar:
    """x, width: in a hundred. is_below: its value is less than nothing. is_known: it has a value."""

    label: str
    url: str
    value: str
    x: float
    width: float
    is_below: bool
    is_known: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """zero: where bars begin, in a hundred. first_column: what the names are of."""

    bars: tuple[Bar, ...]
    zero: float
    first_column: str


def draw(chart: Bars) -> Drawing | None:
    """Return the bars to be shown; None where no value is known."""
    values = [known(value) for _, value in chart.bars]
    there = [value for value in values if value is not None]
    if not there:
        return None
    low, high = min(0.0, *there), max(0.0, *there)
    extent = (high - low) or 1.0
    zero = round(-low / extent * WIDTH, 2)
    bars = []
    for number, ((label, _), value) in enumerate(zip(chart.bars, values, strict=True)):
        wide = round(abs(value or 0.0) / extent * WIDTH, 2)
        below = value is not None and value < 0
        url = chart.urls[number] if number < len(chart.urls) else ""
        x = max(0.0, round(zero - wide, 2)) if below else zero
        bars.append(
            Bar(seen(label), url, write(value, chart.unit), x, min(wide, WIDTH), below, value is not None)
        )
    return Drawing(tuple(bars), zero, chart.first_column)
