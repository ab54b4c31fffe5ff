"""Jobs a second through the sync engine, its lateness, and what sets the limit, all in one run.

The rule: everything is on, as in production: attempts, events, budgets, breakers, ordering keys, and a
database that waits for its disk. What is compared is measured in the same run.
"""

import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg

from tests.bench import backlog, clusters, machine, noop, service, sync_limits

Lanes = Mapping[str, Sequence[tuple[str, str]]]

_ONE = ("sync.tasks.work", "sync 1")
_TWO = ("sync.tasks.work", "sync 2")
ONE: Lanes = {"a": [_ONE]}
BOTH: Lanes = {"a": [_ONE, _TWO]}
APART: Lanes = {"a": [_ONE], "b": [_TWO]}
DELAY_S = 0.05
WARM_UP = 1_000
LATE = 5_000
LATE_OVER_S = 15.0
WAITING = 100_000
BARE_CALLS = 10_000


def main(jobs: int) -> dict[str, Any]:
    with service.database() as url, psycopg.connect(url, autocommit=True) as connection:
        folder = Path(parse_qs(urlsplit(url).query)["host"][0]).parent
        with machine.Watch(folder) as watch:
            figures = _measure(url, connection, folder, jobs)
        return {
            "bench": "sync",
            "cores": os.cpu_count(),
            "jobs_a_case": jobs,
            "machine": {"foreign_cpu": watch.foreign, "fdatasync_ms": machine.fdatasync_ms(folder)},
            **figures,
            "goals": _goals(figures),
        }


def _measure(url: str, connection: psycopg.Connection, folder: Path, jobs: int) -> dict[str, Any]:
    from django_q.models import Schedule

    house = [
        (entry.func, str(entry.name).removesuffix(" lane"))
        for entry in Schedule.objects.filter(name__endswith=" lane")
    ]
    # Lanes are started one by one, so that each cluster has those that are meant for it.
    Schedule.objects.all().delete()
    ids = backlog.locations()
    cases: list[tuple[str, Lanes, float]] = [
        ("one qcluster, one lane, instant", ONE, 0.0),
        ("two qclusters, a lane each, instant", APART, 0.0),
        ("one qcluster, two lanes, instant", BOTH, 0.0),
        ("one qcluster, every lane of the house, instant", {"a": house}, 0.0),
        ("one qcluster, one lane, 50 ms", ONE, DELAY_S),
        ("two qclusters, a lane each, 50 ms", APART, DELAY_S),
    ]
    drained = {}
    for number, (name, lanes, delay_s) in enumerate(cases):
        _say(name)
        drained[name] = _drain(connection, folder, ids, lanes, delay_s, jobs, seed=number * 2)
    _say("lateness")
    late = _lateness(connection, folder, ids)
    _say("limits")
    return {"drained": drained, "lateness": late, **_limits(url, connection, ids, jobs), **_rival(url)}


def _drain(
    connection: psycopg.Connection,
    folder: Path,
    ids: list[str],
    lanes: Lanes,
    delay_s: float,
    jobs: int,
    *,
    seed: int,
) -> dict[str, Any]:
    """Put jobs in while the lanes are idle; return how quickly they were settled."""
    backlog.empty(connection)
    with clusters.ghl(delay_s) as port, clusters.running(connection, lanes, port=port):
        backlog.insert(connection, backlog.jobs(WARM_UP, ids, seed=seed))
        backlog.wait_until_settled(connection, before=_now())
        made = backlog.jobs(jobs, ids, seed=seed + 1)
        with machine.Watch(folder) as watch:
            began = _now()
            insert_s = backlog.insert(connection, made)
            in_time = backlog.wait_until_settled(connection, before=_now())
    first, last = connection.execute(
        "select min(started_at), (select max(settled_at) from sync_syncjob) from sync_attempt"
        " where started_at >= %s",
        [began],
    ).fetchone() or (began, began)
    return {
        "jobs_per_s": round(jobs / (last - first).total_seconds()),
        "enqueue_to_settled_per_s": round(jobs / (last - began).total_seconds()),
        "insert_per_s": round(jobs / insert_s),
        "complete": in_time and _books(connection) == (jobs + WARM_UP,) * 3,
        "foreign_cpu": watch.foreign,
    }


def _books(connection: psycopg.Connection) -> tuple[int, ...]:
    row = connection.execute(
        "select (select count(*) from sync_syncjob where state = 'succeeded'),"
        " (select count(*) from sync_attempt where outcome = 'ok'),"
        " (select count(*) from observability_event where event = 'sync_ok')"
    ).fetchone()
    return row or ()


def _lateness(connection: psycopg.Connection, folder: Path, ids: list[str]) -> dict[str, Any]:
    """Let retries become due one after another while many more wait; return how late they were tried."""
    backlog.empty(connection)
    waiting = backlog.jobs(WAITING, ids, seed=91, apart=True)
    hour = _now() + timedelta(hours=1)
    waiting_s = backlog.insert(connection, waiting, due=[hour] * WAITING, tries=1)
    due_jobs = backlog.jobs(LATE, ids, seed=92, apart=True)
    with clusters.ghl(DELAY_S) as port, clusters.running(connection, BOTH, port=port):
        backlog.insert(connection, backlog.jobs(WARM_UP, ids, seed=93))
        backlog.wait_until_settled(connection, before=_now())
        begins = _now() + timedelta(seconds=2)
        due = [begins + timedelta(seconds=LATE_OVER_S * number / LATE) for number in range(LATE)]
        with machine.Watch(folder) as watch:
            backlog.insert(connection, due_jobs, due=due, tries=1)
            in_time = backlog.wait_until_settled(connection, before=due[-1] + timedelta(seconds=1))
    planned = {job.id: at for job, at in zip(due_jobs, due, strict=True)}
    tried: list[tuple[Any, datetime]] = connection.execute(
        "select job_id, started_at from sync_attempt where job_id = any(%s)", [list(planned)]
    ).fetchall()
    late = sorted((at - planned[id]).total_seconds() * 1e3 for id, at in tried)
    return {
        "due_retries": LATE,
        "over_s": LATE_OVER_S,
        "waiting_besides": WAITING,
        "insert_waiting_per_s": round(WAITING / waiting_s),
        "p50_ms": round(statistics.median(late), 1),
        "p99_ms": round(late[int(len(late) * 0.99)], 1),
        "worst_ms": round(late[-1], 1),
        "complete": in_time and len(late) == LATE,
        "foreign_cpu": watch.foreign,
    }


def _limits(url: str, connection: psycopg.Connection, ids: list[str], jobs: int) -> dict[str, Any]:
    sql = {f"{count} connections": round(sync_limits.sql(url, count)) for count in (1, 2)}
    bare = {}
    for name, delay_s in (("instant", 0.0), ("50 ms", DELAY_S)):
        with clusters.ghl(delay_s) as port:
            for processes in (1, 2):
                bodies = sync_limits.bodies(BARE_CALLS)
                case = f"{processes}x{sync_limits.CONCURRENCY}, {name}"
                bare[case] = round(sync_limits.http(port, processes, bodies))
    return {
        "bare_sql_cycles_per_s": sql,
        "bare_aiohttp_per_s": bare,
        "no_op_per_s": round(noop.rate(connection, ids, jobs)),
        "enqueue": noop.enqueue_rates(connection, ids),
    }


def _rival(url: str) -> dict[str, Any]:
    try:
        from tests.bench import rival
    except ImportError:
        _say("procrastinate is not installed: uv sync --inexact --group bench")
        return {"procrastinate": None}
    _say("procrastinate")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create database rival")
    parts = urlsplit(url)
    beside = parts._replace(path="/rival").geturl()
    with clusters.ghl(0.0) as port:
        return {
            "procrastinate": {
                f"{processes}x50": rival.measure(beside, port=port, processes=processes)
                for processes in (1, 2)
            }
        }


def _goals(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each goal with what it asks for, what was measured, and whether it was reached."""
    drained = {name: case["jobs_per_s"] for name, case in figures["drained"].items()}
    one, two = drained["one qcluster, one lane, instant"], drained["two qclusters, a lane each, instant"]
    bare = {
        processes: figures["bare_aiohttp_per_s"][f"{processes}x{sync_limits.CONCURRENCY}, instant"]
        for processes in (1, 2)
    }
    late = figures["lateness"]
    goals = [
        ("jobs a second, two lanes, instant server", 4_000, two),
        ("share of bare aiohttp, two lanes", 0.7, round(two / bare[2], 2)),
        ("share of bare aiohttp, one lane", 0.7, round(one / bare[1], 2)),
        (
            "no-op jobs, share of bare SQL cycles",
            0.2,
            round(figures["no_op_per_s"] / figures["bare_sql_cycles_per_s"]["1 connections"], 2),
        ),
        ("two qclusters, times one", 1.5, round(two / one, 2)),
    ]
    if rival := figures["procrastinate"]:
        best = max(case["jobs_per_s"] for case in rival.values())
        goals.append(("times procrastinate's best", 6, round(two / best, 1)))
    said = [
        {"goal": name, "at_least": goal, "measured": seen, "reached": seen >= goal}
        for name, goal, seen in goals
    ]
    for name, most, seen in (("p50", 150, late["p50_ms"]), ("p99", 500, late["p99_ms"])):
        said.append({"goal": f"lateness {name}, ms", "below": most, "measured": seen, "reached": seen < most})
    return said


def _now() -> datetime:
    from django.utils import timezone

    return timezone.now()


def _say(line: str) -> None:
    print(f"{line} …", file=sys.stderr, flush=True)
