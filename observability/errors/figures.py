"""What the counts of errors say: by severity for the last hour, by kind and hour for the last day.

The rule: a question reads a range of minutes by the primary key, and gives a bounded answer.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, Sum
from django.db.models.functions import TruncHour

from observability.models import ErrorMinute
from trainu.faults import Severity

HOURS = 24
MOST_KINDS = 200


@dataclass(frozen=True, slots=True)
class Kind:
    """Errors of one kind over the last day. by_hour: oldest hour first, the last one is the present."""

    severity: Severity
    category: str
    code: str
    total: int
    last_at: datetime
    by_hour: tuple[int, ...]


def last_hour(now: datetime) -> dict[Severity, int]:
    """Return how many errors of each severity there were in the last 60 minutes."""
    rows = (
        ErrorMinute.objects.filter(minute__gt=now - timedelta(hours=1), minute__lte=now)
        .values_list("severity")
        .annotate(total=Sum("errors"))
    )
    counted = {Severity(severity): int(total) for severity, total in rows}
    return {severity: counted.get(severity, 0) for severity in Severity}


def hours(now: datetime) -> list[datetime]:
    """Return the beginnings of the last 24 hours, oldest first; the last one has only begun."""
    present = now.replace(minute=0, second=0, microsecond=0)
    return [present - timedelta(hours=back) for back in reversed(range(HOURS))]


def last_day(now: datetime) -> list[Kind]:
    """Return the kinds of the last 24 hours: worst first, then most; at most MOST_KINDS."""
    begins = hours(now)
    within = ErrorMinute.objects.filter(minute__gte=begins[0], minute__lte=now)
    kinds = (
        within.values("severity", "category", "code")
        .annotate(total=Sum("errors"), last_at=Max("minute"))
        .order_by("severity", "-total", "category", "code")[:MOST_KINDS]
    )
    by_hour: dict[tuple[str, str, str], dict[datetime, int]] = defaultdict(dict)
    rows = (
        within.annotate(hour=TruncHour("minute"))
        .values_list("severity", "category", "code", "hour")
        .annotate(total=Sum("errors"))
        .order_by("severity", "category", "code", "hour")[: MOST_KINDS * HOURS]
    )
    for severity, category, code, hour, total in rows:
        by_hour[severity, category, code][hour] = int(total)
    return [
        Kind(
            Severity(one["severity"]),
            one["category"],
            one["code"],
            int(one["total"]),
            one["last_at"],
            tuple(by_hour[one["severity"], one["category"], one["code"]].get(hour, 0) for hour in begins),
        )
        for one in kinds
    ]
