"""Real clusters of workers: one that stands still is ended and started again, and one that is told to
stop does so at once, whatever its lanes are doing.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from django_q.models import OrmQ, Success
from django_q.tasks import async_task

from observability.models import Heartbeat
from tests.journeys.database import eventually
from trainu import schedules
from trainu.management.commands.up import start_lanes
from trainu.processes import STUCK, WORKERS_ENDINGS, workers_command
from trainu.supervisor import Service, Supervisor

# As manage.py's qcluster runs it, but with less patience. Three seconds are many times what a ping takes.
SILENT_S = 3.0
IMPATIENT = f"""
import django
django.setup()
from trainu.cluster import WatchedCluster
WatchedCluster(silent_s={SILENT_S}, ping_every_s=0.2).run()
"""
WORKERS = 4
AS_WORKER = {"TRAINU_PROCESS": "worker", "TRAINU_WORKERS": str(WORKERS), "TRAINU_LOG_LEVEL": "CRITICAL"}


@pytest.fixture(autouse=True)
def _queue(transactional_db: None) -> Iterator[None]:
    yield
    OrmQ.objects.all().delete()
    Success.objects.all().delete()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def idle_workers(cluster: Service) -> list[int]:
    """Return the workers of a cluster that has nothing to do: its guard forks them first."""
    assert cluster.process is not None
    [guard] = children(cluster.process.pid)
    return sorted(children(guard))[:WORKERS]


def runs(root: int) -> bool:
    """Have a task done, and tell whether it was, by the cluster that there is."""
    name = async_task("math.sqrt", root)
    return eventually(lambda: Success.objects.filter(id=name).exists(), 10)


def slowness() -> float:
    """Return how much longer than its own work a computation takes just now; 1 where nobody else works."""
    began, work_s = time.perf_counter(), time.process_time() + 0.05
    while time.process_time() < work_s:
        pass
    return max(1.0, (time.perf_counter() - began) / 0.05)


def lives(cluster: Service) -> bool:
    """Tell whether a cluster has written its sign of life."""
    assert cluster.process is not None
    return Heartbeat.objects.filter(name__endswith=f":{cluster.process.pid}").exists()


@contextmanager
def database_away() -> Iterator[None]:
    """Let nobody connect, and throw out the workers, for the time of a block."""
    server = connection.get_connection_params() | {"dbname": "postgres"}
    with psycopg.connect(**{name: server[name] for name in ("host", "user", "dbname")}) as outside:
        outside.autocommit = True
        name = connection.settings_dict["NAME"]
        outside.execute(f"alter database {name} allow_connections false")
        try:
            outside.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = %s and application_name = 'trainu-worker'",
                [name],
            )
            yield
        finally:
            outside.execute(f"alter database {name} allow_connections true")


def test_a_cluster_whose_database_is_away_goes_on_when_it_is_back(
    supervise: Callable[..., Supervisor],
) -> None:
    said: list[str] = []
    supervisor = supervise(("Workers", [sys.executable, "-c", IMPATIENT], AS_WORKER))
    supervisor.say = said.append
    assert runs(4)
    with database_away():
        before = time.monotonic()
        supervisor.watch(until=lambda: bool(said) or time.monotonic() - before > 2 * SILENT_S)
    assert runs(9)
    assert said == []


def test_a_cluster_whose_idle_workers_were_killed_is_noticed_and_started_again(
    supervise: Callable[..., Supervisor],
) -> None:
    said: list[str] = []
    supervisor = supervise(("Workers", [sys.executable, "-c", IMPATIENT], AS_WORKER))
    supervisor.say = said.append
    [cluster] = supervisor.services
    cluster.endings = WORKERS_ENDINGS
    assert runs(4)
    assert lives(cluster)
    first = cluster.process
    assert first is not None
    # One of them holds the lock of the task queue, as always one does.
    for worker in idle_workers(cluster):
        os.kill(worker, signal.SIGKILL)
    before = time.monotonic()
    # Its guard has replaced them, and still it does nothing: it takes itself for well.
    supervisor.watch(until=lambda: bool(said) or time.monotonic() - before > 20)
    assert said == ["Workers ended because nothing moved in it any more; it starts again in 1 s."]
    assert first.returncode == STUCK
    supervisor.watch(until=lambda: cluster.process is not first)
    assert runs(9)
    assert said[1:] == []


def test_nobody_of_a_killed_cluster_goes_on_taking_tasks(supervise: Callable[..., Supervisor]) -> None:
    [cluster] = supervise(("Workers", workers_command(), AS_WORKER)).services
    assert runs(4)
    assert cluster.process is not None
    [guard] = children(cluster.process.pid)
    helpers = [guard, *children(guard)]
    assert len(helpers) == 1 + WORKERS + 2
    # As the kernel does it when memory runs out: one process, not its group.
    os.kill(cluster.process.pid, signal.SIGKILL)
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in helpers), 5)


def test_a_cluster_in_which_lanes_run_stops_within_two_seconds(supervise: Callable[..., Supervisor]) -> None:
    lanes = schedules.lanes()
    enough = {"TRAINU_WORKERS": str(len(lanes) + 2)}
    [cluster] = supervise(("Workers", workers_command(), AS_WORKER | enough)).services
    assert cluster.process is not None
    start_lanes()
    # Each of them gives its signs of life under the name that its schedule has.
    assert eventually(lambda: Heartbeat.objects.filter(name__in=lanes).count() == len(lanes))
    slow = slowness()
    before = time.monotonic()
    cluster.process.send_signal(signal.SIGTERM)
    assert cluster.process.wait(20) == 0
    took_s = time.monotonic() - before
    assert took_s < 2 * max(slow, slowness())
