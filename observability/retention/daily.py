"""When each dataset is purged: once a day, and again when its policy has changed.

The rule: a task has less than two minutes, so it works for BUDGET_S and leaves the rest to the next
one, ten minutes later; when all is done that costs two small queries.
"""

from datetime import UTC, datetime, timedelta

import structlog

from observability.models import PurgeRun, RetentionPolicy
from observability.retention import purge
from trainu.datasets import Dataset, registered

log = structlog.get_logger(__name__)

BUDGET_S = 80.0
# What has failed is not tried again at once: the cause is rarely gone, and each try is a report row.
AFTER_FAILURE = timedelta(hours=1)


def due(*, now: datetime) -> list[Dataset]:
    """Return the datasets that have not been purged today as their policies say now."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    changed = dict(RetentionPolicy.objects.values_list("dataset", "updated_at"))
    newest = last_runs(since=today)
    return [one for one in registered() if _is_due(newest.get(one.name), changed.get(one.name), now=now)]


def last_runs(*, since: datetime | None = None) -> dict[str, PurgeRun]:
    """Return the newest run of each dataset, dry ones left out."""
    runs = PurgeRun.objects.filter(dry_run=False)
    if since:
        runs = runs.filter(started_at__gte=since)
    return {run.dataset: run for run in runs.order_by("dataset", "-started_at", "-id").distinct("dataset")}


def run(*, now: datetime, by: str = "system", budget_s: float = BUDGET_S) -> dict[str, str]:
    """Purge what is due, one dataset after the other, within the budget; return how each ended."""
    ended = {}
    left_s = budget_s
    for dataset in due(now=now):
        if left_s <= 0:
            break
        try:
            report = purge.run(dataset, now=now, by=by, budget_s=left_s)
        except purge.Busy:
            ended[dataset.name] = "busy"
            continue
        ended[dataset.name] = str(report.state)
        left_s -= report.seconds
    return ended


def _is_due(newest: PurgeRun | None, changed_at: datetime | None, *, now: datetime) -> bool:
    if newest is None or newest.state in {PurgeRun.State.INTERRUPTED, PurgeRun.State.RUNNING}:
        return True
    if changed_at and changed_at > newest.started_at:
        return True
    return newest.state == PurgeRun.State.FAILED and now - newest.started_at >= AFTER_FAILURE
