"""What became of bookings whose start has passed: sums that show-rates are made of.

The rule: days that are over are read as they were counted; today's bookings are counted as of this moment,
and kept nowhere. So no day is in twice, and nothing of the future is in at all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from django.db import connection

from observability.dashboards import cells, days
from observability.dashboards.cells import Span
from observability.dashboards.counting import ALL, BY_A, BY_B, BY_BOTH, due_today
from observability.dashboards.intervals import Interval, wilson
from observability.dashboards.panels import MIN_SAMPLE
from observability.dashboards.question import Question

NAME = "bookings"
_WIDTH = 4


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums of bookings. due: not canceled. no_shows: of these. recovered: of the no-shows."""

    due: int = 0
    no_shows: int = 0
    canceled: int = 0
    recovered: int = 0

    @property
    def shown(self) -> int:
        return self.due - self.no_shows

    @property
    def rate(self) -> float | None:
        """The show-rate; None where nothing was due."""
        return self.shown / self.due if self.due else None

    @property
    def interval(self) -> Interval | None:
        """The show-rate's 95 % interval; None where nothing was due."""
        return wilson(self.shown, self.due)

    @property
    def is_small(self) -> bool:
        """Whether too few were due for a comparison."""
        return self.due < MIN_SAMPLE

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.due + other.due,
            self.no_shows + other.no_shows,
            self.canceled + other.canceled,
            self.recovered + other.recovered,
        )


@dataclass(frozen=True, slots=True)
class Today:
    """The day at hand, and its cells (level, a, b, numbers) of bookings whose start has passed."""

    day: date
    cells: Sequence[tuple[int, str, str, list[int]]]


def today(question: Question, *, now: datetime) -> Today:
    """Count today's bookings so far, where the period or the one before it has today in it."""
    day = now.astimezone(ZoneInfo(question.zone)).date()
    if not question.before().first <= day <= question.last:
        return Today(day, ())
    with connection.cursor() as cursor:
        return Today(day, due_today(cursor, days.bounds(question.zone, [day]), now=now))


def by_day(question: Question, today: Today, *, now: datetime) -> dict[date, Tally]:
    """Return the tally of each day of the period and of the one before it that has any bookings."""
    level = (BY_A if question.trainer else ALL) | (BY_B if question.segment else ALL)
    first = question.before().first
    stored = cells.by_day(_span(question, first, today), now=now)
    found = {day: Tally(*numbers) for day, numbers in stored.items()}
    if first <= today.day <= question.last:
        for a, b, tally in _of_today(question, today, level):
            if (a, b) == (question.trainer, question.segment):
                found[today.day] = tally
    return found


def by_word(question: Question, of: Literal["a", "b"], today: Today, *, now: datetime) -> dict[str, Tally]:
    """Return the tally of each trainer (a) or segment (b) that has any bookings in the period."""
    other = question.segment if of == "a" else question.trainer
    level = BY_BOTH if other else (BY_A if of == "a" else BY_B)
    stored = cells.by_word(_span(question, question.first, today), of, width=_WIDTH, now=now)
    found = {word: Tally(*numbers) for word, numbers in stored.items()}
    if question.first <= today.day <= question.last:
        for a, b, tally in _of_today(question, today, level):
            word = a if of == "a" else b
            found[word] = found.get(word, Tally()) + tally
    return found


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of tallies."""
    return sum(tallies, Tally())


def _span(question: Question, first: date, today: Today) -> Span:
    """Return the days that are over, from a day on."""
    last = min(question.last, today.day - timedelta(days=1))
    return Span(NAME, question.zone, first, last, question.trainer, question.segment)


def _of_today(question: Question, today: Today, level: int) -> Iterable[tuple[str, str, Tally]]:
    """Yield today's cells of a level that the filters keep."""
    for its_level, a, b, numbers in today.cells:
        if its_level == level and question.trainer in ("", a) and question.segment in ("", b):
            yield a, b, Tally(*numbers)
