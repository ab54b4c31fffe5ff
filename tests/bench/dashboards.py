"""The dashboards over ten million events: server time of each page, roll-up lag, and what it costs on disk.

The rule: the same pages at a tenth of the events, and the same questions of the raw table, in the same run; a
page is asked for as a browser does, in a zone whose days are counted already, as after the first visitor.
"""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg

from tests.bench import crowd, machine, raw_questions, service
from tests.bench.pages import times as server_times

EVENTS = 10_000_000
GOAL_MS = 100
GOAL_GROWTH = 1.5
LAG_AT_EVENTS_S = 5_000
LAG_FOR_S = 30
NAMES = ("activation", "engagement", "show_rate", "sync_health")


def main(events: int) -> dict[str, Any]:
    small, large = _apart(events // 10), _apart(events)
    growth = {
        page: round(large["pages"][page]["median_ms"] / small["pages"][page]["median_ms"], 2)
        for page in large["pages"]
    }
    return {
        "bench": "dashboards",
        "cores": os.cpu_count(),
        "goal_ms": GOAL_MS,
        "goal_growth": GOAL_GROWTH,
        "growth": growth,
        "at": [small, large],
    }


def _apart(events: int) -> dict[str, Any]:
    """Measure in a process of its own: Django knows one database."""
    command = [sys.executable, "-m", "tests.bench.dashboards", str(events)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=service.ROOT)
    print(done.stdout.decode(), file=sys.stderr, flush=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _at(events: int) -> dict[str, Any]:
    until = datetime.now(UTC).date() - timedelta(days=1)
    first = until - timedelta(days=crowd.DAYS - 1)
    with service.database() as url, psycopg.connect(url, autocommit=True) as connection:
        folder = Path(parse_qs(urlsplit(url).query)["host"][0]).parent
        crowd.gather(connection, events=events, until=until)
        rebuilt_s = _rebuild(connection, first)
        connection.execute("vacuum analyze")
        with machine.Watch(folder) as watch:
            pages = {name: server_times(address) for name, address in _pages(first, until)}
            raw = {name: raw_questions.ask(connection, name, first, until) for name in NAMES}
        return {
            "events": connection.execute("select count(*) from observability_event").fetchone()[0],
            "people": crowd.PEOPLE,
            "trainers": crowd.TRAINERS,
            "machine": {"foreign_cpu": watch.foreign, "fdatasync_ms": machine.fdatasync_ms(folder)},
            "pages": pages,
            "raw_ms": raw,
            "raw_to_page": {name: round(raw[name] / pages[name]["median_ms"]) for name in NAMES},
            "rebuild_events_s": round(events / rebuilt_s),
            "disk_mb": _disk(connection),
            "rollup_lag": _lag(),
        }


def _rebuild(connection: psycopg.Connection, first: date) -> float:
    """Let the roll-ups be made of what is stored, as after an upgrade; return how many seconds it took."""
    from django.core.management import call_command
    from django.utils import timezone

    from observability.models import Watermark
    from observability.rollups import CONSUMER

    [xid] = connection.execute("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint").fetchone()
    Watermark.objects.create(consumer=CONSUMER, xid=xid, moved_at=timezone.now())
    started = time.perf_counter()
    call_command("rebuild_rollups", "--since", (first - timedelta(days=1)).isoformat(), stdout=sys.stderr)
    return time.perf_counter() - started


def _pages(first: date, last: date) -> list[tuple[str, str]]:
    from django.urls import reverse

    period = f"from={first}&to={last}&zone=Europe/Berlin"
    pages = []
    for name in NAMES:
        address = reverse("admin:dashboard", args=[name])
        pages.append((name, f"{address}?{period}"))
        narrowed = "location=l7" if name == "sync_health" else "trainer=t7"
        pages.append((f"{name}, filtered", f"{address}?{period}&{narrowed}"))
        if name != "sync_health":
            pages.append((f"{name}, of a segment", f"{address}?{period}&segment=regular"))
    pages.append(("sync_health, live part", reverse("admin:dashboard_live", args=["sync_health"])))
    return pages


def _disk(connection: psycopg.Connection) -> dict[str, int]:
    rows = connection.execute(
        "select relname, pg_total_relation_size(oid) / 1000000 from pg_class"
        " where relname like 'observability\\_%' and relkind = 'r' and relispartition = false"
    ).fetchall()
    [whole] = connection.execute(
        "select sum(pg_total_relation_size(inhrelid))::bigint / 1000000 from pg_inherits"
        " where inhparent = 'observability_event'::regclass"
    ).fetchone()
    sizes = {name.removeprefix("observability_"): int(size) for name, size in rows if size >= 1}
    return {"events": int(whole), "rollups": sum(sizes.values()), **sizes}


def _lag() -> dict[str, float]:
    """Report events at a steady rate beside the roll-ups; return how late each batch was in them."""
    from django.db import connection
    from django.utils import timezone

    from observability import rollups, watermark

    stored: list[tuple[int, float]] = []
    late_s: list[float] = []
    is_over = threading.Event()
    reporter = threading.Thread(target=_report, args=(stored, is_over))
    reporter.start()
    while not (is_over.is_set() and not stored):
        began = time.perf_counter()
        rolled = rollups.roll(now=timezone.now())
        with connection.cursor() as cursor:
            reached = watermark.horizon(cursor) if not rolled.behind else 0
        while stored and stored[0][0] < reached and stored[0][1] < began:
            late_s.append(time.perf_counter() - stored.pop(0)[1])
        if not rolled.behind:
            # As the lane rests when nothing waits.
            time.sleep(0.5)
    reporter.join()
    late_s.sort()
    return {
        "events_s": LAG_AT_EVENTS_S,
        "p50_s": round(statistics.median(late_s), 2),
        "p99_s": round(late_s[int(len(late_s) * 0.99)], 2),
    }


def _report(stored: list[tuple[int, float]], is_over: threading.Event) -> None:
    from django.db import connection
    from uuid_utils.compat import uuid7

    from observability import capture
    from observability.store import Origin
    from trainu.demo import history

    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    told = [one for back in range(3) for one in history.day(yesterday - timedelta(days=back), seed=11)]
    size = LAG_AT_EVENTS_S // 10
    try:
        begins = time.perf_counter()
        for number in range(LAG_FOR_S * 10):
            batch = [replace(told[(number * size + i) % len(told)], uuid=uuid7()) for i in range(size)]
            time.sleep(max(0.0, begins + number / 10 - time.perf_counter()))
            capture.persist(batch, Origin("bench", ""))
            with connection.cursor() as cursor:
                cursor.execute("select pg_current_xact_id()::text::bigint")
                stored.append((int(cursor.fetchone()[0]), time.perf_counter()))
    finally:
        is_over.set()
        connection.close()


if __name__ == "__main__":
    json.dump(_at(int(sys.argv[1])), sys.stdout)
