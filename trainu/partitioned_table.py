"""A table in day partitions: made ahead by schedule, made on demand by whoever meets a day without one.

Kernel: imports no app. The rule: there is no DEFAULT partition (PostgreSQL could then not detach
concurrently), so a missing day is an error that the writer mends by calling `ensure`, never a lost row.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

DAYS_AHEAD = 7


@dataclass(frozen=True)
class PartitionedTable:
    """A table partitioned by range of a day. `name`: the parent's name; partitions add _YYYYMMDD.

    after_create: a statement to run on each partition that is made, as `{partition}` in it: for what
    neither LIKE nor ATTACH brings along, such as triggers on TRUNCATE.
    """

    name: str
    after_create: str = ""

    def is_there(self) -> bool:
        """Tell whether the table itself has been made."""
        with connection.cursor() as cursor:
            cursor.execute("select to_regclass(%s) is not null", [self.name])
            return bool(cursor.fetchone()[0])

    def partition(self, day: date) -> str:
        """Return the partition's name for a day."""
        return f"{self.name}_{day:%Y%m%d}"

    def ensure(self, days: Iterable[date]) -> list[date]:
        """Make the partitions that are missing for `days`; return the days that were made.

        Safe to run at any time from any process. CREATE … LIKE and ATTACH take a lock that lets reads
        and inserts go on, where CREATE … PARTITION OF would stop them. A day that is being taken out, or
        was and is not dropped yet, becomes a partition again, with its rows.
        """
        wanted = sorted(set(days))
        with transaction.atomic(), connection.cursor() as cursor:
            self._lock(cursor)
            existing = self._existing(cursor)
            missing = [day for day in wanted if self.partition(day) not in existing]
            for day in missing:
                self._create(cursor, day)
                self._attach(cursor, day)
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

    def days(self) -> list[date]:
        """Return the days that have a partition, oldest first; one that is half detached has none."""
        return [day for day, state in self.standing() if state == "attached"]

    def standing(self) -> list[tuple[date, str]]:
        """Return every day with a table of its own, oldest first, and how that table stands.

        attached: a partition. pending: a detach was begun and not ended. detached: only the table is left.
        """
        with connection.cursor() as cursor:
            cursor.execute(
                "select right(relname, 8), case when inhrelid is null then 'detached'"
                " when inhdetachpending then 'pending' else 'attached' end"
                " from pg_class left join pg_inherits on inhrelid = oid and inhparent = %s::regclass"
                " where relname ~ %s and relkind in ('r', 'p') and pg_table_is_visible(oid) order by 1",
                [self.name, f"^{self.name}_[0-9]{{8}}$"],
            )
            return [(datetime.strptime(day, "%Y%m%d").date(), state) for day, state in cursor.fetchall()]  # noqa: DTZ007

    def detach(self, day: date) -> None:
        """Take a day's partition out while others read and write; end a detach that was begun before.

        Outside a transaction only. Waits for the transactions that use the table, as long as
        lock_timeout says; given up midway it leaves the partition pending, for the next call to end.
        """
        for pending in [other for other, state in self.standing() if state == "pending"]:
            # PostgreSQL begins no second one beside it.
            self._alter(f"detach partition {self.partition(pending)} finalize")
        if (day, "attached") in self.standing():
            self._alter(f"detach partition {self.partition(day)} concurrently")

    def drop(self, day: date, *, may: Callable[[str], bool] = lambda partition: True) -> bool:
        """Drop a detached day's table; return False where it is a partition again, or becomes one here.

        may: asked about the table by its name when nobody can write to it any more; where it says no,
        the table is attached again. A writer may have done so too: see `ensure`.
        """
        with transaction.atomic(), connection.cursor() as cursor:
            self._lock(cursor)
            if self.partition(day) in self._existing(cursor):
                return False
            if not may(self.partition(day)):
                self._attach(cursor, day)
                return False
            cursor.execute(f"drop table if exists {self.partition(day)}")
        return True

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
            " where inhparent = %s::regclass and not inhdetachpending",
            [self.name],
        )
        return {row[0] for row in cursor.fetchall()}

    def _lock(self, cursor: CursorWrapper) -> None:
        """Keep other processes from making or dropping this table's partitions until the transaction ends."""
        cursor.execute("select pg_advisory_xact_lock(hashtext(%s))", [self.name])

    def _alter(self, change: str) -> None:
        # Names are the table's own and a date's digits: nothing from outside enters this SQL.
        with connection.cursor() as cursor:
            cursor.execute(f"alter table {self.name} {change}")

    def _create(self, cursor: CursorWrapper, day: date) -> None:
        cursor.execute(
            "select 1 from pg_inherits where inhrelid = to_regclass(%s) and inhdetachpending",
            [self.partition(day)],
        )
        if cursor.fetchone():
            cursor.execute(f"alter table {self.name} detach partition {self.partition(day)} finalize")
        cursor.execute("select to_regclass(%s)", [self.partition(day)])
        if cursor.fetchone()[0] is None:
            cursor.execute(f"create table {self.partition(day)} (like {self.name} including all)")
            if self.after_create:
                cursor.execute(self.after_create.format(partition=self.partition(day)))

    def _attach(self, cursor: CursorWrapper, day: date) -> None:
        lower, upper = f"{day} 00:00+00", f"{day + timedelta(days=1)} 00:00+00"
        cursor.execute(
            f"alter table {self.name} attach partition {self.partition(day)} for values from (%s) to (%s)",
            [lower, upper],
        )
