"""Everything with one correlation id, in the order of time, from whoever has something to tell.

The rule: each source is asked for the newest MOST of its moments and within a time limit; what is cut
or was too slow is said. A new source is one call of `register` beside its noun.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from trainu.bounded_query import TooBroad
from trainu.moments import Moment

MOST = 200
TIME_LIMIT_MS = 2_000


@dataclass(frozen=True, slots=True)
class Source:
    """Who can tell moments. name: plural, as on the page. permission: what the reader must hold.

    moments(correlation_id, since, most) returns the newest, at most so many, and may raise TooBroad.
    looks_back: how far into the past it is asked.
    """

    name: str
    permission: str
    moments: Callable[[str, datetime, int], list[Moment]]
    looks_back: timedelta


@dataclass(frozen=True, slots=True)
class Trace:
    """What was found, oldest first. The other three name sources: asked, not told whole, and given up."""

    moments: list[Moment]
    asked: list[Source]
    cut: list[Source]
    too_slow: list[Source]


_sources: dict[str, Source] = {}


def register(source: Source) -> None:
    """Have a source asked from now on; one of the same name is replaced."""
    _sources[source.name] = source


def sources() -> list[Source]:
    """Return all sources, in the order of their registration."""
    return list(_sources.values())


def trace(correlation_id: str, *, may: Callable[[str], bool], now: datetime) -> Trace:
    """Return everything of an id that the reader may see. may: tells whether they hold a permission."""
    asked = [source for source in sources() if may(source.permission)]
    found: list[Moment] = []
    cut, too_slow = [], []
    for source in asked:
        try:
            moments = source.moments(correlation_id, now - source.looks_back, MOST + 1)
        except TooBroad:
            too_slow.append(source)
            continue
        if len(moments) > MOST:
            cut.append(source)
            moments = sorted(moments, key=lambda moment: moment.at)[-MOST:]
        found += moments
    return Trace(sorted(found, key=lambda moment: moment.at), asked, cut, too_slow)
