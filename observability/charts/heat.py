"""A grid of values as shades, from q0 to q8, and the legend that says what a shade means.

The rule: shades go by equal steps from nothing to the highest value; what is not known has no shade at all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from observability.charts import lettering
from observability.charts.formatting import known, write
from observability.charts.lettering import SMALL
from observability.dashboards.panels import Heat, Unit
from trainu.admin_rendering import seen

WIDTH = 480
SHADES = 9
_TOP, _GAP = 22, 2
_HIGHEST, _LOWEST = 30.0, 22.0
_LONGEST_NAME = 110


@dataclass(frozen=True, slots=True)
class Cell:
    x: float
    y: float
    shade: str
    words: str


@dataclass(frozen=True, slots=True)
class Legend:
    """low, high: what the faintest and the strongest shade stand for."""

    low: str
    high: str
    shades: tuple[str, ...] = tuple(f"q{number}" for number in range(SHADES))


@dataclass(frozen=True, slots=True)
class Drawing:
    """rows: names and their heights. columns: names and their middles. words: what there is to see."""

    width: int
    height: float
    left: float
    cell_width: float
    cell_height: float
    rows: tuple[tuple[float, str], ...]
    columns: tuple[tuple[float, str], ...]
    cells: tuple[Cell, ...]
    legend: Legend
    words: str


def shade(value: float | None, highest: float) -> str:
    """Return the class of a value's shade; empty for what is not known."""
    number = known(value)
    if number is None:
        return ""
    if highest <= 0 or number <= 0:
        return "q0"
    return f"q{min(int(number / highest * (SHADES - 1) + 0.5), SHADES - 1)}"


def highest_of(values: Iterable[float | None]) -> float | None:
    """Return the highest known value."""
    return max((number for value in values if (number := known(value)) is not None), default=None)


def legend(highest: float, unit: Unit) -> Legend:
    """Return what the shades mean where the strongest one is `highest`."""
    return Legend(write(0, unit), write(max(highest, 0), unit))


def draw(chart: Heat) -> Drawing | None:
    """Return the picture of a grid; None where no value is known."""
    highest = highest_of(value for row in chart.values for value in row)
    if highest is None:
        return None
    names = [lettering.cut(name, _LONGEST_NAME) for name in chart.rows]
    left = round(max(lettering.width(name) for name in names) + 8, 2)
    wide = (WIDTH - left) / len(chart.columns)
    high = min(max(wide, _LOWEST), _HIGHEST)
    cells = [
        Cell(
            round(left + column * wide, 2),
            round(_TOP + row * high, 2),
            shade(value, highest),
            f"{seen(chart.rows[row])}, {seen(chart.columns[column])}: {write(value, chart.unit)}",
        )
        for row, values in enumerate(chart.values)
        for column, value in enumerate(values)
        if known(value) is not None
    ]
    return Drawing(
        width=WIDTH,
        height=round(_TOP + high * len(chart.rows), 2),
        left=left,
        cell_width=round(max(wide - _GAP, 1), 2),
        cell_height=round(high - _GAP, 2),
        rows=tuple((round(_TOP + (i + 0.5) * high - 1, 2), name) for i, name in enumerate(names)),
        columns=_columns(chart.columns, left, wide),
        cells=tuple(cells),
        legend=legend(highest, chart.unit),
        words=_words(chart, highest),
    )


def _columns(names: Sequence[str], left: float, wide: float) -> tuple[tuple[float, str], ...]:
    """Return the names above the columns, as many as do not touch."""
    shown = [lettering.cut(name, 80, SMALL) for name in lettering.moments(names)]
    step = max(1, -(-int(max(lettering.width(name, SMALL) for name in shown) + 8) // max(int(wide), 1)))
    half = WIDTH - lettering.width(shown[-1], SMALL) / 2
    return tuple((round(min(left + (i + 0.5) * wide, half), 2), shown[i]) for i in range(0, len(shown), step))


def _words(chart: Heat, highest: float) -> str:
    where = next(
        f"{seen(name)}, {seen(column)}"
        for name, values in zip(chart.rows, chart.values, strict=True)
        for column, value in zip(chart.columns, values, strict=True)
        if known(value) == highest
    )
    return f"Highest at {where}: {write(highest, chart.unit)}. All values are in the table below."
