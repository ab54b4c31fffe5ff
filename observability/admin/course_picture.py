"""The course of a measure around an incident as a picture and a table: threshold, and the incident's time.

The rule: whatever the picture shows stands in the table.
"""

from dataclasses import dataclass
from datetime import UTC

from observability.alerts import demands
from observability.alerts.course import Course
from observability.charts import lines, tables
from observability.charts.lines import Drawing
from observability.charts.tables import Written
from observability.dashboards.panels import Lines, Series, Target
from observability.models import AlertRule

# Nobody reads further down, and the page stays small.
_NARROWEST = 2.0


@dataclass(frozen=True, slots=True)
class Picture:
    """span_x, span_width: where the incident is in the drawing. note: what a reader must know."""

    chart: Lines
    drawing: Drawing
    table: Written
    span_x: float
    span_width: float
    note: str


def picture(course: Course, rule: AlertRule) -> Picture | None:
    """Return what the template draws; None where nothing is known."""
    unit = demands.unit(rule)
    threshold = demands.in_words(rule.threshold, rule)
    chart = Lines(
        key="course",
        title=demands.what(rule),
        unit=unit,
        xs=[f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" for at in course.moments],
        series=[Series(demands.what(rule), course.values)],
        target=Target(threshold, high=rule.threshold),
    )
    drawing = lines.draw(chart)
    if drawing is None:
        return None
    wide = (drawing.right - drawing.left) / max(len(course.moments) - 1, 1)
    start = drawing.left + course.first * wide
    return Picture(
        chart=chart,
        drawing=drawing,
        table=tables.written(chart),
        span_x=round(start, 2),
        span_width=round(max((course.last - course.first) * wide, _NARROWEST), 2),
        note=_note(course, rule),
    )


def _note(course: Course, rule: AlertRule) -> str:
    parts = []
    if rule.window_minutes > 1:
        parts.append(f"Each point looks at the {rule.window_minutes:,} minutes before it.")
    if course.step > 1:
        parts.append(f"Of every {course.step} minutes the worst is shown.")
    if any(value is None for value in course.values):
        few = f" fewer than {rule.min_sample:,} cases, or" if rule.min_sample else ""
        parts.append(f"Gaps:{few} nothing was measured.")
    return " ".join(parts)
