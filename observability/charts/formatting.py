"""How numbers are written, by unit: on pages, in pictures and in words. Files and the API get them raw.

The rule: a number is never rounded across a line that matters. 99.97 % is not written as 100 %, and nothing
that is there as 0.
"""

import math
from collections.abc import Callable

from observability.dashboards.panels import Unit

NOTHING = "–"  # noqa: RUF001
MINUS = "−"  # noqa: RUF001
# Between a number and its unit, which belong on one line.
_SPACE = "\u00a0"
# Beyond it nobody counts digits any more.
_FAR = 1e15
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def known(value: float | int | None) -> float | None:
    """Return a number that can be drawn; None for what is not known, and for what is no finite number."""
    return None if value is None or not math.isfinite(value) else value


def write(value: float | int | None, unit: Unit = "number", *, is_signed: bool = False) -> str:
    """Return a value in the words of its unit; a dash where it is not known.

    is_signed: with a plus before what is above zero, as differences are written.
    """
    number = known(value)
    if number is None:
        return NOTHING
    words = _WRITERS[unit](abs(number)) if abs(number) < _FAR else f"{abs(number):.2e}"
    if number < 0:
        return f"{MINUS}{words}"
    return f"+{words}" if number > 0 and (is_signed or unit == "points") else words


def difference(value: float, before: float, unit: Unit) -> str:
    """Return how much a value is above or below an earlier one; shares differ by percentage points."""
    return write(value - before, "points" if unit == "share" else unit, is_signed=True)


def error(low: float, high: float, unit: Unit) -> str:
    """Return half the width of an interval, as it stands behind a plus-minus sign."""
    return write(abs(high - low) / 2, "points" if unit == "share" else unit).lstrip("+")


def interval(low: float | None, high: float | None, unit: Unit) -> str:
    """Return an interval in words; empty where one of its ends is not known."""
    if known(low) is None or known(high) is None:
        return ""
    return f"{write(low, unit)} to {write(high, unit)}"


def on_axis(value: float, unit: Unit) -> str:
    """Return a tick of an axis: as `write`, but without digits that all ticks have alike."""
    if unit in ("share", "points"):
        percent = f"{value * 100:.10g}"
        words = f"{_trimmed(abs(float(percent)), 2)}{_SPACE}{'%' if unit == 'share' else 'pp'}"
        return f"{MINUS}{words}" if value < 0 else words
    return write(value, unit)


def _number(value: float) -> str:
    if value == int(value):
        return f"{value:,.0f}"
    if value >= 1_000:
        return f"{value:,.0f}"
    if value >= 1:
        return _trimmed(value, 1)
    return f"{value:.2g}" if value >= 0.0001 else f"{value:.0e}"


def _share(value: float) -> str:
    """One digit behind the point, and two near 0 and 100 %, where they are what matters."""
    percent = value * 100
    if percent in (0, 100):
        words = f"{percent:.0f}"
    elif percent < 0.01:
        words = "< 0.01"
    elif 99.99 < percent < 100:
        words = "> 99.99"
    elif percent < 1 or 99 <= percent < 100:
        words = f"{percent:.2f}"
    else:
        words = f"{percent:,.1f}"
    return f"{words}{_SPACE}%"


def _points(value: float) -> str:
    return f"{value * 100:,.1f}{_SPACE}pp"


def _seconds(value: float) -> str:
    if value < 1:
        return f"{_trimmed(value, 2)}{_SPACE}s"
    if value < 9.95:
        return f"{_trimmed(value, 1)}{_SPACE}s"
    if round(value) < _MINUTE:
        return f"{value:.0f}{_SPACE}s"
    if round(value) < 10 * _MINUTE:
        return _two(round(value), _MINUTE, "min", 1, "s")
    return _minutes(value / _MINUTE)


def _milliseconds(value: float) -> str:
    if value >= 999.5:
        return _seconds(value / 1_000)
    return f"{value:.0f}{_SPACE}ms" if value >= 9.95 or value == 0 else f"{_trimmed(value, 1)}{_SPACE}ms"


def _minutes(value: float) -> str:
    if 0 < value < 1:
        return _seconds(value * _MINUTE)
    if round(value) < 60:
        return f"{_trimmed(value, 1) if value < 9.95 else f'{value:.0f}'}{_SPACE}min"
    if round(value) < 48 * 60:
        return _two(round(value), 60, "h", 1, "min")
    days = value * _MINUTE / _DAY
    return f"{_trimmed(days, 1) if days < 99.95 else f'{days:,.0f}'}{_SPACE}d"


def _score(value: float) -> str:
    return _trimmed(value, 1)


def _two(value: int, big: int, big_name: str, small: int, small_name: str) -> str:
    """Return a duration in two units, the smaller one only where there is some of it."""
    whole, rest = divmod(value, big)
    words = f"{whole}{_SPACE}{big_name}"
    return f"{words} {rest // small}{_SPACE}{small_name}" if rest else words


def _trimmed(value: float, digits: int) -> str:
    """Return a number with so many digits behind the point, without zeros at their end."""
    words = f"{value:,.{digits}f}"
    return words.rstrip("0").rstrip(".") if "." in words else words


_WRITERS: dict[Unit, Callable[[float], str]] = {
    "number": _number,
    "share": _share,
    "points": _points,
    "seconds": _seconds,
    "milliseconds": _milliseconds,
    "minutes": _minutes,
    "score": _score,
}
