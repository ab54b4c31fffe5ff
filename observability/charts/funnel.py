"""Steps that ever fewer people take, as bars below each other with what is lost between them.

The rule: a bar is as long as its share of the longest one; names, bars, counts and shares have columns of
their own, as wide as what is in them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from observability.charts import lettering
from observability.charts.formatting import MINUS, known, write
from observability.charts.lettering import SMALL
from observability.dashboards.panels import Funnel, Step
from trainu.admin_rendering import seen

WIDTH = 480
_BAR, _LOSS, _BETWEEN = 28, 20, 10
_LONGEST_NAME = 150
_TOP = 2.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A step. loss: words about those who have not taken it. slope: the outline between the bars."""

    label: str
    people: str
    share: str
    y: float
    middle: float
    width: float
    slope: str
    loss: str
    loss_y: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """left: where bars begin. counts, shares: where those columns end. words: what there is to see."""

    width: int
    height: float
    left: float
    bar_height: int
    counts: float
    shares: float
    bars: tuple[Bar, ...]
    words: str


def draw(chart: Funnel) -> Drawing | None:
    """Return the picture of a funnel; None where nobody took the first step, nor any other."""
    people = [max(known(step.people) or 0.0, 0.0) for step in chart.steps]
    longest = max(people, default=0.0)
    if not longest:
        return None
    names = [lettering.cut(step.label, _LONGEST_NAME) for step in chart.steps]
    counts = [write(number) for number in people]
    shares = [write(number / people[0], "share") if people[0] else "" for number in people]
    left = round(max(lettering.width(name) for name in names) + 10, 2)
    share_room = max(lettering.width(share, SMALL) for share in shares)
    count_room = max(lettering.width(count) for count in counts)
    count_end = round(WIDTH - share_room - 10, 2)
    room = count_end - count_room - 10 - left
    pitch = _BAR + (_LOSS if chart.nested else _BETWEEN)
    bars: list[Bar] = []
    for i, number in enumerate(people):
        y = _TOP + i * pitch
        wide = round(number / longest * room, 2)
        lost = chart.nested and i > 0
        before = bars[-1].width if bars else 0.0
        bars.append(
            Bar(
                label=names[i],
                people=counts[i],
                share=shares[i],
                y=y,
                middle=y + _BAR / 2,
                width=wide,
                slope=f"M{left} {y - _LOSS}h{before:g}L{round(left + wide, 2):g} {y}H{left}Z" if lost else "",
                loss=_loss(people[i - 1], number) if lost else "",
                loss_y=y - _LOSS / 2,
            )
        )
    height = _TOP + len(bars) * pitch - (pitch - _BAR) + 2
    words = _words(chart.steps, counts, shares)
    return Drawing(WIDTH, height, left, _BAR, count_end, float(WIDTH), tuple(bars), words)


def _loss(before: float, now: float) -> str:
    if not before:
        return ""
    if now > before:
        return f"{write(now - before, is_signed=True)}"
    lost = f", {MINUS}{write(before - now)}" if before > now else ""
    return f"{write(now / before, 'share')} continue{lost}"


def _words(steps: Sequence[Step], counts: Sequence[str], shares: Sequence[str]) -> str:
    told = "; ".join(
        f"{seen(step.label)}: {count}{f' ({share})' if share else ''}"
        for step, count, share in zip(steps, counts, shares, strict=True)
    )
    return f"{told}."
