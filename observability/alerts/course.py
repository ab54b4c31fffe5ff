"""How a rule's measure went around an incident: the rule's window at each minute, as it was kept.

The rule: what the evaluation could not know is a gap here too. Where there are more minutes than a picture
has room for, each point is the worst of several.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from observability.alerts import measures, minutes, replay
from observability.alerts.evaluation import span_minutes
from observability.alerts.measures import Measure
from observability.alerts.minutes import MINUTE
from observability.alerts.replay import Row
from observability.models import AlertRule, Incident

BEFORE, AFTER = timedelta(hours=6), timedelta(hours=2)
MOST_POINTS = 160
# Of one that lasts for long, its last days.
LONGEST = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Course:
    """values: at each of the moments, None where nothing is known. step: minutes between them.

    first, last: the places of the incident among the moments.
    """

    moments: Sequence[datetime]
    values: Sequence[float | None]
    step: int
    first: int
    last: int


def around(incident: Incident, *, now: datetime) -> Course | None:
    """Return the course from six hours before it to two hours after; None where nothing was kept."""
    measure = measures.find(incident.rule_id)
    ended_at = min(incident.resolved_at or now, now)
    until = _minute(min(ended_at + AFTER, now))
    since = max(_minute(incident.opened_at - BEFORE), until - LONGEST)
    if measure is None or until <= since:
        return None
    rule = incident.rule
    length = int((until - since) / MINUTE) + 1
    readings = _readings(rule, measure, incident.group, since, length)
    if not any(value is not None for value in readings):
        return None
    step = -(-length // MOST_POINTS)
    places = range(0, length, step)
    return Course(
        moments=[since + place * MINUTE for place in places],
        values=[_worst(readings[place : place + step]) for place in places],
        step=step,
        first=max(int((_minute(incident.opened_at) - since) / MINUTE) // step, 0),
        last=min(int((_minute(ended_at) - since) / MINUTE) // step, len(places) - 1),
    )


def _readings(
    rule: AlertRule, measure: Measure, group: str, since: datetime, length: int
) -> list[float | None]:
    """Return what the rule's window said at each of so many minutes; None where nothing was kept or known."""
    window = replay.Window.of(
        measure.kind, span_minutes(measure.kind, rule.window_minutes, measure.every_minutes)
    )
    rows = _kept(measure, group, since - (window.minutes - 1) * MINUTE, since + (length - 1) * MINUTE)
    coming = deque(rows)
    found: list[float | None] = []
    for place in range(length):
        minute = since + place * MINUTE
        while coming and coming[0].minute <= minute:
            window.add(coming.popleft())
        said = window.at(minute)
        is_too_small = measure.kind == "rate" and (said.sample or 0.0) < rule.min_sample
        found.append(None if window.is_empty or is_too_small else said.value)
    return found


def _kept(measure: Measure, group: str, since: datetime, until: datetime) -> list[Row]:
    """Return what was kept of a group; where a level did not name it, what that says of it."""
    kept = minutes.between(measure, group, since, until)
    if measure.kind != "level" or not group:
        return kept
    named = {row.minute for row in kept}
    of_all = minutes.between(measure, "", since, until)
    unnamed = [
        row._replace(group=group, value=replay.unnamed_value(row.value))
        for row in of_all
        if row.minute not in named
    ]
    return sorted([*kept, *unnamed], key=lambda row: row.minute)


def _worst(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
