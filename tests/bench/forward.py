"""Events a second from the table to a PostHog on loopback, beside the bare sender in the same run."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.bench import ingest, service
from tests.servers import free_port

TOTAL = 60_000


def main(_clients: int) -> dict[str, Any]:
    with service.database():
        port = free_port()
        posthog = subprocess.Popen([sys.executable, "-m", "trainu.demo.posthog", str(port)], cwd=service.ROOT)
        try:
            service.wait_for(f"http://127.0.0.1:{port}/")
            return measure(f"http://127.0.0.1:{port}")
        finally:
            posthog.terminate()
            posthog.wait(10)


def measure(host: str) -> dict[str, Any]:
    """Store events, forward them all, and send the same ones with the sender alone."""
    from django.db import connection
    from django.utils import timezone

    from observability import forwarder, ingestion, partitions
    from observability.api_keys import Caller
    from observability.posthog import Sender, StoredEvent

    today = datetime.now(UTC).date()
    partitions.EVENTS.ensure([today - timedelta(days=1), today])
    caller = Caller(1, frozenset({"events:write"}), 0, None)
    made = ingest.events(TOTAL, seed=1)
    for start in range(0, TOTAL, 500):
        body = json.dumps({"batch": made[start : start + 500]}).encode()
        ingestion.accept(body, caller, now=timezone.now())

    run = forwarder.Forwarding(Sender("phc_bench", host))
    started = time.perf_counter()
    sent = 0
    while True:
        step = run.step(now=timezone.now())
        sent += step.sent
        if not step.behind:
            break
    seconds = time.perf_counter() - started
    with urllib.request.urlopen(host) as answer:
        seen = json.load(answer)

    with connection.cursor() as cursor:
        cursor.execute(
            "select xid, timestamp, uuid, event, distinct_id, properties, correlation_id, received_at"
            " from observability_event"
        )
        events = [
            StoredEvent(*row[:5], json.loads(row[5]), *row[6:])  # type: ignore[call-arg]
            for row in cursor.fetchall()
        ]
    bare = Sender("phc_bench", host)
    started = time.perf_counter()
    for start in range(0, TOTAL, forwarder.BATCH):
        bare.deliver(events[start : start + forwarder.BATCH])
    limit = TOTAL / (time.perf_counter() - started)
    return {
        "bench": "forward",
        "cores": os.cpu_count(),
        "events": TOTAL,
        "arrived": seen["events"],
        "arrived_twice": seen["repeated"],
        "events_per_s": round(sent / seconds),
        "bare_sender_events_per_s": round(limit),
        "ratio": round(sent / seconds / limit, 2),
    }
