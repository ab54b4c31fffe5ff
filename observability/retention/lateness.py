"""Is anything kept longer than its policy says? Asked by health, so it reads next to nothing.

The rule: a dataset is late when its data is older than the policy plus GRACE. Partitions tell by their
names; rows by the last purge that got through, and are looked at only where there was none.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from observability.models import PurgeRun
from observability.retention import batches, policies, whole_days
from trainu.datasets import Dataset, Owned, Partitions, Rows, registered

GRACE = timedelta(days=2)
_LOOK_MS = 150


@dataclass(frozen=True, slots=True)
class Late:
    """A dataset with data that should be gone. reason: what the last purge said, if it said anything."""

    dataset: str
    reason: str = ""


def late(*, now: datetime) -> list[Late]:
    """Return the datasets that hold data older than their policies and GRACE allow."""
    days = policies.all_keep_days()
    through = _purged_up_to()
    found = []
    for dataset in registered():
        limit = now - timedelta(days=days[dataset.name]) - GRACE
        if _is_late(dataset, limit, through.get(dataset.name)):
            found.append(dataset.name)
    reasons = _last_reasons(found)
    return [Late(name, reasons.get(name, "")) for name in found]


def _is_late(dataset: Dataset, limit: datetime, purged_up_to: datetime | None) -> bool:
    if isinstance(dataset, Partitions):
        return bool(whole_days.due(dataset, cutoff_at=limit))
    if purged_up_to and purged_up_to >= limit:
        return False
    if isinstance(dataset, Rows):
        # A table too large to look through that nobody has purged for two days is late, or soon will be.
        looks = (batches.is_late(table, cutoff_at=limit, time_limit_ms=_LOOK_MS) for table in dataset.tables)
        return any(look is not False for look in looks)
    assert isinstance(dataset, Owned)
    oldest = dataset.oldest()
    return oldest is not None and oldest < limit


def _purged_up_to() -> dict[str, datetime]:
    """Return the cutoff of the newest purge of each dataset that got through."""
    done = PurgeRun.objects.filter(dry_run=False, state=PurgeRun.State.DONE)
    newest = done.order_by("dataset", "-started_at", "-id").distinct("dataset")
    return dict(newest.values_list("dataset", "cutoff_at"))


def _last_reasons(names: list[str]) -> dict[str, str]:
    if not names:
        return {}
    runs = PurgeRun.objects.filter(dry_run=False, dataset__in=names)
    newest = runs.order_by("dataset", "-started_at", "-id").distinct("dataset")
    return dict(newest.values_list("dataset", "reason"))
