"""How a rule's measure went around an incident: the rule's window at each minute, as it was kept.

The rule: what the evaluation could not know is a gap here too. Where there are more minutes than a picture
has room for, each point is the worst of several.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from observability.alerts import measures
from observability.models import AlertRule, Incident, MeasureMinute

BEFORE, AFTER = timedelta(hours=6), timedelta(hours=2)
MOST_POINTS = 160
# Of one that lasts for long, its last days.
LONGEST = timedelta(days=7)
MINUTE = timedelta(minutes=1)
_Row = tuple[float | None, float | None, float | None]


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
    minutes = int((until - since) / MINUTE) + 1
    size = rule.window_minutes
    if measure.kind == "level":
        # It holds until its measure is asked again.
        size = max(size, getattr(measure, "every_minutes", 1))
    kept = _kept(rule, incident.group, since - size * MINUTE, until)
    if measure.kind == "level":
        if incident.group:
            _fill(kept, _kept(rule, "", since - size * MINUTE, until))
        readings = _levels(kept, size, since, minutes)
    else:
        readings = _sums(kept, rule, measure.kind, since, minutes)
    if not any(value is not None for value in readings):
        return None
    step = -(-minutes // MOST_POINTS)
    places = range(0, minutes, step)
    return Course(
        moments=[since + place * MINUTE for place in places],
        values=[_worst(readings[place : place + step]) for place in places],
        step=step,
        first=max(int((_minute(incident.opened_at) - since) / MINUTE) // step, 0),
        last=min(int((_minute(ended_at) - since) / MINUTE) // step, len(places) - 1),
    )


def _kept(rule: AlertRule, group: str, since: datetime, until: datetime) -> dict[datetime, _Row]:
    rows = MeasureMinute.objects.filter(
        measure=rule.code, group=group, minute__gt=since, minute__lte=until
    ).values_list("minute", "bad", "total", "value")
    return {minute: (bad, total, value) for minute, bad, total, value in rows}


def _fill(kept: dict[datetime, _Row], whole: dict[datetime, _Row]) -> None:
    """Fill in when a group of a level was not named: it was well, and not known where all was bad."""
    for minute, (_, _, value) in whole.items():
        if minute not in kept:
            kept[minute] = (None, None, None if value is None or value > 0 else 0.0)


def _levels(kept: dict[datetime, _Row], size: int, since: datetime, minutes: int) -> list[float | None]:
    found: list[float | None] = []
    last: _Row | None = None
    age = 0
    for place in range(1 - size, minutes):
        row = kept.get(since + place * MINUTE)
        last, age = (row, 0) if row else (last, age + 1)
        if place >= 0:
            found.append(last[2] if last and age < size else None)
    return found


def _sums(
    kept: dict[datetime, _Row], rule: AlertRule, kind: str, since: datetime, minutes: int
) -> list[float | None]:
    """Return what the evaluation read at each minute, by a window that moves along."""
    size = rule.window_minutes
    begins = since - (size - 1) * MINUTE
    rows = [kept.get(begins + place * MINUTE) for place in range(minutes + size - 1)]
    bad = total = 0.0
    there = 0
    found: list[float | None] = []
    for place, row in enumerate(rows):
        gone = rows[place - size] if place >= size else None
        bad += (row[0] or 0.0 if row else 0.0) - (gone[0] or 0.0 if gone else 0.0)
        total += (row[1] or 0.0 if row else 0.0) - (gone[1] or 0.0 if gone else 0.0)
        there += (row is not None) - (gone is not None)
        if place < size - 1:
            continue
        if not there:
            found.append(None)
        elif kind == "count":
            found.append(bad)
        else:
            found.append(bad / total if total and total >= rule.min_sample else None)
    return found


def _worst(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
