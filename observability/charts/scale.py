"""Axes with round numbers, and how a value becomes a place in the picture.

The rule: the first tick is at or below every value and the last one at or above; steps are those that people
count in, which for durations are parts of minutes, hours and days.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from observability.charts.formatting import on_axis
from observability.dashboards.panels import Unit

_MOST_STEPS = 5
# What a day, an hour and a minute are divided into.
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400)
# Beyond this, floating-point numbers have no digits left to put ticks between.
_FAR = 1e15
_NEAR = 1e-9


@dataclass(frozen=True, slots=True)
class Axis:
    """low, high: its ends. ticks: from low to high, each a value and its words."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def place(self, value: float, start: float, end: float) -> float:
        """Return where a value lies between two places of the picture, start being the axis' low end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(start + share * (end - start), 2)


def axis(values: Iterable[float], unit: Unit, *, floor: float | None = 0.0) -> Axis:
    """Return an axis for all the values. floor: where it begins unless a value is lower; None: what fits."""
    there = [min(max(value, -_FAR), _FAR) for value in values]
    low = min(there, default=0.0)
    high = max(there, default=0.0)
    if floor is not None:
        low, high = min(low, floor), max(high, floor)
    size = max(abs(low), abs(high))
    if high - low <= max(size * 1e-9, _NEAR):
        # One value only: room below and above it, but not below a floor.
        spread = size * 0.1 if size > _NEAR else 1.0
        low, high = (low if floor is not None and low == floor else low - spread), high + spread
    is_whole = unit == "number" and all(value == int(value) for value in there)
    step = _step(high - low, unit, is_whole=is_whole)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = [_rounded(number * step) for number in range(first, max(last, first + 1) + 1)]
    # Rounding must not leave a value outside.
    ticks[0], ticks[-1] = min(ticks[0], low), max(ticks[-1], high)
    return Axis(ticks[0], ticks[-1], tuple((tick, on_axis(tick, unit)) for tick in ticks))


def _step(extent: float, unit: Unit, *, is_whole: bool) -> float:
    """Return the smallest round step of which no more than a handful are needed."""
    if unit in ("seconds", "milliseconds", "minutes"):
        in_seconds = {"seconds": 1.0, "milliseconds": 0.001, "minutes": 60.0}[unit]
        rough = extent * in_seconds / _MOST_STEPS
        if 1 <= rough <= _SECONDS[-1]:
            return next(step for step in _SECONDS if step >= rough) / in_seconds
        if rough > _SECONDS[-1]:
            return _decimal(rough / _SECONDS[-1]) * _SECONDS[-1] / in_seconds
    step = _decimal(extent / _MOST_STEPS)
    return max(step, 1.0) if is_whole else step


def _decimal(rough: float) -> float:
    """Return the next of 1, 2, 5, 10, 20 … (or 0.5, 0.2 …) that is not below."""
    power = math.floor(math.log10(rough))
    size = next(size for size in (1, 2, 5, 10) if size * 10.0**power >= rough * (1 - 1e-9))
    return float(size * 10.0**power)


def _rounded(tick: float) -> float:
    """Take the dirt of binary fractions off a tick: 0.30000000000000004 is 0.3."""
    return float(f"{tick:.12g}")
