"""Whether fewer clients come than in the week before.

The rule: whole weeks (UTC) that have been over for two days are compared, for the state of a booking is set
late. A drop counts only where chance alone would show it in one case of twenty at most.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from math import sqrt

from observability.alerts.measures import Measure, Said
from observability.dashboards import cells, tallies
from observability.dashboards.cells import Span
from observability.dashboards.question import week_of
from observability.dashboards.tallies import Tally, total

SETTLED = timedelta(hours=48)
WEEK = timedelta(days=7)
# One-sided, 5 %.
Z = 1.6448536269514722


def drop(before: Tally, after: Tally) -> float | None:
    """Return by which share of itself the show-rate has fallen; 0 where it may be chance. None: not known."""
    was, now = before.rate, after.rate
    if was is None or now is None:
        return None
    pooled = (before.shown + after.shown) / (before.due + after.due)
    spread = sqrt(pooled * (1 - pooled) * (1 / before.due + 1 / after.due))
    # Without a spread both weeks are the same: all came, or nobody.
    if not spread or (was - now) / spread <= Z:
        return 0.0
    return (was - now) / was


def show_rate_drop(minute: datetime) -> Iterable[Said]:
    """The relative drop of the show-rate from one week to the next."""
    monday = week_of((minute.astimezone(UTC) - SETTLED).date())
    span = Span(tallies.NAME, "UTC", monday - 2 * WEEK, monday - timedelta(days=1))
    by_day = cells.by_day(span, now=minute)
    middle = monday - WEEK
    before = total(Tally(*numbers) for day, numbers in by_day.items() if day < middle)
    after = total(Tally(*numbers) for day, numbers in by_day.items() if day >= middle)
    return [Said(value=drop(before, after), total=float(min(before.due, after.due)))]


MEASURES = (
    Measure(
        "show_rate_drop",
        "level",
        "share",
        "Drop of the show-rate from one week to the next",
        show_rate_drop,
        "admin:dashboard_show_rate",
        every_minutes=60,
    ),
)
