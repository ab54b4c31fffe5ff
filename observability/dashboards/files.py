"""A dashboard's numbers as CSV: a chart's table, or all figures with what they mean.

The rule: numbers are raw, so that a spreadsheet can count with them, and no words can be a formula in it.
"""

import csv
import io
from collections.abc import Iterable, Sequence

from observability.audit.export import safe_cell
from observability.charts import tables
from observability.charts.formatting import known
from observability.dashboards.definitions import WORDS
from observability.dashboards.panels import Cell, Chart, Dashboard

_FIGURE_COLUMNS = (
    "section",
    "key",
    "label",
    "value",
    "unit",
    "sample",
    "low",
    "high",
    "before",
    "target",
    "verdict",
    "note",
    "definition",
)


def chart(chart: Chart) -> str:
    """Return a chart's table. Shares are from 0 to 1; what is not known is an empty cell."""
    return _written(tables.headings(chart), tables.raw(chart))


def figures(dashboard: Dashboard) -> str:
    """Return every figure of a dashboard, one a row."""
    rows: list[list[Cell]] = [
        [
            section.title,
            one.key,
            one.label,
            known(one.value),
            one.unit,
            one.sample,
            known(one.low),
            known(one.high),
            known(one.before),
            one.target.words if one.target else "",
            one.verdict,
            one.note,
            WORDS[one.key],
        ]
        for section in dashboard.sections
        for one in section.figures
    ]
    return _written(_FIGURE_COLUMNS, rows)


def _written(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    for row in (columns, *rows):
        writer.writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in row])
    return file.getvalue()
