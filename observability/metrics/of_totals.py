"""Figures that only grow: errors, attempts, what was lost or retried, and how long things took.

The rule: they count from when the service was first asked for them; a label that nothing was counted under
yet stands at 0, so that its first increase is seen.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from observability.counters import Counter
from observability.metrics import totals
from observability.metrics.families import PREFIX
from observability.timings import GAMMA, bucket_of
from trainu.faults import Fault

_ATTEMPTS = {"ok": "sync_ok", "retry": "sync_retry", "dropped": "sync_dropped"}
_COUNTERS = {
    Counter.DEADLOCK: ("deadlocks", "Deadlocks in the database, whoever met them."),
    Counter.TRANSACTION_RETRY: ("transaction_retries", "Transactions that were undone and tried again."),
    Counter.LOG_LINE_DROPPED: ("log_lines_dropped", "Log lines that could not be kept in the database."),
    Counter.SENTRY_EVENT_DROPPED: ("sentry_events_dropped", "Errors that Sentry did not get."),
    Counter.DATABASE_AWAY: ("database_away_seconds", "Seconds in which PostgreSQL did not answer somebody."),
}
_DURATIONS = {
    "api_response_time": "How long requests took.",
    "database_query_time": "How long queries took, of requests and tasks.",
}
# Each about twice the one before, and true bounds of the buckets that durations are kept in.
_BOUNDS = tuple(
    bucket_of(seconds)
    for seconds in (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60)
)
OTHER = "other"


def counted(now: datetime) -> Iterator[Metric]:
    """All that only grows, of one reading."""
    found = totals.read(now=now)
    yield _errors(found[totals.ERRORS])
    attempts = CounterMetricFamily(
        f"{PREFIX}sync_attempts", "Attempts at jobs for GoHighLevel, by how they ended.", labels=["outcome"]
    )
    for outcome, event in _ATTEMPTS.items():
        attempts.add_metric([outcome], sum(found[event].values()))
    attempts.add_metric(["deferred"], sum(found[Counter.SYNC_DEFERRED].values()))
    yield attempts
    yield CounterMetricFamily(
        f"{PREFIX}webhooks_received",
        "Webhooks that were stored.",
        value=sum(found["webhook_received"].values()),
    )
    for counter, (name, words) in _COUNTERS.items():
        yield CounterMetricFamily(PREFIX + name, words, value=sum(found[counter].values()))
    for metric, words in _DURATIONS.items():
        yield _histogram(metric, words, {int(bucket): count for bucket, count in found[metric].items()})


def _errors(by_kind: dict[str, int]) -> Metric:
    kinds = {kind.category: kind.severity.value for kind in Fault.__subclasses__()}
    counts = dict.fromkeys(((severity, category) for category, severity in kinds.items()), 0)
    for label, count in by_kind.items():
        severity, _, category = label.partition(" ")
        key = (severity, category if category in kinds else OTHER)
        counts[key] = counts.get(key, 0) + count
    family = CounterMetricFamily(
        f"{PREFIX}errors", "Errors by severity and by what they belong to.", labels=["severity", "category"]
    )
    for (severity, category), count in sorted(counts.items()):
        family.add_metric([severity, category], count)
    return family


def _histogram(metric: str, words: str, counts: dict[int, int]) -> Metric:
    """Return a histogram; its sum takes each duration for the middle of its bucket."""
    within = [sum(count for bucket, count in counts.items() if low < bucket <= high) for low, high in _SPANS]
    upper = [f"{GAMMA**bound / 1e6:.6g}" for bound in _BOUNDS]
    cumulative = list(zip([*upper, "+Inf"], accumulate(within), strict=True))
    family = HistogramMetricFamily(
        f"{PREFIX}{metric}_seconds", f"{words} The sum is within 2.5 %: it is made of the buckets."
    )
    took = sum(count * GAMMA ** (bucket - 0.5) for bucket, count in sorted(counts.items())) / 1e6
    family.add_metric([], cumulative, took)
    return family


# The last one holds what took longer than any bound.
_SPANS = tuple(zip((-1, *_BOUNDS), (*_BOUNDS, 1 << 15), strict=True))
