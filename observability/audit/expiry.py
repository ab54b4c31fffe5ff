"""How audit entries grow old: the chain is cut behind a signature, then whole days are dropped.

The rule: a day goes only when a signed cut says that its entries may be missing; any other missing
entry is tampering.
"""

from datetime import UTC, datetime, time, timedelta

from django.db import connection
from django.db.models import Max
from django.utils import timezone

from observability import partitions
from observability.audit import chain
from observability.models import AuditCheckpoint, AuditEntry
from observability.retention import whole_days
from trainu.datasets import Partitions


def purge(cutoff_at: datetime) -> int:
    """Remove the days that lie wholly before `cutoff_at`; return how many entries went.

    Outside a transaction only; an interrupted run is gone on with by the next. Raises ValueError where
    entries would be younger than `chain.least_days()`, `chain.Tampered` where what is to go does not
    verify, and OperationalError where others use the table all the time.
    """
    before = datetime.combine(cutoff_at.astimezone(UTC).date(), time(), tzinfo=UTC)
    chain.cut(before, now=timezone.now())
    removed = 0
    for day in whole_days.due(_DAYS, cutoff_at=before):
        entries = _count([_DAYS.table.partition(day)])
        if not whole_days.remove(_DAYS, day, note=lambda: None):
            removed += entries
    return removed


def due(cutoff_at: datetime) -> int:
    """Return how many entries lie in days that are wholly older than `cutoff_at`."""
    return _count([_DAYS.table.partition(day) for day in whole_days.due(_DAYS, cutoff_at=cutoff_at)])


def oldest() -> datetime | None:
    """Return when the oldest entry was recorded; None where there is none."""
    return AuditEntry.objects.order_by("recorded_at").values_list("recorded_at", flat=True).first()


def _held(partition: str) -> str:
    """Return why a partition must stay, or an empty text."""
    signed = AuditCheckpoint.objects.aggregate(before=Max("entries_before"))["before"]
    ends_at = datetime.strptime(partition[-8:], "%Y%m%d").replace(tzinfo=UTC) + timedelta(days=1)
    if (signed and ends_at <= signed) or not _count([partition]):
        return ""
    return "the audit chain was not cut there"


# For the mechanics of whole days only; the policy is on the dataset of retention.
_DAYS = Partitions(name="audit", label="Audit log", default_days=365, table=partitions.AUDIT, held=_held)


def _count(names: list[str]) -> int:
    total = 0
    with connection.cursor() as cursor:
        for name in names:
            # The table's own name and a date's digits. A day of operators' acts is a few thousand rows.
            cursor.execute(f"select count(*) from {name}")
            total += int(cursor.fetchone()[0])
    return total
