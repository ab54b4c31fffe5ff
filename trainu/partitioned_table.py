"""A table in day partitions: made ahead by schedule, made on demand by whoever meets a day without one.

Kernel: imports no app. The rule: there is no DEFAULT partition (PostgreSQL could then not detach
concurrently), so a missing day is an error that the writer mends by calling `ensure`, never a lost row.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

DAYS_AHEAD = 7


@dataclass(frozen=True)
class PartitionedTable:
    """A table partitioned by range of a day. `name`: the parent's name; partitions add _YYYYMMDD."""

    name: str

    def partition(self, day: date) -> str:
        """Return the partition's name for a day."""
        return f"{self.name}_{day:%Y%m%d}"

    def ensure(self, days: Iterable[date]) -> list[date]:
        """Make the partitions that are missing for `days`; return the days that were made.

        Safe to run at any time from any process. CREATE … LIKE and ATTACH take a lock that lets reads
        and inserts go on, where CREATE … PARTITION OF would stop them.
        """
        wanted = sorted(set(days))
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(hashtext(%s))", [self.name])
            existing = self._existing(cursor)
            missing = [day for day in wanted if self.partition(day) not in existing]
            for day in missing:
                self._create(cursor, day)
        return missing

    def ensure_ahead(self, now: datetime) -> list[date]:
        """Make yesterday's to next week's partitions; return the days that were made."""
        today = now.astimezone(UTC).date()
        return self.ensure(today + timedelta(days=offset) for offset in range(-1, DAYS_AHEAD + 1))

    def missing(self, days: Iterable[date]) -> list[date]:
        """Return which of `days` have no partition."""
        with connection.cursor() as cursor:
            existing = self._existing(cursor)
        return [day for day in days if self.partition(day) not in existing]

    def summarise(self, *, now: datetime) -> None:
        """Bring the block-range indexes of the days now being written up to date.

        Ranges that were filled since the last run are read whole by every query until then. Autovacuum
        does the same, only later.
        """
        today = now.astimezone(UTC).date()
        written = [self.partition(today - timedelta(days=offset)) for offset in range(-1, 32)]
        with connection.cursor() as cursor:
            cursor.execute(
                "select brin_summarize_new_values(indexrelid) from pg_index"
                " join pg_class index on index.oid = indexrelid join pg_am on pg_am.oid = index.relam"
                " join pg_class parent on parent.oid = indrelid"
                " where amname = 'brin' and parent.relname = any(%s) and indisvalid",
                [written],
            )

    def _existing(self, cursor: CursorWrapper) -> set[str]:
        cursor.execute(
            "select child.relname from pg_inherits join pg_class child on child.oid = inhrelid"
            " where inhparent = %s::regclass",
            [self.name],
        )
        return {row[0] for row in cursor.fetchall()}

    def _create(self, cursor: CursorWrapper, day: date) -> None:
        # Names are the table's own and a date's digits: nothing from outside enters this SQL.
        partition = self.partition(day)
        lower, upper = f"{day} 00:00+00", f"{day + timedelta(days=1)} 00:00+00"
        cursor.execute(f"create table {partition} (like {self.name} including all)")
        cursor.execute(
            f"alter table {self.name} attach partition {partition} for values from (%s) to (%s)",
            [lower, upper],
        )
