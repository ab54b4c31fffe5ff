"""What a rule would have done: its terms, tried on the minutes that were kept.

The rule: a minute is judged by the same `reading` and `step` as the evaluator judges it; here is only the
window that slides along the minutes. A back-test reads so many groups and rows, and no more.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from django.db.models import Min

from observability.alerts import measures, rules
from observability.alerts.evaluation import Change, Kind, Phase, Reading, State, Terms, reading, step
from observability.alerts.evaluation import span_minutes as span
from observability.models import AlertRule, MeasureMinute
from trainu.bounded_query import bounded

MINUTE = timedelta(minutes=1)
MOST_GROUPS = 50
MOST_ROWS = 500_000
TIME_LIMIT_MS = 5_000


class Row(NamedTuple):
    """What was kept of a group and minute: see `observability.models.MeasureMinute`."""

    group: str
    minute: datetime
    value: float | None
    bad: float | None
    total: float | None


class Stood(NamedTuple):
    """How a rule stood after a minute, and what changed by it."""

    reading: Reading
    state: State
    change: Change


@dataclass(frozen=True, slots=True)
class Firing:
    """A time in which a rule fires for a group. ended_at: None while it goes on. worst: the worst value."""

    group: str
    began_at: datetime
    ended_at: datetime | None
    worst: float | None


@dataclass(frozen=True, slots=True)
class BackTest:
    """What terms would have done. measured_since: the first minute that was kept in these days.

    is_cut: there was more than could be looked at.
    """

    firings: list[Firing]
    measured_since: datetime | None
    days: int
    is_cut: bool = False


@dataclass(slots=True)
class Window:
    """The last minutes of a group: sums of a rate or count, the last value of a level."""

    kind: Kind
    minutes: int
    _span: timedelta
    _rows: deque[Row] = field(default_factory=deque)
    _bad: float = 0.0
    _total: float = 0.0

    @classmethod
    def of(cls, kind: Kind, minutes: int) -> "Window":
        return cls(kind, minutes, minutes * MINUTE)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was kept of these minutes."""
        return not self._rows

    def add(self, row: Row) -> None:
        """Take in the next row."""
        if self.kind == "level":
            self._rows.clear()
        self._rows.append(row)
        self._bad += row.bad or 0.0
        self._total += row.total or 0.0

    def at(self, minute: datetime) -> Reading:
        """Return what the window says that ends with a minute, which goes forward only."""
        rows, since = self._rows, minute - self._span
        while rows and rows[0].minute <= since:
            gone = rows.popleft()
            self._bad -= gone.bad or 0.0
            self._total -= gone.total or 0.0
        if not rows:
            # What is left of the sums by then is rounding.
            self._bad = self._total = 0.0
            return reading(self.kind, minute, value=None, bad=None, total=None)
        last = rows[-1]
        total = last.total if self.kind == "level" else self._total
        return reading(self.kind, minute, value=last.value, bad=self._bad, total=total)


def walk(
    terms: Terms, window: Window, rows: Iterable[Row], *, since: datetime, until: datetime, state: State
) -> Iterator[Stood]:
    """Yield how a group stands after each minute of [since, until]; rows before `since` fill its window."""
    waiting = iter(rows)
    row = next(waiting, None)
    minute = since
    while minute <= until:
        while row is not None and row.minute <= minute:
            window.add(row)
            row = next(waiting, None)
        said = window.at(minute)
        state, change = step(terms, state, said)
        yield Stood(said, state, change)
        minute += MINUTE
        if window.is_empty and state.phase is Phase.OK and not terms.is_bad(said):
            # Nothing can change before something is said again.
            if row is None:
                return
            minute = max(minute, row.minute)


def firings(
    terms: Terms,
    window_minutes: int,
    kind: Kind,
    rows: Iterable[Row],
    *,
    since: datetime,
    until: datetime,
    every_minutes: int = 1,
) -> Iterator[Firing]:
    """Yield when a rule fires in [since, until]. rows: by group, the empty one first, and then by minute."""
    minutes = span(kind, window_minutes, every_minutes)
    whole: dict[datetime, float | None] = {}
    for group, of_group in groupby(rows, key=lambda row: row.group):
        kept = list(of_group)
        if kind == "level":
            if group:
                kept = _filled(group, kept, whole)
            else:
                whole = {row.minute: row.value for row in kept}
        begins = max(since, kept[0].minute)
        stood = walk(terms, Window.of(kind, minutes), kept, since=begins, until=until, state=State())
        yield from _of_group(group, terms, stood)


def _filled(group: str, rows: list[Row], whole: dict[datetime, float | None]) -> list[Row]:
    """Return the rows of a level's group with those of the minutes in which it was not named."""
    named = {row.minute for row in rows}
    first = rows[0].minute
    unnamed = (
        Row(group, minute, unnamed_value(of_all), None, None)
        for minute, of_all in whole.items()
        if minute > first and minute not in named
    )
    return sorted([*rows, *unnamed], key=lambda row: row.minute)


def unnamed_value(of_all: float | None) -> float | None:
    """Return how a level's group stands that was not named: well, but where all of it is bad, unknown."""
    return None if of_all is None or of_all > 0 else 0.0


def _of_group(group: str, terms: Terms, stood: Iterable[Stood]) -> Iterator[Firing]:
    began_at: datetime | None = None
    worst: float | None = None
    for said, state, change in stood:
        if change == "fires":
            began_at, worst = said.at, said.value
        elif change == "recovers" and began_at:
            yield Firing(group, began_at, said.at, worst)
            began_at = None
        elif state.phase is Phase.FIRING and said.value is not None:
            worse = max if terms.above else min
            worst = said.value if worst is None else worse(worst, said.value)
    if began_at:
        yield Firing(group, began_at, None, worst)


def back_test(rule: AlertRule, *, now: datetime, days: int = 30) -> BackTest:
    """Return what a rule's terms, stored or not, would have done in the last days.

    Raises trainu.bounded_query.TooBroad.
    """
    measure = measures.find(rule.code)
    if measure is None:
        return BackTest([], None, days)
    until = now.astimezone(UTC).replace(second=0, microsecond=0) - MINUTE
    since = until - timedelta(days=days)
    minutes = span(measure.kind, rule.window_minutes, measure.every_minutes)
    kept = MeasureMinute.objects.filter(measure=rule.code, minute__gte=since - minutes * MINUTE)
    with bounded(TIME_LIMIT_MS):
        measured_since = kept.filter(minute__gte=since).aggregate(first=Min("minute"))["first"]
        groups = list(kept.order_by("group").values_list("group", flat=True).distinct()[: MOST_GROUPS + 1])
        rows = kept.filter(group__in=groups[:MOST_GROUPS], minute__lte=until).order_by("group", "minute")
        asked = rows.values_list("group", "minute", "value", "bad", "total")[: MOST_ROWS + 1]
        read = [Row(*row) for row in asked.iterator(chunk_size=5_000)]
    found = firings(
        rules.terms(rule),
        rule.window_minutes,
        measure.kind,
        read[:MOST_ROWS],
        since=since,
        until=until,
        every_minutes=measure.every_minutes,
    )
    is_cut = len(groups) > MOST_GROUPS or len(read) > MOST_ROWS
    return BackTest(sorted(found, key=lambda one: one.began_at), measured_since, days, is_cut)
