"""How a figure is told: a family with its words, and a value for each of its labels.

The rule: base units, so durations are seconds; a value that is not known is left out, and never 0.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric

PREFIX = "trainu_"


def gauge(name: str, words: str, value: float | None) -> Metric:
    """Return a family of one value."""
    family = GaugeMetricFamily(PREFIX + name, words)
    if value is not None:
        family.add_metric([], value)
    return family


def gauges(
    name: str, words: str, labels: Iterable[str], values: Mapping[tuple[str, ...], float | None]
) -> Metric:
    """Return a family of values by labels."""
    family = GaugeMetricFamily(PREFIX + name, words, labels=list(labels))
    for under, value in values.items():
        if value is not None:
            family.add_metric(list(under), value)
    return family


def age_s(since: datetime | None, now: datetime) -> float:
    """Return for how many seconds something has been so; 0 where it is not. Clocks of two hosts differ."""
    return max(0.0, (now - since).total_seconds()) if since else 0.0
