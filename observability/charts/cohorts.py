"""Cohorts as a table that is shaded like a grid: the numbers stand in it, so it needs no second table.

The rule: a cell whose time is not over is empty, and told apart from one with nothing in it, which says 0 %.
"""

from dataclasses import dataclass

from observability.charts import lettering
from observability.charts.formatting import known, write
from observability.charts.heat import Legend, highest_of, legend, shade
from observability.dashboards.panels import Cohorts, Unit


@dataclass(frozen=True, slots=True)
class Row:
    """label, people: of the cohort. cells: words and class of each time since."""

    label: str
    people: str
    url: str
    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """in_percent: whether the cells are, which is said once."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    legend: Legend
    in_percent: bool


def draw(chart: Cohorts) -> Drawing | None:
    """Return the rows to be shown; None where no value is known."""
    highest = highest_of(value for one in chart.cohorts for value in one.values)
    if highest is None:
        return None
    labels = lettering.days([one.label for one in chart.cohorts])
    rows = tuple(
        Row(
            label,
            write(one.people),
            one.url,
            tuple(
                (_short(value, chart.unit), shade(value, highest)) if known(value) is not None else ("", "")
                for value in one.values
            ),
        )
        for label, one in zip(labels, chart.cohorts, strict=True)
    )
    return Drawing(tuple(chart.columns), rows, legend(highest, chart.unit), chart.unit == "share")


def _short(value: float | None, unit: Unit) -> str:
    """Return a value without the percent sign, which would take the room of a column."""
    return write(value, unit).removesuffix("\u00a0%")
