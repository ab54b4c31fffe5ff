"""Deaths by the hour as bars of SVG: geometry alone, in the units of the drawing.

The rule: a page draws what is computed here and shows the same figures in words or in a table. An hour with a
death has a bar that can be seen, however many another one has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sync.dead_letters.trend import HOUR, Trend

SPARK_HEIGHT = 24
_SPARK_STEP = 4
CHART_HEIGHT = 120
CHART_STEP = 10
_LOWEST = 1.5
# Hours between two labels below the chart.
_LABELED = 12


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of the chart, and what it stands for."""

    x: float
    y: float
    height: float
    hour: datetime
    deaths: int


@dataclass(frozen=True, slots=True)
class Chart:
    """labels: place and text of the hours below the bars. most: what the highest bar stands for."""

    bars: Sequence[Bar]
    labels: Sequence[tuple[int, str]]
    most: int
    width: int
    height: int = CHART_HEIGHT
    bar_width: int = CHART_STEP - 2


def spark(trend: Trend) -> tuple[str, int]:
    """Return the path that draws a trend in the height of a line of text, and its width."""
    parts = [
        f"M{number * _SPARK_STEP} {SPARK_HEIGHT}v{-height:g}h{_SPARK_STEP - 1}v{height:g}z"
        for number, height in enumerate(_heights(trend, SPARK_HEIGHT))
        if height
    ]
    return "".join(parts), len(trend.deaths) * _SPARK_STEP


def chart(trend: Trend) -> Chart:
    """Return a trend as a chart with an axis of hours."""
    heights = _heights(trend, CHART_HEIGHT)
    bars = [
        Bar(number * CHART_STEP + 1, round(CHART_HEIGHT - height, 1), height, hour, deaths)
        for number, ((hour, deaths), height) in enumerate(zip(trend.hours, heights, strict=True))
        if height
    ]
    labels = [
        (number * CHART_STEP, _label(trend.begins + number * HOUR))
        for number in range(len(trend.deaths))
        if (trend.begins + number * HOUR).astimezone(UTC).hour % _LABELED == 0
    ]
    return Chart(bars, labels, max(trend.deaths, default=0), len(trend.deaths) * CHART_STEP)


def _label(hour: datetime) -> str:
    utc = hour.astimezone(UTC)
    return f"{utc.day} {utc:%b}" if utc.hour == 0 else f"{utc:%H}:00"


def _heights(trend: Trend, most: int) -> list[float]:
    peak = max(trend.deaths, default=0)
    return [max(round(count * most / peak, 1), _LOWEST) if count else 0.0 for count in trend.deaths]
