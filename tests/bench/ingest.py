"""Events a second over HTTP, beside the limit that PostgreSQL sets in the same run."""

import os
import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import psycopg
from uuid_utils.compat import uuid7

from tests.bench import load, service

# events of a run by batch size: enough for some seconds each, and bounded.
TOTALS = {1: 12_000, 10: 60_000, 100: 240_000, 500: 400_000}

LIMIT = """
insert into observability_event
    (uuid, timestamp, event, distinct_id, properties, correlation_id, source)
select *, 'bench', 'bench'
from unnest(%b::uuid[], %b::timestamptz[], %b::text[], %b::text[], %b::text[]::jsonb[])
on conflict do nothing
"""


def events(count: int, seed: int) -> list[dict[str, Any]]:
    """Return events like a day's mixture: several names, ids of 60,000 people, some 230 bytes each."""
    chance = random.Random(seed)
    now = datetime.now(UTC)
    made = []
    for _ in range(count):
        person = chance.randrange(60_000)
        name, properties = _KINDS[chance.randrange(len(_KINDS))](chance, person)
        made.append(
            {
                "event": name,
                "distinct_id": f"client:c-{person}",
                "properties": properties,
                "timestamp": (now - timedelta(seconds=chance.randrange(3600))).isoformat(),
                "uuid": str(uuid7()),
            }
        )
    return made


_KINDS: list[Any] = [
    lambda chance, person: (
        "api_response_time",
        {
            "duration_ms": chance.randrange(1, 900) / 3,
            "route": "/trainers/{id}/slots",
            "method": "get",
            "status": 200,
        },
    ),
    lambda chance, person: (
        "page_load_time",
        {"duration_ms": chance.randrange(300, 4000) / 3, "page": "/trainers/{id}", "connection": "4g"},
    ),
    lambda chance, person: (
        "user_logged_in",
        {"user_id": f"c-{person}", "role": "client", "method": "google"},
    ),
]


def measure(url: str, clients: int) -> dict[str, Any]:
    """Run every batch size; return the figures."""
    from observability import api_keys, partitions

    _, key = api_keys.issue("bench", ["events:write"], limit_per_minute=0)
    today = datetime.now(UTC).date()
    partitions.EVENTS.ensure([today - timedelta(days=1), today])
    figures: dict[str, Any] = {}
    with service.web() as port, psycopg.connect(url, autocommit=True) as connection:
        for batch, total in TOTALS.items():
            made = events(total, seed=batch)
            requests = [
                load.post(
                    "/api/events",
                    orjson.dumps({"batch": made[start : start + batch]} if batch > 1 else made[start]),
                    key,
                )
                for start in range(0, total, batch)
            ]
            _empty(connection)
            load.run(port, requests[:64], 16)
            result = load.run(port, requests[64:], clients)
            stored = connection.execute(
                "select count(*) from observability_event where source = 'api'"
            ).fetchone()
            limit = _limit(connection, made, batch)
            rate = (len(requests) - 64) * batch / result.seconds
            figures[str(batch)] = {
                "events_per_s": round(rate),
                "p50_ms": result.percentile_ms(0.5),
                "p99_ms": result.percentile_ms(0.99),
                "statuses": result.statuses,
                "stored_all": stored == (total,),
                "limit_events_per_s": round(limit),
                "ratio": round(rate / limit, 2),
            }
    return figures


def _empty(connection: psycopg.Connection) -> None:
    connection.execute("truncate observability_event, observability_seenuuid")
    connection.execute("checkpoint")


def _limit(connection: psycopg.Connection, made: list[dict[str, Any]], batch: int) -> float:
    """Insert the same rows with psycopg alone, on one connection, and return events a second."""
    _empty(connection)
    rows = [
        (
            UUID(event["uuid"]),
            datetime.fromisoformat(event["timestamp"]),
            event["event"],
            event["distinct_id"],
            orjson.dumps(event["properties"]).decode(),
        )
        for event in made
    ]
    started = time.perf_counter()
    for start in range(0, len(rows), batch):
        columns = [list(column) for column in zip(*rows[start : start + batch], strict=True)]
        connection.execute(LIMIT, columns, prepare=True)
    return len(rows) / (time.perf_counter() - started)


def main(clients: int) -> dict[str, Any]:
    with service.database() as url:
        return {
            "bench": "ingest",
            "clients": clients,
            "cores": os.cpu_count(),
            "web": "granian, 2 workers of 8 threads",
            "batches": measure(url, clients),
        }
