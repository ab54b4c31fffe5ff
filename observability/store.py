"""The one way into the event table: one statement a batch, committed once or not at all.

The rule: a uuid is stored once, whatever its timestamp and however many requests race with it; a
missing partition, a deadlock or a restarted database costs a retry, never an event.
"""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import psycopg
import structlog
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from observability import partitions
from trainu import statements, transactions
from trainu.database import heal

log = structlog.get_logger(__name__)

# Deadlock, serialisation failure, and a connection that the server has closed.
_TRY_AGAIN = {"40P01", "40001", "57P01", "57P02", "57P03", "08006", "08003"}
_NO_PARTITION = "23514"
_TRIES = 3

# Rows go in sorted by uuid (see `insert`), so two batches with the same uuids lock in the same order.
_INSERT = """
with incoming as (
    select * from unnest(%b::uuid[], %b::timestamptz[], %b::text[], %b::text[], %b::text[], %b::text[])
        as t(uuid, timestamp, event, distinct_id, properties, correlation_id)
), fresh as (
    insert into observability_seenuuid (uuid, seen_on)
    select uuid, current_date from incoming
    on conflict do nothing
    returning uuid
)
insert into observability_event
    (uuid, timestamp, event, distinct_id, properties, correlation_id, source, api_key_id)
select uuid, timestamp, event, distinct_id, properties::jsonb, coalesce(correlation_id, %b), %b, %b
from incoming join fresh using (uuid)
on conflict do nothing
"""

# Events so old are backfills: whoever walks by transaction must know how far back they reach
# (observability.watermark).
_ORDINARY_PAST = timedelta(days=31)
_NOTE_BACKFILL = """
insert into observability_backfilledday as b (day, xid)
select day, pg_current_xact_id()::text::bigint from unnest(%b::date[]) as day
on conflict (day) do update set xid = greatest(b.xid, excluded.xid)
"""


# Not frozen, and so not three times as slow to make: there is one for each event of a batch.
@dataclass(slots=True)
class Row:
    """An event as it is stored. properties: JSON text, redacted. timestamp: aware.

    correlation_id: of its own, where that is not its batch's.
    """

    uuid: UUID
    timestamp: datetime
    event: str
    distinct_id: str
    properties: str
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a batch came from: one for all of its rows that say nothing else."""

    source: str
    correlation_id: str
    api_key_id: int | None = None


def insert(rows: Sequence[Row], origin: Origin) -> int:
    """Store `rows`; return how many were new. The others were there already.

    Outside a transaction the batch is committed when this returns; inside one it commits with it.
    Raises django.db.OperationalError when the database cannot be reached.
    """
    unique = {row.uuid: row for row in reversed(rows)}
    ordered = [unique[uuid] for uuid in sorted(unique)]
    if not ordered:
        return 0
    own = [row.correlation_id for row in ordered]
    parameters = (
        [row.uuid for row in ordered],
        [row.timestamp for row in ordered],
        [row.event for row in ordered],
        [row.distinct_id for row in ordered],
        [row.properties for row in ordered],
        # unnest fills a shorter list up with nulls, so that the ordinary batch sends none of these.
        own if any(own) else [],
        origin.correlation_id,
        origin.source,
        origin.api_key_id,
    )
    connection = connections[DEFAULT_DB_ALIAS]
    oldest = timezone.now() - _ORDINARY_PAST
    backfilled = sorted(days(row for row in ordered if row.timestamp < oldest))

    def execute() -> int:
        if not backfilled:
            return statements.count(_INSERT, parameters, on=connection)
        with transaction.atomic(using=connection.alias):
            statements.count(_NOTE_BACKFILL, (backfilled,), on=connection)
            return statements.count(_INSERT, parameters, on=connection)

    return _persist(connection, execute, ordered)


def days(rows: Iterable[Row]) -> set[date]:
    """Return the days, in UTC, whose partitions hold the rows."""
    return {row.timestamp.astimezone(UTC).date() for row in rows}


def _persist(connection: BaseDatabaseWrapper, execute: Callable[[], int], rows: list[Row]) -> int:
    """Execute, and mend what can be mended: partitions by making them, the rest by trying again.

    Inside the caller's transaction each try stands in a savepoint, and only partitions are mended: a
    deadlock or a lost connection has already undone the caller's own work, so the caller must know.
    """
    nested = connection.in_atomic_block
    for attempt in range(1, _TRIES + 1):
        try:
            if not nested:
                return execute()
            with transaction.atomic(using=connection.alias):
                return execute()
        except Exception as error:
            state = getattr(error.__cause__, "sqlstate", None)
            if attempt == _TRIES:
                raise
            if state == _NO_PARTITION and "no partition" in str(error):
                partitions.EVENTS.ensure(days(rows))
            elif not nested and (state in _TRY_AGAIN or _lost(connection, error)):
                heal(connection)
                transactions.undone.send_robust(sender=None, sqlstate=state or "", retried=True)
                log.warning("store_retried", sqlstate=state, attempt=attempt)
                time.sleep(random.uniform(0.01, 0.05) * attempt)
            else:
                raise
    raise AssertionError("unreachable: the last try returns or raises")


def _lost(connection: BaseDatabaseWrapper, error: Exception) -> bool:
    """Tell whether the failure was a connection that had died while it was idle."""
    cause = error.__cause__
    if not isinstance(cause, psycopg.OperationalError) or isinstance(cause, psycopg.errors.QueryCanceled):
        return False
    return connection.connection is not None and connection.connection.closed
