"""What templates of dashboards ask for: a chart's drawing, a figure's words, a number in its unit.

The rule: a number is shown with the words that say what it means; a key without words is a mistake of ours,
and breaks the page rather than leaving a number that everybody reads as they like.
"""

from dataclasses import dataclass
from typing import Any

from django import template

from observability.charts import (
    bars,
    before_after,
    cohorts,
    formatting,
    funnel,
    heat,
    lines,
    markup,
    tables,
)
from observability.dashboards.definitions import WORDS
from observability.dashboards.panels import (
    Bars,
    BeforeAfter,
    Chart,
    Cohorts,
    Figure,
    Funnel,
    Heat,
    Lines,
    Listing,
)
from trainu.admin_rendering import seen

register = template.Library()
register.filter("as_unit", formatting.write)
register.filter("seen", seen)
register.filter("rows", markup.rows)
register.filter("pointers", markup.pointers)
register.filter("cells", markup.cells)
register.filter("options", markup.options)

NOTHING = "Nothing in this period."


@dataclass(frozen=True, slots=True)
class Written:
    """A figure in words; each is empty where there is nothing to say."""

    value: str
    error: str
    interval: str
    few: str
    before: str
    change: str


@register.inclusion_tag("observability/dashboards/figure.html")
def figure(figure: Figure) -> dict[str, Any]:
    """Show a figure with everything that belongs to it."""
    return {"figure": figure, "written": in_words(figure), "definition": WORDS[figure.key]}


@register.inclusion_tag("observability/dashboards/chart.html")
def chart(chart: Chart, files: str, query: str) -> dict[str, Any]:
    """Show a chart, its definition and its table. files: address of the dashboard's files. query: what it was
    asked."""
    kind, drawing = drawn(chart)
    return {
        "chart": chart,
        "id": f"chart-{chart.key}",
        "kind": kind,
        "drawing": drawing,
        "table": tables.written(chart),
        "is_empty": drawing is None,
        # These are tables themselves.
        "has_table": kind not in ("bars", "cohorts", "listing"),
        "definition": WORDS[chart.key],
        "nothing": chart.note or NOTHING,
        "csv_url": f"{files}{chart.key}/?{query}",
    }


def in_words(figure: Figure) -> Written:
    """Return a figure's number, and what may be said about it."""
    unit, low, high = figure.unit, formatting.known(figure.low), formatting.known(figure.high)
    value, before = formatting.known(figure.value), formatting.known(figure.before)
    words = formatting.write(value, unit)
    has_interval = low is not None and high is not None
    is_rough = figure.is_rough and value is not None
    is_compared = value is not None and before is not None and not figure.is_small
    return Written(
        value=f"~ {words}" if is_rough else words,
        error=formatting.error(low, high, unit) if is_rough and has_interval else "",  # type: ignore[arg-type]
        interval="" if figure.is_rough else formatting.interval(low, high, unit),
        few=f"Too few to tell (n = {formatting.write(figure.sample)})" if figure.is_small else "",
        before=formatting.write(before, unit) if is_compared else "",
        change=formatting.difference(value, before, unit) if is_compared else "",  # type: ignore[arg-type]
    )


def drawn(chart: Chart) -> tuple[str, Any]:
    """Return the kind of a chart, which names its template, and its drawing; None where it is all empty."""
    match chart:
        case Lines():
            return "lines", lines.draw(chart)
        case Funnel():
            return "funnel", funnel.draw(chart)
        case Heat():
            return "heat", heat.draw(chart)
        case Cohorts():
            return "cohorts", cohorts.draw(chart)
        case BeforeAfter():
            return "before_after", before_after.draw(chart)
        case Bars():
            return "bars", bars.draw(chart)
        case Listing():
            return "listing", tables.written(chart) if chart.content.rows else None
    raise TypeError(f"There is no drawing for {type(chart).__name__}.")
