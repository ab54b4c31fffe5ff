"""Lines and stacks: whatever the values, the picture is whole, honest about gaps, and inside its frame."""

import dataclasses
import math
import re
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from observability.charts import lines, pointing, scale
from observability.charts.lines import HEIGHT, WIDTH, Drawing
from observability.dashboards.panels import Lines, Series, Target

numbers = st.floats(-1e12, 1e12, allow_nan=False) | st.integers(-(10**12), 10**12)
positive = st.floats(0, 1e9, allow_nan=False)
units = st.sampled_from(["number", "share", "points", "seconds", "milliseconds", "minutes", "score"])


@st.composite
def charts(draw: Any, *, stacked: bool = False) -> Lines:
    count = draw(st.integers(1, 70))
    values = st.lists(st.none() | (positive if stacked else numbers), min_size=count, max_size=count)
    series = []
    for number in range(draw(st.integers(1, 12))):
        own = draw(values)
        has_band = not stacked and draw(st.booleans())
        low = [None if value is None else value - 1 for value in own] if has_band else ()
        high = [None if value is None else value + abs(value) for value in own] if has_band else ()
        series.append(Series(draw(st.text(max_size=60)) or f"Series {number}", own, low, high))
    target = draw(st.none() | st.builds(Target, st.text(max_size=90), numbers, st.none() | numbers))
    xs = [draw(st.text(max_size=40)) or str(i) for i in range(count)]
    return Lines(
        key="dau",
        title="Chart",
        unit=draw(units),
        xs=xs,
        series=series,
        target=None if stacked else target,
        floor=draw(st.sampled_from([0.0, None])),
        stacked=stacked,
    )


def points(path: str) -> list[tuple[float, float]]:
    """Return the points of a path that is written in absolute places."""
    assert re.fullmatch(r"([MLZ]|[-\d.e+ ])*", path), path
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](\S+) ([^MLZ\s]+)", path)]


def numbers_in(drawn: Any) -> Iterator[float]:
    if dataclasses.is_dataclass(drawn):
        for field in dataclasses.fields(drawn):
            yield from numbers_in(getattr(drawn, field.name))
    elif isinstance(drawn, tuple):
        for one in drawn:
            yield from numbers_in(one)
    elif isinstance(drawn, int | float):
        yield float(drawn)


def is_whole(drawing: Drawing) -> None:
    """Every place is a number and inside the picture."""
    assert all(math.isfinite(number) for number in numbers_in(drawing))
    for trace in drawing.traces:
        for x, y in (*points(trace.path), *points(trace.area), *points(trace.band), *trace.dots):
            assert 0 <= x <= WIDTH, (x, trace)
            assert drawing.top <= y <= drawing.bottom
    for one in drawing.pointers:
        assert one.box.x >= 0
        assert one.box.x + one.box.width <= WIDTH
        assert one.box.y + one.box.height <= HEIGHT
        assert all(drawing.top <= y <= drawing.bottom for y, _ in one.dots)
    for x, words, anchor in drawing.x_ticks:
        wide = lines.lettering.width(words, lines.SMALL)
        start = {"start": x, "middle": x - wide / 2, "end": x - wide}[anchor]
        assert start >= -0.01
        assert start + wide <= WIDTH + 0.01
    assert all(drawing.top <= y <= drawing.bottom for y, _ in drawing.y_ticks)


@given(charts())
def test_lines_lie_inside_the_picture_whatever_their_values(chart: Lines) -> None:
    drawing = lines.draw(chart)
    known = [value for one in chart.series for value in one.values if value is not None]
    assert (drawing is None) == (not known)
    if drawing is not None:
        is_whole(drawing)


@given(charts(stacked=True))
def test_stacks_lie_inside_the_picture_and_upon_each_other(chart: Lines) -> None:
    drawing = lines.draw(chart)
    if drawing is None:
        return
    is_whole(drawing)
    for below, above in zip(drawing.traces, drawing.traces[1:], strict=False):
        for (x, lower), (other_x, upper) in zip(points(below.path), points(above.path), strict=True):
            assert x == other_x
            assert upper <= lower


@given(charts())
def test_every_known_value_is_drawn_once_and_no_other(chart: Lines) -> None:
    drawing = lines.draw(chart)
    for one, trace in zip(chart.series, drawing.traces if drawing else (), strict=False):
        known = [i for i, value in enumerate(one.values) if value is not None]
        assert len(points(trace.path)) + len(trace.dots) == len(known)
        runs = sum(i - 1 not in known for i in known)
        assert trace.path.count("M") + len(trace.dots) == runs


def test_a_missing_value_is_a_gap_and_a_lone_one_a_dot() -> None:
    chart = Lines(
        key="dau", title="", xs=list("abcdef"), series=[Series("one", [1, 2, None, 3, None, 4], url="/x")]
    )
    drawing = lines.draw(chart)
    assert drawing is not None
    [trace] = drawing.traces
    assert trace.path.count("M") == 1
    assert len(trace.dots) == 2
    assert (trace.last, trace.url) == ("4", "/x")


def test_a_value_beyond_all_measure_stays_inside_the_picture() -> None:
    for stacked in (False, True):
        series = [Series(name, [1e300, 5.0]) for name in ("one", "two")]
        drawing = lines.draw(Lines(key="dau", title="", xs=["a", "b"], series=series, stacked=stacked))
        assert drawing is not None
        is_whole(drawing)


def test_where_a_part_is_not_known_there_is_no_stack() -> None:
    series = [Series("one", [1, 1, 1, 1]), Series("two", [1, None, 1, 1])]
    drawing = lines.draw(Lines(key="dau", title="", xs=list("abcd"), series=series, stacked=True))
    assert drawing is not None
    assert {trace.area.count("Z") for trace in drawing.traces} == {2}


def test_infinities_are_not_known_either() -> None:
    chart = Lines(key="dau", title="", xs=["a", "b"], series=[Series("one", [math.inf, math.nan])])
    assert lines.draw(chart) is None
    assert lines.draw(Lines(key="dau", title="", xs=[], series=[])) is None


@given(st.lists(numbers, min_size=1, max_size=50), units, st.sampled_from([0.0, None]))
def test_ticks_go_from_below_every_value_to_above_and_are_few(
    values: list[float], unit: Any, floor: float | None
) -> None:
    axis = scale.axis(values, unit, floor=floor)
    ticks = [tick for tick, _ in axis.ticks]
    assert ticks == sorted(set(ticks))
    assert (axis.low, axis.high) == (ticks[0], ticks[-1])
    assert axis.low <= min(values)
    assert axis.high >= max(values)
    assert 2 <= len(ticks) <= 8
    if floor is not None and min(values) >= floor:
        assert axis.low == floor


def test_steps_are_those_that_people_count_in() -> None:
    def words(*values: float, unit: Any = "number", floor: float | None = 0.0) -> list[str]:
        return [said.replace("\u00a0", " ") for _, said in scale.axis(values, unit, floor=floor).ticks]

    assert words(2_884) == ["0", "1,000", "2,000", "3,000"]
    assert words(0, 3) == ["0", "1", "2", "3"]
    assert words(0.97, unit="share") == ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]
    assert words(0.992, 0.999, unit="share", floor=None)[-1] == "100 %"
    assert words(4_000, unit="seconds") == ["0 s", "15 min", "30 min", "45 min", "1 h", "1 h 15 min"]
    assert words(900, unit="milliseconds") == ["0 ms", "200 ms", "400 ms", "600 ms", "800 ms", "1 s"]


@given(st.integers(1, 800))
def test_there_are_sixty_places_to_point_at_at_most_and_the_last_value_is_one(count: int) -> None:
    xs = [f"x{i}" for i in range(count)]
    drawing = lines.draw(Lines(key="dau", title="", xs=xs, series=[Series("one", list(range(count)))]))
    assert drawing is not None
    assert 1 <= len(drawing.pointers) <= pointing.MOST
    assert drawing.pointers[-1].box.title == xs[-1]
    assert drawing.pointers[-1].box.rows[0].value == f"{count - 1:,}"
    # Together the stripes cover the picture between the axes, and each holds its own point.
    edge = drawing.left
    for one in drawing.pointers:
        assert abs(one.stripe_x - edge) < 0.02
        assert one.stripe_x - 0.02 <= one.x <= one.stripe_x + one.stripe_width + 0.02
        edge = one.stripe_x + one.stripe_width
    assert abs(edge - drawing.right) < 0.02


def test_a_target_is_on_the_axis_as_a_line_or_a_band() -> None:
    chart = Lines(key="dau", title="", unit="share", xs=["a"], series=[Series("one", [0.5])])
    line = lines.draw(dataclasses.replace(chart, target=Target("at least 90 %", 0.9)))
    band = lines.draw(dataclasses.replace(chart, target=Target("between", 0.7, 0.9)))
    assert line is not None
    assert band is not None
    assert line.target is not None
    assert band.target is not None
    assert (len(line.target.lines), line.target.height) == (1, 0)
    assert line.top <= line.target.lines[0] <= line.bottom
    assert band.target.height > 0
    assert band.target.words == "between"


def test_days_below_the_axis_are_short_and_in_a_long_period_have_a_year() -> None:
    short = lines.lettering.moments
    assert short(["2026-11-01", "2026-11-28"]) == ["1 Nov", "28 Nov"]
    assert short(["2026-11-27T00:00", "2026-11-27T14:00"]) == ["27 Nov", "14:00"]
    assert short(["2024-11-01", "2026-11-28"]) == ["Nov 2024", "Nov 2026"]
    assert short(["Week 1"]) == ["Week 1"]
