"""Series over time as lines with bands, or as areas on one another, with a target and values to point at.

The rule: a value that is not known interrupts its line; where a part of a stack is not known, it is none.
Series differ by dash (lines) or hatching (areas) as well as by colour, which the number of their class says.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from observability.charts import lettering
from observability.charts.formatting import known, write
from observability.charts.lettering import SMALL
from observability.charts.pointing import Pointer, look, pointers
from observability.charts.scale import Axis, axis
from observability.charts.target import Mark, mark
from observability.dashboards.panels import Lines, Series, Unit
from trainu.admin_rendering import seen

WIDTH, HEIGHT = 480, 220
TOP, BOTTOM = 14, 26
_RIGHT = WIDTH - 12
# Half the width of what stands alone.
_LONE = 2.5


@dataclass(frozen=True, slots=True)
class Trace:
    """One series. look: the number of its class. path: its line, or the edge of its area. dots: values that
    stand alone. band: its interval. area: of a stack. last: its last known value in words."""

    label: str
    look: int
    path: str
    area: str
    band: str
    dots: tuple[tuple[float, float], ...]
    last: str
    url: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """All of a picture; places are in units of its viewBox, rounded. words: what there is to see."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    y_ticks: tuple[tuple[float, str], ...]
    x_ticks: tuple[tuple[float, str, str], ...]
    traces: tuple[Trace, ...]
    target: Mark | None
    pointers: tuple[Pointer, ...]
    is_stacked: bool
    words: str


@dataclass(frozen=True, slots=True)
class _Frame:
    """The room between the axes, and the way of a value to its place."""

    left: float
    count: int
    scale: Axis

    def x(self, index: int) -> float:
        if self.count == 1:
            return round((self.left + _RIGHT) / 2, 2)
        return round(self.left + index * (_RIGHT - self.left) / (self.count - 1), 2)

    def y(self, value: float) -> float:
        return self.scale.place(value, HEIGHT - BOTTOM, TOP)


def draw(chart: Lines) -> Drawing | None:
    """Return the picture of a chart; None where no value is known."""
    values = [[known(value) for value in one.values] for one in chart.series]
    if not any(value is not None for series in values for value in series):
        return None
    stack = _stacked(values) if chart.stacked else []
    scale = axis(_heights(chart, values, stack), chart.unit, floor=0.0 if chart.stacked else chart.floor)
    left = 10 + max(lettering.width(words, SMALL) for _, words in scale.ticks)
    frame = _Frame(round(left, 2), len(chart.xs), scale)
    traces = tuple(
        _area(one, number, stack, values[number], frame, chart.unit)
        if chart.stacked
        else _line(one, number, values[number], frame, chart.unit)
        for number, one in enumerate(chart.series)
    )
    tops = stack if chart.stacked else values
    return Drawing(
        width=WIDTH,
        height=HEIGHT,
        left=frame.left,
        right=_RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
        y_ticks=tuple((frame.y(value), words) for value, words in scale.ticks),
        x_ticks=_x_ticks(chart.xs, frame),
        traces=traces,
        target=mark(chart.target, frame.y),
        pointers=pointers(chart, values, tops, frame.x, frame.y, left=frame.left, right=_RIGHT),
        is_stacked=chart.stacked,
        words=_words(chart, traces),
    )


def _heights(
    chart: Lines, values: Sequence[Sequence[float | None]], stack: Sequence[Sequence[float | None]]
) -> list[float]:
    """Return every value that has to find room on the axis."""
    bounds = [chart.target.low, chart.target.high] if chart.target else []
    bands = [value for one in chart.series for value in (*one.low, *one.high)] if not chart.stacked else []
    shown = [value for series in (stack or values) for value in series]
    return [number for value in (*shown, *bands, *bounds) if (number := known(value)) is not None]


def _line(one: Series, number: int, values: Sequence[float | None], frame: _Frame, unit: Unit) -> Trace:
    runs = _runs(values)
    path = "".join(_path([(frame.x(i), frame.y(value)) for i, value in run]) for run in runs if len(run) > 1)
    return Trace(
        label=seen(one.label),
        look=look(number),
        path=path,
        area="",
        band=_band(one, frame) if one.low else "",
        dots=tuple((frame.x(run[0][0]), frame.y(run[0][1])) for run in runs if len(run) == 1),
        last=_last(values, unit),
        url=one.url,
    )


def _area(
    one: Series,
    number: int,
    stack: Sequence[Sequence[float | None]],
    values: Sequence[float | None],
    frame: _Frame,
    unit: Unit,
) -> Trace:
    edges, areas = [], []
    for run in _runs(stack[number]):
        upper = [(frame.x(i), frame.y(value)) for i, value in run]
        below = stack[number - 1] if number else [0.0] * len(values)
        lower = [(frame.x(i), frame.y(below[i] or 0.0)) for i, _ in run]
        if len(run) == 1:
            (x, y), (_, base) = upper[0], lower[0]
            upper, lower = [(x - _LONE, y), (x + _LONE, y)], [(x - _LONE, base), (x + _LONE, base)]
        edges.append(_path(upper))
        areas.append(f"{_path(upper)}{_path(lower[::-1]).replace('M', 'L', 1)}Z")
    return Trace(
        label=seen(one.label),
        look=look(number),
        path="".join(edges),
        area="".join(areas),
        band="",
        dots=(),
        last=_last(values, unit),
        url=one.url,
    )


def _band(one: Series, frame: _Frame) -> str:
    pairs: list[float | None] = [
        None if known(low) is None or known(high) is None else low
        for low, high in zip(one.low, one.high, strict=True)
    ]
    parts = []
    for run in _runs(pairs):
        lower = [(frame.x(i), frame.y(low)) for i, low in run]
        upper = [(frame.x(i), frame.y(one.high[i] or 0.0)) for i, _ in run]
        if len(run) == 1:
            lower = [(lower[0][0] - _LONE, lower[0][1]), (lower[0][0] + _LONE, lower[0][1])]
            upper = [(upper[0][0] - _LONE, upper[0][1]), (upper[0][0] + _LONE, upper[0][1])]
        parts.append(f"{_path(upper)}{_path(lower[::-1]).replace('M', 'L', 1)}Z")
    return "".join(parts)


def _stacked(values: Sequence[Sequence[float | None]]) -> list[list[float | None]]:
    """Return the upper edge of each series on those before it."""
    edges: list[list[float | None]] = []
    below: list[float | None] = [0.0] * len(values[0])
    holes = {i for series in values for i, value in enumerate(series) if value is None}
    for series in values:
        below = [
            None if i in holes else (under or 0.0) + (value or 0.0)
            for i, (under, value) in enumerate(zip(below, series, strict=True))
        ]
        edges.append(below)
    return edges


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Return the stretches of known values, each as index and value."""
    runs: list[list[tuple[int, float]]] = [[]]
    for i, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((i, value))
    return [run for run in runs if run]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)


def _last(values: Sequence[float | None], unit: Unit) -> str:
    there = [value for value in values if value is not None]
    return write(there[-1], unit) if there else ""


def _x_ticks(xs: Sequence[str], frame: _Frame) -> tuple[tuple[float, str, str], ...]:
    """Return some of the labels below the axis, as many as do not touch: place, words, anchor."""
    words = [lettering.cut(label, 110, SMALL) for label in lettering.moments(xs)]
    widest = max(lettering.width(word, SMALL) for word in words) + 14
    fitting = max(1, int((_RIGHT - frame.left) // widest))
    step = max(1, -(-len(xs) // fitting))
    ticks = []
    for i in range(0, len(xs), step):
        x, half = frame.x(i), lettering.width(words[i], SMALL) / 2
        if x + half > WIDTH:
            ticks.append((float(WIDTH), words[i], "end"))
        elif x - half < 0:
            ticks.append((0.0, words[i], "start"))
        else:
            ticks.append((x, words[i], "middle"))
    return tuple(ticks)


def _words(chart: Lines, traces: Sequence[Trace]) -> str:
    """Return what the picture shows, for whoever does not see it."""
    lasts = ", ".join(f"{trace.label} {trace.last}" for trace in traces if trace.last)
    goal = f" Target: {chart.target.words}." if chart.target else ""
    period = f"From {chart.xs[0]} to {chart.xs[-1]}."
    return f"{period} Last known: {lasts}.{goal} All values are in the table below."
