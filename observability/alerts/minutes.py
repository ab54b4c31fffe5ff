"""What measures said, kept by the minute, and what a window makes of it.

The rule: a minute that is said again replaces what was kept. All of an evaluation's rows are kept, and all of
its windows read, in one statement each.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from observability.alerts.evaluation import Reading, reading, span_minutes
from observability.alerts.measures import MOST_GROUPS, OTHERS, Measure, Said
from observability.alerts.replay import Row
from observability.models import MeasureMinute

MINUTE = timedelta(minutes=1)
_LONGEST_GROUP = 64


@dataclass(frozen=True, slots=True)
class Asked:
    """A window that ends with a minute."""

    measure: Measure
    group: str
    window_minutes: int
    minute: datetime

    @property
    def since(self) -> datetime:
        """The window's first minute."""
        measure = self.measure
        minutes = span_minutes(measure.kind, self.window_minutes, measure.every_minutes)
        return self.minute - (minutes - 1) * MINUTE


def few(measure: Measure, said: Iterable[Said], known: Iterable[str]) -> list[Said]:
    """Return what was said of the empty group, of MOST_GROUPS others, and of all beyond them as one.

    known: groups that have a state, and so are among the first.
    """
    cut = [Said(one.group[:_LONGEST_GROUP], one.bad, one.total, one.value) for one in said]
    first = set(known)
    groups = sorted((one for one in cut if one.group), key=lambda one: (one.group not in first, one.group))
    rest = groups[MOST_GROUPS:]
    found = [one for one in cut if not one.group] + groups[:MOST_GROUPS]
    if rest:
        values = [one.value for one in rest if one.value is not None]
        bad, total = sum(one.bad for one in rest), sum(one.total for one in rest)
        value = max(values, default=None) if measure.kind == "level" else None
        found.append(Said(OTHERS, bad, total, value))
    return found


def rows(measure: Measure, minute: datetime, said: Iterable[Said]) -> list[MeasureMinute]:
    """Return the rows of what a measure said of a minute; of a level, bad cases are none of its business."""
    is_level = measure.kind == "level"
    return [
        MeasureMinute(
            measure=measure.code,
            group=one.group,
            minute=minute,
            value=one.value,
            bad=None if is_level else one.bad,
            total=(one.total or None) if is_level else one.total,
        )
        for one in said
    ]


def keep(kept: Sequence[MeasureMinute]) -> None:
    """Keep rows, in place of those of the same measures, groups and minutes."""
    MeasureMinute.objects.bulk_create(
        kept,
        update_conflicts=True,
        unique_fields=["measure", "group", "minute"],
        update_fields=["value", "bad", "total"],
    )


_WINDOWS = """
select summed.bad, summed.total, last.value, last.total
from unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
     with ordinality asked(measure, "group", since, until, place)
left join lateral (
    select sum(bad) as bad, sum(total) as total from observability_measureminute kept
    where kept.measure = asked.measure and kept."group" = asked."group"
      and kept.minute between asked.since and asked.until
) summed on true
left join lateral (
    select value, total from observability_measureminute kept
    where kept.measure = asked.measure and kept."group" = asked."group"
      and kept.minute between asked.since and asked.until
    order by kept.minute desc limit 1
) last on true
order by place
"""


def windows(asked: Sequence[Asked]) -> list[Reading]:
    """Return what each window says."""
    columns: list[list[Any]] = [
        [one.measure.code for one in asked],
        [one.group for one in asked],
        [one.since for one in asked],
        [one.minute for one in asked],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_WINDOWS, columns)
        found = cursor.fetchall()
    return [
        reading(
            one.measure.kind,
            one.minute,
            value=value,
            bad=bad,
            total=last_total if one.measure.kind == "level" else total,
        )
        for one, (bad, total, value, last_total) in zip(asked, found, strict=True)
    ]


def between(measure: Measure, group: str, since: datetime, until: datetime) -> list[Row]:
    """Return what was kept of a group's minutes, both ends included, oldest first."""
    kept = MeasureMinute.objects.filter(measure=measure.code, group=group, minute__range=(since, until))
    return [
        Row(*row) for row in kept.order_by("minute").values_list("group", "minute", "value", "bad", "total")
    ]
