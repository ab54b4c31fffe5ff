"""Real `qcluster` processes for the sync benchmark, each with the lanes it is told to run and no others."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

import psycopg

from tests.bench import service
from tests.servers import free_port

READY_S = 40.0


@contextlib.contextmanager
def ghl(delay_s: float) -> Iterator[int]:
    """Run the server that answers after so long; yield its port."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.instant_ghl", str(port), str(delay_s)]
    process = subprocess.Popen(command, cwd=service.ROOT)
    try:
        service.wait_for(f"http://127.0.0.1:{port}/locations/any")
        yield port
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def running(
    connection: psycopg.Connection, tasks: Mapping[str, Sequence[tuple[str, str]]], *, port: int
) -> Iterator[None]:
    """Run clusters until the block ends; begins when each lane has given a sign of life.

    tasks: by cluster, its lanes as (function, name of its sign of life). port: where GoHighLevel is.
    """
    from django.db import connections
    from django_q.tasks import async_task

    connection.execute("truncate django_q_ormq, django_q_task, observability_heartbeat")
    processes = []
    try:
        for name, lanes in tasks.items():
            processes.append(_start(name, port))
            for function, lane in lanes:
                arguments = [lane] if function == "sync.tasks.work" else []
                async_task(function, *arguments, cluster=name)
        connections.close_all()
        _wait_for_beats(connection, {lane for lanes in tasks.values() for _, lane in lanes})
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)


def _start(name: str, port: int) -> "subprocess.Popen[bytes]":
    from trainu.processes import workers_command

    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.bench.settings",
        "GHL_BASE_URL": f"http://127.0.0.1:{port}",
        "Q_CLUSTER_NAME": name,
        "TRAINU_PROCESS": "worker",
        "TRAINU_WORKERS": "12",
    }
    return subprocess.Popen(
        workers_command(), cwd=service.ROOT, env=environment, stdout=sys.stderr, stderr=sys.stderr
    )


def _wait_for_beats(connection: psycopg.Connection, lanes: set[str]) -> None:
    gives_up = time.monotonic() + READY_S
    while True:
        rows = connection.execute("select name from observability_heartbeat").fetchall()
        missing = lanes - {name for (name,) in rows}
        if not missing:
            return
        if time.monotonic() > gives_up:
            raise TimeoutError(f"These lanes gave no sign of life: {', '.join(sorted(missing))}.")
        time.sleep(0.1)
