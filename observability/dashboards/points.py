"""The days or hours that a trend is made of.

The rule: two days or less are shown by the hour of the zone, more by the day. What has not begun is left out:
nobody knows it yet. An hour that comes twice, when clocks go back, is two points.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from observability.dashboards.question import Question, midnight

HOURLY_UP_TO_DAYS = 2
QUARTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Points:
    """labels: of the points. starts: their first moments, in UTC. ends_at: of the last one. days: in the
    place of hours, which day each is."""

    labels: list[str]
    starts: list[datetime]
    ends_at: datetime
    days: list[date]

    @property
    def are_hours(self) -> bool:
        return not self.days

    @cached_property
    def position(self) -> dict[date, int]:
        """Which point a day is."""
        return {day: i for i, day in enumerate(self.days)}


def of(question: Question, *, now: datetime) -> Points:
    """Return the points of a period, up to the one that `now` is in."""
    if len(question.days) <= HOURLY_UP_TO_DAYS:
        return _hours(question, now)
    days = [day for day in question.days if midnight(day, question.zone) <= now]
    ends_at = midnight(days[-1] + timedelta(days=1), question.zone) if days else question.starts_at
    return Points(
        [day.isoformat() for day in days], [midnight(day, question.zone) for day in days], ends_at, days
    )


def quarter_of(at: datetime) -> datetime:
    """Return the beginning of the quarter of an hour that a moment is in."""
    return at - timedelta(seconds=at.timestamp() % QUARTER.total_seconds())


def _hours(question: Question, now: datetime) -> Points:
    """Every zone's offset is a whole number of quarters, and so is every change of it."""
    zone = ZoneInfo(question.zone)
    starts: list[datetime] = []
    labels: list[tuple[str, str]] = []
    at = question.starts_at
    # The hour at hand is shown whole, so that its end is where the next one begins.
    while at < question.ends_at:
        local = at.astimezone(zone)
        label = (f"{local:%Y-%m-%d %H}:00", f"{local:%z}")
        if not labels or label != labels[-1]:
            if at > now:
                break
            starts.append(at)
            labels.append(label)
        at += QUARTER
    often = Counter(hour for hour, _ in labels)
    names = [f"{hour} ({offset})" if often[hour] > 1 else hour for hour, offset in labels]
    return Points(names, starts, at, [])
