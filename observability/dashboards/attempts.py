"""How attempts at GoHighLevel have ended, and which webhooks came, over a period and the one before it.

The rule: a location's rows are found by its index and summed; whatever is of all locations is read from the
counts of days, except for the hours of two days. A webhook has no operation: that filter is not for it.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from django.db import connection

from observability.dashboards import cells
from observability.dashboards.cells import Span
from observability.dashboards.counting import BY_B
from observability.dashboards.points import Points
from observability.dashboards.question import Question


@dataclass(frozen=True, slots=True)
class Ends:
    """Attempts that succeeded, are tried again, or were given up; webhooks that came in."""

    succeeded: int = 0
    retried: int = 0
    dropped: int = 0
    webhooks: int = 0

    def __add__(self, other: "Ends") -> "Ends":
        return Ends(
            self.succeeded + other.succeeded,
            self.retried + other.retried,
            self.dropped + other.dropped,
            self.webhooks + other.webhooks,
        )

    @property
    def settled(self) -> int:
        """Jobs that came to an end."""
        return self.succeeded + self.dropped

    @property
    def attempts(self) -> int:
        """Attempts that ended well or badly."""
        return self.succeeded + self.retried + self.dropped

    @property
    def success(self) -> float | None:
        return self.succeeded / self.settled if self.settled else None

    @property
    def retry_rate(self) -> float | None:
        return self.retried / self.attempts if self.attempts else None


NONE = Ends()


@dataclass(frozen=True, slots=True)
class Counted:
    """ends: by point. causes: by code, how many attempts failed, by point. before: the period before."""

    ends: list[Ends]
    causes: dict[str, list[int]]
    before: Ends

    @property
    def total(self) -> Ends:
        return sum(self.ends, NONE)


# Bucket 1 is what comes before the points, which begin with 2.
_ROWS = """
select width_bucket(quarter, %(starts)s::timestamptz[]) - 2 as point, outcome, code, sum(count)::bigint
from observability_syncquarter
where quarter >= %(since)s and quarter < %(until)s {where}
group by 1, 2, 3
"""


# Of days that were counted, in whatever zone. A topic of webhooks has no attempts.
_OPERATIONS = """
select b from observability_daycell
where subject = 'sync' and level = %(by_b)s and day >= %(since)s and numbers[1] + numbers[2] + numbers[3] > 0
group by b order by b limit %(most)s
"""
_MOST_OPERATIONS = 200


def operations(*, since: date) -> list[str]:
    """Return the operations that were attempted since a day, as far as days were counted."""
    with connection.cursor() as cursor:
        cursor.execute(_OPERATIONS, {"by_b": BY_B, "since": since, "most": _MOST_OPERATIONS})
        return [operation for (operation,) in cursor.fetchall()]


def count(question: Question, over: Points, *, now: datetime) -> Counted:
    """Return how attempts have ended. over: the question's points."""
    before = question.before()
    if question.location:
        return _from_rows(question, over, since=before.starts_at)
    if over.are_hours:
        days = _by_day(question, before.first, before.last, now)
        counted = _from_rows(question, over, since=question.starts_at)
        return replace(counted, before=sum(days.values(), NONE))
    last = over.days[-1] if over.days else before.last
    days = _by_day(question, before.first, last, now)
    causes: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(over.days))
    failed = Span("sync_causes", question.zone, question.first, last, b=question.operation)
    for (day, code), numbers in cells.by_day_and_word(failed, "a", now=now).items():
        causes[code][over.position[day]] += sum(numbers)
    return Counted(
        [days.get(day, NONE) for day in over.days],
        dict(causes),
        sum((ends for day, ends in days.items() if day < question.first), NONE),
    )


def _from_rows(question: Question, over: Points, *, since: datetime) -> Counted:
    """Sum up rows since a moment; what comes before the points is the period before."""
    where = ""
    if question.location:
        where += " and location_id = %(location)s"
    if question.operation:
        where += " and (operation = %(operation)s or outcome = 'webhook')"
    given: dict[str, Any] = {
        "starts": [since, *over.starts],
        "since": since,
        "until": over.ends_at,
        "location": question.location,
        "operation": question.operation,
    }
    ends: defaultdict[int, Ends] = defaultdict(Ends)
    causes: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(over.starts))
    with connection.cursor() as cursor:
        cursor.execute(_ROWS.format(where=where), given)
        for point, outcome, code, rows in cursor.fetchall():
            ends[point] += _ends(outcome, rows)
            if outcome in ("retry", "dropped") and point >= 0:
                causes[code][point] += rows
    return Counted([ends[i] for i in range(len(over.starts))], dict(causes), ends[-1])


def _by_day(question: Question, first: date, last: date, now: datetime) -> dict[date, Ends]:
    """Return how attempts of all locations ended on each day that has any, or webhooks."""
    span = Span("sync", question.zone, first, last)
    by_day = cells.by_day(span, now=now)
    webhooks = {day: numbers[3] for day, numbers in by_day.items()}
    if question.operation:
        by_day = cells.by_day(replace(span, b=question.operation), now=now)

    def of(day: date) -> Ends:
        succeeded, retried, dropped, _ = by_day.get(day, (0, 0, 0, 0))
        return Ends(succeeded, retried, dropped, webhooks.get(day, 0))

    return {day: of(day) for day in by_day.keys() | webhooks.keys()}


def _ends(outcome: str, rows: int) -> Ends:
    match outcome:
        case "ok":
            return Ends(succeeded=rows)
        case "retry":
            return Ends(retried=rows)
        case "dropped":
            return Ends(dropped=rows)
        case _:
            return Ends(webhooks=rows)
