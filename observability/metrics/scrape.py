"""One scrape: every part read in turn, within its time, and the answer held so that ten scrapers cost one.

The rule: a part that cannot be read is left out and said to have failed; the others are told all the same.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from observability.metrics import of_alerts, of_observer, of_sync, of_totals
from observability.metrics.families import gauges
from trainu.bounded_query import bounded
from trainu.problem import Problem

log = structlog.get_logger(__name__)

_OPENMETRICS = "application/openmetrics-text"
Part = Callable[[datetime], Iterable[Metric]]

HELD_S = 5.0
# Of one query, and of all parts together; whoever waits for another's scrape waits no longer than that.
QUERY_LIMIT_MS = 500
TIME_LIMIT_S = 2.0

PARTS: dict[str, Part] = {
    "jobs": of_sync.jobs,
    "webhooks": of_sync.webhooks,
    "dead_letters": of_sync.letters,
    "locations": of_sync.locations,
    "messages": of_sync.messages,
    "drafts": of_sync.drafted,
    "forwarding": of_observer.forwarding,
    "rollups": of_observer.rollups,
    "workers": of_observer.workers,
    "incidents": of_alerts.incidents,
    "notifications": of_alerts.notifications,
    "evaluation": of_alerts.evaluation,
    "totals": of_totals.counted,
}


def gather(*, now: datetime, parts: dict[str, Part] | None = None) -> list[Metric]:
    """Read every part, and return the families of those that could be read."""
    asked = PARTS if parts is None else parts
    families: list[Metric] = []
    failed: dict[tuple[str, ...], float | None] = {}
    ends = time.monotonic() + TIME_LIMIT_S
    for name, part in asked.items():
        try:
            if time.monotonic() > ends:
                raise TimeoutError
            with bounded(QUERY_LIMIT_MS):
                families += list(part(now))
            failed[name,] = 0
        except Exception as error:  # noqa: BLE001 - one part that breaks must not cost the others
            log.warning("metrics_not_read", part=name, error=type(error).__name__)
            failed[name,] = 1
    return [*families, gauges("metrics_failed", "1 where a part could not be read.", ["part"], failed)]


class Scrape:
    """What was gathered last, for HELD_S; gathered by one caller at a time."""

    def __init__(self, parts: dict[str, Part] | None = None) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._held: tuple[float, list[Metric]] | None = None

    def families(self, *, now: datetime) -> list[Metric]:
        """Return what was gathered now or a moment ago; raises Problem 503 where that takes too long."""
        if (held := self._fresh()) is not None:
            return held
        if not self._lock.acquire(timeout=TIME_LIMIT_S):
            raise Problem(
                503, "figures_late", "The figures take too long to be read. Ask again.", retry_after=5
            )
        try:
            if (held := self._fresh()) is not None:
                return held
            gathered = gather(now=now, parts=self._parts)
            self._held = (time.monotonic() + HELD_S, gathered)
            return gathered
        finally:
            self._lock.release()

    def forget(self) -> None:
        """Gather anew at the next scrape."""
        self._held = None

    def _fresh(self) -> list[Metric] | None:
        held = self._held
        return held[1] if held and held[0] > time.monotonic() else None


class _Gathered(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def write(families: list[Metric], accept: str) -> tuple[bytes, str]:
    """Return families as text, and its content type: OpenMetrics where the scraper asks for that."""
    registry = CollectorRegistry()
    registry.register(_Gathered(families))
    asked = {one.partition(";")[0].strip().lower() for one in accept.split(",")}
    if _OPENMETRICS in asked:
        text = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
        return text, openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


scrape = Scrape()
