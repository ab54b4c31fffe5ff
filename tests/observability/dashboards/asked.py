"""A question to a past: which days it covers at a moment, whom its filters keep, and who was active when.

The rule: days and weeks are worked out here from the question's words, not by the question itself.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from observability.capture import Occurrence
from observability.dashboards.question import Question
from tests.observability.dashboards.past import FEATURES, Past, Person, Told, local_day, monday_of

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
Events = Past | Iterable[Occurrence | Told]
Answer = dict[str, Any]


class Asked:
    """The days of a question, as seen at a moment, and who its filters keep."""

    def __init__(self, events: Events, question: Question, now: datetime) -> None:
        self.past = events if isinstance(events, Past) else Past(events)
        self.question, self.now, self.zone = question, now, question.zone
        length = (question.last - question.first).days + 1
        self.days = [question.first + i * DAY for i in range(length)]
        self.today = local_day(now, self.zone)
        self.over = [day for day in self.days if day < self.today]
        # Week by its Monday, with those of its days that are in the period.
        self.weeks: dict[date, list[date]] = defaultdict(list)
        for day in self.days:
            self.weeks[monday_of(day)].append(day)

    def day(self, at: datetime) -> date:
        return local_day(at, self.zone)

    def covers(self, at: datetime | None) -> bool:
        """Whether a moment is on a day of the period."""
        return at is not None and self.question.first <= self.day(at) <= self.question.last

    def keeps(self, trainer: str, segment: str) -> bool:
        asked = self.question
        return asked.trainer in ("", trainer) and asked.segment in ("", segment)

    def keeps_person(self, person: Person) -> bool:
        return self.keeps(person.trainer, person.segment)

    def activity(self) -> dict[date, set[str]]:
        """Return who is active, by day, of those whom the filters keep; of every day there is."""
        found: dict[date, set[str]] = defaultdict(set)
        for one in self.past.human():
            if self.keeps_person(self.past.person(one.distinct_id)):
                found[self.day(one.timestamp)].add(one.distinct_id)
        return found

    def uses(self) -> dict[date, set[tuple[str, str]]]:
        """Return (who, feature) by day, of those whom the filters keep."""
        found: dict[date, set[tuple[str, str]]] = defaultdict(set)
        for one in self.past.human():
            if self.keeps_person(self.past.person(one.distinct_id)):
                for feature, names in FEATURES.items():
                    if one.name in names:
                        found[self.day(one.timestamp)].add((one.distinct_id, feature))
        return found


def share(hits: int, cases: int) -> float | None:
    return hits / cases if cases else None


def joined(sets: Iterable[set[Any]]) -> set[Any]:
    return set().union(*sets)


def up_to(last: date, days: int) -> list[date]:
    """Return so many days, of which `last` is the last."""
    return [last - i * DAY for i in range(days)]
