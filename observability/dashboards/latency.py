"""Percentiles of how long sync takes, read from histograms that add up.

The rule: a percentile is the value of the observation at its rank, as the geometric middle of the bucket that
one is in, and so off by 2.5 % at most. Histograms are of all locations and operations.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from django.db import connection

from observability.dashboards import cells
from observability.dashboards.cells import Span
from observability.dashboards.points import QUARTER, Points, quarter_of
from observability.dashboards.question import Question
from observability.timings import GAMMA

# Enqueueing to success; an attempt; a webhook's first byte to stored.
METRICS = ("settled", "ghl", "webhook")
P50, P95, P99 = Fraction(50, 100), Fraction(95, 100), Fraction(99, 100)

Histogram = dict[int, int]

_ROWS = """
select width_bucket(quarter, %(starts)s::timestamptz[]) - 1 as point, metric, bucket,
       sum(observations)::bigint
from observability_latencyquarter
where quarter >= %(since)s and quarter < %(until)s
group by 1, 2, 3
"""


@dataclass(slots=True)
class Took:
    """Histograms by metric. trend: of `settled`, by point. before: by metric, of the period before."""

    total: dict[str, Histogram]
    before: dict[str, Histogram] = field(default_factory=dict)
    trend: list[Histogram] = field(default_factory=list)


def percentile(histogram: Mapping[int, int], share: Fraction) -> float | None:
    """Return the seconds that such a share of the observations does not exceed; None without any.

    histogram: by bucket, n for (1.05**(n-1), 1.05**n] microseconds; 0 for what took less than one, or none.
    """
    observations = sum(histogram.values())
    if not observations:
        return None
    # Of the observations in their order, the first that has so large a share at or before it.
    rank = -(-share * observations // 1)
    for bucket in sorted(histogram):
        rank -= histogram[bucket]
        if rank <= 0:
            break
    return float(GAMMA ** (bucket - 0.5) / 1e6) if bucket else 0.0


def of_period(question: Question, over: Points, *, now: datetime) -> Took:
    """Return the histograms of a question's period, of its points, and of the period before."""
    took = Took({metric: {} for metric in METRICS}, {metric: {} for metric in METRICS})
    took.trend = [{} for _ in over.starts]
    before = question.before()
    last = over.days[-1] if over.days else before.last
    span = Span("latency", question.zone, before.first, last)
    for (day, metric), numbers in cells.by_day_and_word(span, "a", now=now).items():
        half = len(numbers) // 2
        counts = list(zip(numbers[:half], numbers[half:], strict=True))
        _add(counts, to=(took.total if day >= question.first else took.before)[metric])
        if metric == "settled" and day >= question.first:
            took.trend[over.position[day]] = dict(counts)
    if over.are_hours:
        for point, metric, bucket, observations in _rows(over.starts, question.starts_at, over.ends_at):
            _add([(bucket, observations)], to=took.total[metric])
            if metric == "settled":
                took.trend[point][bucket] = observations
    return took


def of_last_hour(*, now: datetime) -> dict[str, Histogram]:
    """Return the histograms since the quarter in which the last hour began, by metric."""
    since = quarter_of(now - timedelta(hours=1))
    found: dict[str, Histogram] = {metric: {} for metric in METRICS}
    for _, metric, bucket, observations in _rows([since], since, now + QUARTER):
        found[metric][bucket] = observations
    return found


def _add(counts: Iterable[tuple[int, int]], *, to: Histogram) -> None:
    # Of a year there are tens of thousands, so this is as plain as can be.
    for bucket, observations in counts:
        if bucket in to:
            to[bucket] += observations
        else:
            to[bucket] = observations


def _rows(starts: list[datetime], since: datetime, until: datetime) -> Iterable[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, {"starts": starts, "since": since, "until": until})
        return list(cursor.fetchall())
