"""A chart's table as pages, files and the API hold it: what unit each column has, and cells in words.

The rule: the table is the chart's own; here nothing is counted, left out or put in another order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from observability.charts.formatting import NOTHING, known, write
from observability.dashboards.panels import (
    BeforeAfter,
    Cell,
    Chart,
    Cohorts,
    Funnel,
    Listing,
    Unit,
)
from trainu.admin_rendering import seen

ColumnUnit = Unit | Literal[""]
_UNIT_WORDS: dict[ColumnUnit, str] = {
    "share": "share, 0 to 1",
    "points": "difference of shares",
    "seconds": "s",
    "milliseconds": "ms",
    "minutes": "min",
    "score": "points",
}


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    is_number: bool


@dataclass(frozen=True, slots=True)
class Row:
    """name: its first cell, which leads to url where there is one. cells: the others, whether numbers."""

    name: str
    url: str
    cells: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Written:
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def units(chart: Chart) -> list[ColumnUnit]:
    """Return the unit of each column of a chart's table; empty for names and words."""
    count = len(chart.table().columns)
    own = chart.unit
    if isinstance(chart, Funnel):
        return (["", "number", "share", "number"])[:count]  # type: ignore[return-value]
    if isinstance(chart, Cohorts):
        return ["", "number", *([own] * (count - 2))]
    if isinstance(chart, BeforeAfter):
        change: Unit = "points" if own == "share" else own
        return ["", own, "number", own, "number", change, change, change, ""]
    if isinstance(chart, Listing):
        named: list[ColumnUnit] = list(chart.units)[:count]
        return named + [""] * (count - len(named))
    return ["", *([own] * (count - 1))]


def written(chart: Chart) -> Written:
    """Return the table of a chart in words, as far as it stands on a page."""
    table = chart.table()
    shown = table.rows[: chart.shown] if isinstance(chart, Listing) else table.rows
    kinds = units(chart)
    filled = [_is_number(unit, [row[i] for row in shown]) for i, unit in enumerate(kinds)]
    columns = tuple(Column(seen(name), filled[i]) for i, name in enumerate(table.columns))
    rows = []
    for number, (first, *others) in enumerate(shown):
        cells = tuple(
            (_write(cell, kinds[i], is_number=filled[i]), filled[i]) for i, cell in enumerate(others, 1)
        )
        url = table.urls[number] if number < len(table.urls) else ""
        rows.append(Row(_write(first, kinds[0], is_number=False), url, cells))
    return Written(columns, tuple(rows))


def headings(chart: Chart) -> list[str]:
    """Return the columns' names for a file, with the unit of the raw numbers below them."""
    return [
        f"{name} ({_UNIT_WORDS[unit]})".strip() if unit in _UNIT_WORDS else name
        for name, unit in zip(chart.table().columns, units(chart), strict=True)
    ]


def raw(chart: Chart) -> Iterator[list[Cell]]:
    """Yield the rows of a chart's table as they are; None for what is no finite number."""
    for row in chart.table().rows:
        yield [known(cell) if isinstance(cell, float) else cell for cell in row]


def _is_number(unit: ColumnUnit, cells: Sequence[Cell]) -> bool:
    return bool(unit) or (any(cells) and all(cell is None or not isinstance(cell, str) for cell in cells))


def _write(cell: Cell, unit: ColumnUnit, *, is_number: bool) -> str:
    if isinstance(cell, str):
        return seen(cell)
    if cell is None:
        return NOTHING if is_number else ""
    return write(cell, unit or "number")
