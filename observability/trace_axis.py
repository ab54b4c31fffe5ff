"""Where moments stand on a time axis, so that seconds and hours fit on one: the picture of a trace.

Pure. The rule: as long as time can be drawn evenly it is; where a few long waits would press everything else
into a corner, waits are shortened by their logarithm and written beside it. The table says it all exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from math import log1p

from trainu.moments import Moment

WIDTH = 1_000
LEFT = 130
RIGHT = 30
TOP = 34
LANE = 34
_FOOT = 8
# Closer than this, two dots of a lane are one.
_NEAR = 9
_FEWEST_FOR_A_SCALE = 4
# One wait that takes more than this share of the time leaves no room for the rest.
_LONG_SHARE = 0.4
# On a shortened axis the shortest wait is the unit, but none below this.
_SHORTEST_S = 0.001
_LABEL_WIDTH = 92
_MOST_LABELS = 6
_TONES = ("bad", "warn", "ok", "info")


@dataclass(frozen=True, slots=True)
class Dot:
    """One moment, or several that stand too close. number: of the first one's row in the table."""

    x: float
    y: float
    radius: float
    number: int
    tone: str
    words: str


@dataclass(frozen=True, slots=True)
class Lane:
    name: str
    y: float
    dots: list[Dot]


@dataclass(frozen=True, slots=True)
class Gap:
    """A wait that is written on the axis."""

    x: float
    left: float
    right: float
    words: str

    @property
    def width(self) -> float:
        return round(self.right - self.left, 1)


@dataclass(frozen=True, slots=True)
class Picture:
    """All lanes. is_even: whether the same length is the same time everywhere."""

    lanes: list[Lane]
    gaps: list[Gap]
    is_even: bool
    height: float
    words: str

    @property
    def width(self) -> int:
        return WIDTH

    @property
    def left(self) -> int:
        return LEFT

    @property
    def right(self) -> int:
        return WIDTH - RIGHT

    @property
    def lanes_height(self) -> float:
        return self.height - TOP - _FOOT

    @property
    def top(self) -> int:
        return TOP


def lane_of(moment: Moment) -> str:
    """Return the name of a moment's lane: its kind, without what comes after a comma."""
    return moment.kind.partition(",")[0]


def draw(moments: Sequence[Moment]) -> Picture | None:
    """Return the picture of moments, oldest first; None where there is nothing to compare."""
    if len(moments) < 2 or moments[0].at == moments[-1].at:
        return None
    waits = [(later.at - earlier.at).total_seconds() for earlier, later in pairwise(moments)]
    is_even = len(moments) < _FEWEST_FOR_A_SCALE or max(waits) <= _LONG_SHARE * sum(waits)
    places = _places(waits, is_even=is_even)
    names = list(dict.fromkeys(lane_of(moment) for moment in moments))
    lanes = []
    for number, name in enumerate(names):
        y = TOP + LANE * (number + 0.5)
        of_lane = [
            (index, moment, x)
            for index, (moment, x) in enumerate(zip(moments, places, strict=True))
            if lane_of(moment) == name
        ]
        lanes.append(Lane(name, y, _dots(of_lane, y)))
    span = _later(sum(waits)).removeprefix("+").removesuffix(" later")
    words = f"{len(moments)} moments in {len(names)} lane{'' if len(names) == 1 else 's'} over {span}."
    return Picture(lanes, _gaps(waits, places), is_even, TOP + LANE * len(names) + _FOOT, words)


def _places(waits: Sequence[float], *, is_even: bool) -> list[float]:
    """Return the x of each moment, from LEFT to WIDTH - RIGHT."""
    unit = max(min((wait for wait in waits if wait > 0), default=0.0), _SHORTEST_S)
    lengths = list(waits) if is_even else [log1p(wait / unit) for wait in waits]
    whole = sum(lengths)
    places = [0.0]
    for length in lengths:
        places.append(places[-1] + length)
    return [round(LEFT + (WIDTH - LEFT - RIGHT) * place / whole, 1) for place in places]


def _dots(of_lane: Sequence[tuple[int, Moment, float]], y: float) -> list[Dot]:
    heaps: list[list[tuple[int, Moment, float]]] = []
    for one in of_lane:
        if heaps and one[2] - heaps[-1][0][2] < _NEAR:
            heaps[-1].append(one)
        else:
            heaps.append([one])
    return [_dot(heap, y) for heap in heaps]


def _dot(heap: Sequence[tuple[int, Moment, float]], y: float) -> Dot:
    number, first, x = heap[0]
    tones = {moment.tone for _, moment, _ in heap}
    tone = next((tone for tone in _TONES if tone in tones), "")
    more = f", and {len(heap) - 1} more" if len(heap) > 1 else ""
    words = f"{first.at:%H:%M:%S} {first.title[:80]}{more}"
    return Dot(x, y, 5 if len(heap) == 1 else 7, number, tone, words)


def _gaps(waits: Sequence[float], places: Sequence[float]) -> list[Gap]:
    """Return the longest waits that have room for their words, in the order of time."""
    found = [
        Gap(round((left + right) / 2, 1), left, right, _later(wait))
        for wait, (left, right) in zip(waits, pairwise(places), strict=True)
        if right - left >= _LABEL_WIDTH
    ]
    longest = sorted(found, key=lambda gap: gap.right - gap.left, reverse=True)[:_MOST_LABELS]
    return sorted(longest, key=lambda gap: gap.x)


def after(distance: timedelta) -> str:
    """Return how long after the first moment one came: +0.250 s, +1 min 5 s, +2.5 h, +3.1 days."""
    seconds = distance.total_seconds()
    if seconds < 60:
        return f"+{seconds:.3f} s"
    if seconds < 3_600:
        return f"+{seconds // 60:.0f} min {seconds % 60:.0f} s"
    if seconds < 172_800:
        return f"+{seconds / 3_600:.1f} h"
    return f"+{seconds / 86_400:.1f} days"


def waited(distance: timedelta) -> str:
    """Return a wait that a reader of the table should notice, as "+2 h later"; empty for a short one."""
    return _later(distance.total_seconds()) if distance >= timedelta(minutes=1) else ""


def _later(seconds: float) -> str:
    if seconds < 1:
        return f"+{seconds * 1_000:.0f} ms later"
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size * (2 if unit == "days" else 1):
            return f"+{seconds / size:.1f}".removesuffix(".0") + f" {unit} later"
    return f"+{seconds:.1f}".removesuffix(".0") + " s later"
