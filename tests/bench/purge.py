"""Ten million rows removed by whole days while writers run, beside batched DELETE and VACUUM of the same."""

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from uuid_utils.compat import uuid7

from tests.bench import service

ROWS = 10_000_000
DAYS = 10
WRITERS = 2
# Small batches at a rate that one machine bears while it purges: 2 x 20 x 25 = 1,000 events a second.
BATCH = 20
BATCHES_PER_S = 25.0
QUIET_S = 5.0
DELETE_BATCH = 5_000

FILL = """
insert into {partition} (uuid, timestamp, event, distinct_id, properties, correlation_id, source)
select md5(%s::text || n)::uuid, %s::timestamptz + n * (interval '86400 s' / %s), 'user_logged_in',
       'client:c-' || n %% 60000, '{{"role": "client", "user_id": "c-1"}}', '', 'bench'
from generate_series(0, %s - 1) n
"""


class Writer(threading.Thread):
    """Inserts small batches of today's events at a bounded rate, and keeps how long each took."""

    def __init__(self, url: str, until: threading.Event) -> None:
        super().__init__()
        self.url, self.until = url, until
        self.latencies_ms: list[float] = []

    def run(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            due = time.monotonic()
            while not self.until.is_set():
                rows = [(uuid7(), datetime.now(UTC)) for _ in range(BATCH)]
                started = time.perf_counter()
                connection.execute(
                    _INSERT, [[row[0] for row in rows], [row[1] for row in rows]], prepare=True
                )
                self.latencies_ms.append((time.perf_counter() - started) * 1e3)
                due += 1 / BATCHES_PER_S
                time.sleep(max(0.0, due - time.monotonic()))


_INSERT = """
insert into observability_event (uuid, timestamp, event, distinct_id, properties, correlation_id, source)
select uuid, at, 'user_logged_in', 'client:c-1', '{}', '', 'writer'
from unnest(%b::uuid[], %b::timestamptz[]) as t(uuid, at)
"""


def while_writing(url: str, work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Do something while the writers run; return its result and the writers' latencies."""
    until = threading.Event()
    writers = [Writer(url, until) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        result = work()
    finally:
        until.set()
        for writer in writers:
            writer.join()
    taken = sorted(latency for writer in writers for latency in writer.latencies_ms)
    return result, {
        "inserts": len(taken),
        "p99_ms": round(taken[int(len(taken) * 0.99)], 1),
        "worst_ms": round(taken[-1], 1),
    }


def fill(connection: psycopg.Connection, days: list[date], rows: int) -> None:
    """Fill the partitions of some days on the server, and have PostgreSQL count what is in them."""
    from observability import partitions

    partitions.EVENTS.ensure(days)
    each = rows // len(days)
    for day in days:
        partition = partitions.EVENTS.partition(day)
        connection.execute(FILL.format(partition=partition), [str(day), f"{day} 00:00+00", each, each])
        connection.execute(f"analyze {partition}")
    connection.execute("checkpoint")


def delete(connection: psycopg.Connection, days: list[date]) -> float:
    """Remove the same by batched DELETE and VACUUM; return the seconds."""
    from observability import partitions

    started = time.perf_counter()
    for day in days:
        partition = partitions.EVENTS.partition(day)
        # Along the key and so as quick as it gets: each batch goes on where the last one ended.
        last: tuple[datetime, UUID] | None = (datetime(1, 1, 2, tzinfo=UTC), UUID(int=0))
        while last:
            last = connection.execute(
                f"with gone as (delete from {partition} where (timestamp, uuid) in ("
                f" select timestamp, uuid from {partition} where (timestamp, uuid) > (%s, %s)"
                f" order by timestamp, uuid limit {DELETE_BATCH}) returning timestamp, uuid)"
                " select timestamp, uuid from gone order by 1 desc, 2 desc limit 1",
                last,
            ).fetchone()
        connection.execute(f"vacuum {partition}")
    return time.perf_counter() - started


def measure(url: str, rows: int) -> dict[str, Any]:
    """Fill, purge under writers, fill a part again, delete it under writers; return the figures."""
    from django.utils import timezone

    from observability import partitions, watermark
    from observability.models import Watermark
    from observability.retention import policies, purge
    from trainu.datasets import find

    dataset = find("product_events")
    assert dataset is not None
    now = timezone.now()
    too_old = policies.cutoff(dataset, now=now).date()
    days = [too_old - timedelta(days=age) for age in range(1, DAYS + 1)]
    compared = days[: max(1, DAYS // 10)]
    partitions.EVENTS.ensure_ahead(now)
    with psycopg.connect(url, autocommit=True) as connection:
        _, quiet = while_writing(url, lambda: time.sleep(QUIET_S))
        fill(connection, days, rows)
        with connection.cursor() as cursor:
            # Counted: nothing is held back.
            xid = watermark.horizon(cursor)  # type: ignore[arg-type]
        Watermark.objects.update_or_create(consumer="rollups", defaults={"xid": xid, "moved_at": now})
        report, purging = while_writing(url, lambda: purge.run(dataset, now=now, by="system"))
        fill(connection, compared, rows // len(days) * len(compared))
        delete_s, deleting = while_writing(url, lambda: delete(connection, compared))
    return {
        "rows": rows,
        "partitions_removed": report.partitions,
        "purge_s": report.seconds,
        "delete_and_vacuum_s": round(delete_s * len(days) / len(compared), 2),
        "delete_measured_on": f"1/{len(days) // len(compared)} of the rows, scaled",
        "ratio": round(delete_s * len(days) / len(compared) / report.seconds, 1),
        "writers": {"alone": quiet, "during_purge": purging, "during_delete": deleting},
    }


def main(rows: int) -> dict[str, Any]:
    with service.database() as url:
        return {"bench": "purge", "cores": os.cpu_count(), **measure(url, rows)}
