"""Whom a dashboard's numbers of active people are made of: sets by day, read once for all charts.

The rule: the filters are applied here; whoever counts need not think of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pyroaring import BitMap

from observability.dashboards import active_days
from observability.dashboards.question import Question
from observability.people_sets import united

_NOBODY = BitMap()


@dataclass(frozen=True, slots=True)
class Activity:
    """people: who was active on each day. events: who had which event on each day, of everybody.
    Days that nobody was active may be missing. mask: whom the filters keep; None for everybody."""

    people: dict[date, BitMap]
    events: dict[date, dict[str, BitMap]]
    mask: BitMap | None

    def on(self, day: date) -> BitMap:
        """Return who was active on a day."""
        return self.people.get(day, _NOBODY)

    def up_to(self, last: date, days: int) -> BitMap:
        """Return who was active in so many days up to the last one."""
        return united(self.on(last - timedelta(days=i)) for i in range(days))

    def events_of(self, days: Iterable[date]) -> list[dict[str, BitMap]]:
        """Return who had which event on each of these days, of everybody."""
        return [self.events[day] for day in days if day in self.events]

    def kept(self, people: BitMap) -> BitMap:
        """Return those of the people whom the filters keep."""
        return people if self.mask is None else people & self.mask


def read(
    question: Question, *, people_since: date, events_since: date, mask: BitMap | None, now: datetime
) -> Activity:
    """Return the activity up to the period's last day."""
    people = active_days.people(question.zone, people_since, question.last, now=now)
    if mask is not None:
        people = {day: active & mask for day, active in people.items()}
    events = active_days.by_event(question.zone, events_since, question.last, now=now)
    return Activity(people, events, mask)
