"""Shares before and after as dumbbells, with the interval of their difference; before hollow, after filled.

The rule: a pair with too few cases is drawn faintly, and how few stands where the difference would.
"""

from dataclasses import dataclass

from observability.charts import lettering
from observability.charts.formatting import difference, known, write
from observability.charts.lettering import SMALL
from observability.charts.scale import Axis, axis
from observability.dashboards.panels import BeforeAfter, Pair, Unit
from trainu.admin_rendering import seen

WIDTH = 480
_TOP, _PITCH = 28, 36
_LONGEST_NAME = 130
_EDGE = 8


@dataclass(frozen=True, slots=True)
class Dumbbell:
    """before_x, after_x: None where not known. from_x, to_x: where the after would lie at the ends of the
    interval of the difference; None without one. words, detail: right of it. is_faint: too few to tell."""

    label: str
    y: float
    before_x: float | None
    after_x: float | None
    from_x: float | None
    to_x: float | None
    words: str
    detail: str
    is_faint: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """left, right: of the axis. ticks: places and words. words: what there is to see."""

    width: int
    height: float
    left: float
    right: float
    top: float
    ticks: tuple[tuple[float, str], ...]
    dumbbells: tuple[Dumbbell, ...]
    before: str
    after: str
    words: str


def draw(chart: BeforeAfter) -> Drawing | None:
    """Return the picture of the pairs; None where nothing is known before nor after."""
    values = [number for one in chart.pairs for number in _all_of(one)]
    if not values:
        return None
    names = [lettering.cut(one.label, _LONGEST_NAME) for one in chart.pairs]
    said = [_said(one, chart.unit) for one in chart.pairs]
    left = round(max(lettering.width(name) for name in names) + 10 + _EDGE, 2)
    wide = max(max(lettering.width(words), lettering.width(detail, SMALL)) for words, detail in said)
    right = round(WIDTH - wide - 10 - _EDGE, 2)
    scale = axis(values, chart.unit, floor=None)
    dumbbells = tuple(
        _dumbbell(one, names[i], *said[i], _TOP + (i + 0.5) * _PITCH, scale, left, right)
        for i, one in enumerate(chart.pairs)
    )
    return Drawing(
        width=WIDTH,
        height=float(_TOP + _PITCH * len(chart.pairs) + 2),
        left=left,
        right=right,
        top=_TOP - 6,
        ticks=_ticks(scale, left, right),
        dumbbells=dumbbells,
        before=chart.before,
        after=chart.after,
        words=_words(chart),
    )


def _all_of(one: Pair) -> list[float]:
    """Return every value of a pair that needs room on the axis."""
    ends = [one.before, one.after, *(_ends(one) or ())]
    return [number for value in ends if (number := known(value)) is not None]


def _ends(one: Pair) -> tuple[float, float] | None:
    """Return the interval of the difference, laid beside the value before."""
    before, low, high = known(one.before), known(one.low), known(one.high)
    if one.is_small or before is None or low is None or high is None:
        return None
    return before + low, before + high


def _dumbbell(
    one: Pair, label: str, words: str, detail: str, y: float, scale: Axis, left: float, right: float
) -> Dumbbell:
    def x(value: float | None) -> float | None:
        number = known(value)
        return None if number is None else scale.place(number, left, right)

    low, high = _ends(one) or (None, None)
    return Dumbbell(label, y, x(one.before), x(one.after), x(low), x(high), words, detail, one.is_small)


def _said(one: Pair, unit: Unit) -> tuple[str, str]:
    """Return what stands right of a pair: the difference and its interval, or why there is none."""
    before, after = known(one.before), known(one.after)
    fewest = min(one.cases_before, one.cases_after)
    if one.is_small:
        return "too few to tell", f"n = {write(fewest)}"
    if before is None or after is None:
        return "not known", ""
    own: Unit = "points" if unit == "share" else unit
    low, high = known(one.low), known(one.high)
    detail = "" if low is None or high is None else f"{_bare(low, own)} to {_bare(high, own)}"
    return difference(after, before, unit), detail


def _bare(value: float, unit: Unit) -> str:
    """Return an end of an interval; its unit stands in the line above it."""
    return write(value, unit, is_signed=True).removesuffix("\u00a0pp")


def _ticks(scale: Axis, left: float, right: float) -> tuple[tuple[float, str], ...]:
    """Return the ticks of the axis, as many as do not touch."""
    widest = max(lettering.width(words, SMALL) for _, words in scale.ticks) + 6
    fitting = max(1, int((right - left) // widest))
    step = max(1, -(-(len(scale.ticks) - 1) // fitting))
    return tuple((scale.place(value, left, right), words) for value, words in scale.ticks[::step])


def _words(chart: BeforeAfter) -> str:
    told = "; ".join(
        f"{seen(one.label)}: {write(one.before, chart.unit)} before, {write(one.after, chart.unit)} after, "
        + ("too few to tell" if one.is_small else f"difference {_said(one, chart.unit)[0]}")
        for one in chart.pairs
    )
    return f"{chart.before} (before) and {chart.after} (after). {told}."
