"""Remove whole partitions while others read and write: detached concurrently, then dropped.

The rule: a partition goes only when its last moment is older than the cutoff and nobody holds it back;
killed at any line, the next run ends what this one began.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

import structlog
from django.db import OperationalError, connection

from trainu.datasets import Partitions
from trainu.transactions import sqlstate

log = structlog.get_logger(__name__)

# So long a removal waits for the transactions that use the table; new ones wait behind it only at the end.
LOCK_TIMEOUT = "2s"
TRIES = 5
PAUSE_S = 0.2
# A lock that did not come in time; and a detach that a writer undid by taking its day back.
_TRY_AGAIN = {"55P03", "55000", "40P01"}
_COUNTED = 10_000


def due(dataset: Partitions, *, cutoff_at: datetime) -> list[date]:
    """Return the days of which every moment is older than the cutoff, oldest first.

    Days that an earlier run has half removed are among them.
    """
    last = cutoff_at.astimezone(UTC).date()
    return [day for day, _ in dataset.table.standing() if day < last]


def oldest(dataset: Partitions) -> datetime | None:
    """Return the first moment that the oldest day can hold; a day half removed counts."""
    standing = dataset.table.standing()
    return datetime.combine(standing[0][0], datetime.min.time(), tzinfo=UTC) if standing else None


def held(dataset: Partitions, day: date) -> str:
    """Return why a day must not go yet, or an empty text."""
    return dataset.held(dataset.table.partition(day))


def remove(dataset: Partitions, day: date, *, note: Callable[[], object]) -> str:
    """Remove one day; return an empty text, or why it stays.

    note: called inside the transaction that drops it. Raises OperationalError where other transactions
    use the table for longer than TRIES times LOCK_TIMEOUT; the detach is then ended by the next call.
    """
    if connection.in_atomic_block:
        raise RuntimeError("A partition is detached outside of any transaction.")
    with _bounded_waits(), dataset.still():
        return _remove(dataset, day, note)


def _remove(dataset: Partitions, day: date, note: Callable[[], object]) -> str:
    reason = held(dataset, day)
    if reason:
        return reason

    def may(partition: str) -> bool:
        nonlocal reason
        reason = dataset.held(partition)
        if not reason:
            note()
        return not reason

    for attempt in range(1, TRIES + 1):
        try:
            dataset.table.detach(day)
            if dataset.table.drop(day, may=may):
                return ""
            return reason or "a writer has taken the day back"
        except OperationalError as error:
            state = sqlstate(error)
            if state not in _TRY_AGAIN or attempt == TRIES:
                raise
            log.info("purge_waits_for_lock", dataset=dataset.name, attempt=attempt, sqlstate=state)
            time.sleep(PAUSE_S)
    raise AssertionError("unreachable")


def waited_in_vain(error: Exception) -> bool:
    """Tell whether a removal failed because other transactions would not let go of the table."""
    return isinstance(error, OperationalError) and sqlstate(error) in _TRY_AGAIN


def estimate(partitions: list[str]) -> int:
    """Return about how many rows some partitions hold: as PostgreSQL last counted them, or counted a bit."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select relname, reltuples::bigint from pg_class"
            " where relname = any(%s) and pg_table_is_visible(oid)",
            [partitions],
        )
        rows = dict(cursor.fetchall())
        for partition in [name for name, count in rows.items() if count < 0]:
            # PostgreSQL has not looked yet. The name comes from its own catalog.
            cursor.execute(f"select count(*) from (select from {partition} limit {_COUNTED}) few")
            rows[partition] = cursor.fetchone()[0]
    return sum(rows.values())


@contextmanager
def _bounded_waits() -> Iterator[None]:
    """Wait for locks no longer than LOCK_TIMEOUT, in this session, until the block ends."""
    with connection.cursor() as cursor:
        cursor.execute("select current_setting('lock_timeout')")
        [before] = cursor.fetchone()
        cursor.execute("select set_config('lock_timeout', %s, false)", [LOCK_TIMEOUT])
    try:
        yield
    finally:
        if not connection.needs_rollback and connection.connection and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("select set_config('lock_timeout', %s, false)", [before])
