"""What alert rules look at: each measure says of a minute how it stands, a file a subject.

The rule: a measure reads rows and counters by an index, never log lines, and is told the minute; what it
says is kept (`MeasureMinute`), so that other terms can be tried on it. It has the code of its rule.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

# rate: bad of total cases, added up over the window. count: bad cases, added up. level: the last value.
Kind = Literal["rate", "count", "level"]


@dataclass(frozen=True, slots=True)
class Said:
    """What a measure says of one minute and group. group: of what, an id or word of ours; empty: of all.

    bad, total: of a rate or count. value: of a level; None: it is not known.
    """

    group: str = ""
    bad: float = 0.0
    total: float = 0.0
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """code: of its rule. unit: share, number or seconds. words: what is measured, for staff.

    read: given a minute that is over (its first moment, UTC), what it says. url_name: the admin's page.
    """

    code: str
    kind: Kind
    unit: str
    words: str
    read: Callable[[datetime], Iterable[Said]]
    url_name: str = ""


_registered: dict[str, Measure] = {}


def register(measure: Measure) -> Measure:
    """Let rules look at a measure; raises ValueError when another one has the code already."""
    if _registered.setdefault(measure.code, measure) != measure:
        raise ValueError(f"There already is a measure called {measure.code}.")
    return measure


def find(code: str) -> Measure | None:
    """Return the measure of that code, or None."""
    return _registered.get(code)


def registered() -> list[Measure]:
    """Return every measure, in the order of their codes."""
    return [_registered[code] for code in sorted(_registered)]
