"""Read the counts of days: sums by day, by trainer, by segment, for a question's filters.

The rule: reading makes sure first that the days hold, and costs rows of days, never of events.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from django.db import connection

from observability.dashboards import days
from observability.dashboards.counting import BY_A, BY_B, BY_BOTH, WEEKS_OF_BOOKINGS
from observability.dashboards.question import days_between, week_of
from observability.rollups.touched import Subject

_SUBJECTS = {
    "bookings": Subject.BOOKINGS,
    "drafts": Subject.DRAFTS,
    "replies": Subject.REPLIES,
    "sync": Subject.SYNC,
    "sync_causes": Subject.SYNC,
    "latency": Subject.SYNC,
}


@dataclass(frozen=True, slots=True)
class Span:
    """Which cells. name: of the cells. a, b: filters, empty for all."""

    name: str
    zone: str
    first: date
    last: date
    a: str = ""
    b: str = ""


def by_day(span: Span, *, now: datetime) -> dict[date, list[int]]:
    """Return the numbers of each day that has any, with the filters."""
    _ensure(span, now=now)
    level = (BY_A if span.a else 0) | (BY_B if span.b else 0)
    return {day: numbers for day, _, _, numbers in _read(span, level)}


def by_word(span: Span, of: Literal["a", "b"], *, width: int, now: datetime) -> dict[str, list[int]]:
    """Return the sums of the first `width` numbers over the days, by one word, filtered by the other.

    The filter on the word itself applies too.
    """
    _ensure(span, now=now)
    other = span.b if of == "a" else span.a
    level = BY_BOTH if other else (BY_A if of == "a" else BY_B)
    # The sum of ints is a bigint; that of bigints is a numeric, which takes twice as long.
    sums = ", ".join(f"sum(numbers[{i}]::int)" for i in range(1, width + 1))
    mondays = _whole_weeks(span) if span.name == "bookings" and level & BY_A else []
    in_weeks = {monday + timedelta(days=i) for monday in mondays for i in range(7)}
    single = [day for day in days_between(span.first, span.last) if day not in in_weeks]
    words = " ".join(f"and {word} = %({word})s" for word in "ab" if getattr(span, word))
    rows = (
        f"select {of}, numbers from observability_daycell where zone = %(zone)s and level = %(level)s {words}"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"select {of}, array[{sums}]::bigint[] from ("
            f"{rows} and subject = %(name)s and day = any(%(single)s)"
            f" union all {rows} and subject = '{WEEKS_OF_BOOKINGS}' and day = any(%(mondays)s)"
            ") summed group by 1",
            _parameters(span, level) | {"single": single, "mondays": mondays},
        )
        return dict(cursor.fetchall())


def _whole_weeks(span: Span) -> list[date]:
    """Return the Mondays of the weeks that lie in a span as a whole."""
    monday = week_of(span.first + timedelta(days=6))
    return [
        day
        for day in days_between(monday, span.last)
        if day.weekday() == 0 and day + timedelta(days=6) <= span.last
    ]


def by_day_and_word(span: Span, of: Literal["a", "b"], *, now: datetime) -> dict[tuple[date, str], list[int]]:
    """Return the numbers of each day and word, filtered by the other where it is given."""
    _ensure(span, now=now)
    other = span.b if of == "a" else span.a
    level = BY_BOTH if other else (BY_A if of == "a" else BY_B)
    return {(day, a if of == "a" else b): numbers for day, a, b, numbers in _read(span, level)}


def total(rows: Iterable[list[int]], width: int) -> list[int]:
    """Return the sums of the first `width` numbers."""
    sums = [0] * width
    for numbers in rows:
        for i in range(width):
            sums[i] += numbers[i]
    return sums


def histogram(rows: Iterable[list[int]], *, skipped: int = 0) -> dict[int, int]:
    """Return how often each value occurs. Rows: behind `skipped` numbers, values and then their counts."""
    found: defaultdict[int, int] = defaultdict(int)
    for numbers in rows:
        half = skipped + (len(numbers) - skipped) // 2
        for value, count in zip(numbers[skipped:half], numbers[half:], strict=True):
            found[value] += count
    return found


def _ensure(span: Span, *, now: datetime) -> None:
    days.ensure(_SUBJECTS[span.name], span.zone, span.first, span.last, now=now)


def _read(span: Span, level: int) -> list[tuple[date, str, str, list[int]]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"select day, a, b, numbers from observability_daycell"
            f" where {_where(span)} and level = %(level)s",
            _parameters(span, level),
        )
        return list(cursor.fetchall())


def _where(span: Span) -> str:
    words = ["subject = %(name)s", "zone = %(zone)s", "day between %(first)s and %(last)s"]
    return " and ".join([*words, *(f"{word} = %({word})s" for word in "ab" if getattr(span, word))])


def _parameters(span: Span, level: int) -> dict[str, Any]:
    return {
        "name": span.name,
        "zone": span.zone,
        "first": span.first,
        "last": span.last,
        "a": span.a,
        "b": span.b,
        "level": level,
    }
