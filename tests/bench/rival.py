"""The same calls by procrastinate, a queue in PostgreSQL that writes no books: with its worker as it comes.

Workers import this module: `-m procrastinate --app tests.bench.rival.app worker`.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

from tests.bench import service

CONCURRENCY = 50
JOBS = 3_000
WARM_UP = 200
GIVES_UP_S = 90.0

app = App(connector=PsycopgConnector(conninfo=os.environ.get("RIVAL_DATABASE_URL", "")))
_sessions: list[aiohttp.ClientSession] = []


@app.task(name="call")
async def call(number: int) -> None:
    """Make one call, as a contact's upsert would."""
    if not _sessions:
        connector = aiohttp.TCPConnector(limit=CONCURRENCY)
        _sessions.append(aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()))
    person = {"email": f"ada.{number}@example.org", "firstName": "Ada", "lastName": f"Number {number}"}
    url = f"http://127.0.0.1:{os.environ['RIVAL_PORT']}/contacts/upsert"
    async with _sessions[0].post(url, data=json.dumps(person)) as answer:
        json.loads(await answer.read())


def measure(url: str, *, port: int, processes: int) -> dict[str, Any]:
    """Return jobs a second from the first enqueue to the last completion, by so many workers."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("drop schema public cascade; create schema public")
        with app.replace_connector(SyncPsycopgConnector(conninfo=url)) as here, here.open():
            here.schema_manager.apply_schema()
            with _workers(url, port, processes):
                here.configure_task("call").batch_defer(*({"number": n} for n in range(WARM_UP)))
                _wait(connection)
                started = time.perf_counter()
                for first in range(0, JOBS, 1000):
                    numbers = range(first, min(first + 1000, JOBS))
                    here.configure_task("call").batch_defer(*({"number": number} for number in numbers))
                enqueued_s = time.perf_counter() - started
                _wait(connection)
                seconds = time.perf_counter() - started
    return {"jobs_per_s": round(JOBS / seconds), "enqueue_per_s": round(JOBS / enqueued_s)}


@contextlib.contextmanager
def _workers(url: str, port: int, processes: int) -> Iterator[None]:
    command = [sys.executable, "-m", "procrastinate", "--app", "tests.bench.rival.app", "worker"]
    environment = os.environ | {"RIVAL_DATABASE_URL": url, "RIVAL_PORT": str(port), "PYTHONUNBUFFERED": "1"}
    running = [
        subprocess.Popen(
            [*command, "--concurrency", str(CONCURRENCY)],
            cwd=service.ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(processes)
    ]
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(20)


def _wait(connection: psycopg.Connection) -> None:
    gives_up = time.monotonic() + GIVES_UP_S
    open_jobs = "select exists(select from procrastinate_jobs where status in ('todo', 'doing'))"
    while connection.execute(open_jobs).fetchone() != (False,):
        if time.monotonic() > gives_up:
            raise TimeoutError("The jobs of procrastinate did not end.")
        time.sleep(0.05)
    failed = connection.execute(
        "select count(*) from procrastinate_jobs where status <> 'succeeded'"
    ).fetchone()
    if failed != (0,):
        raise RuntimeError("Jobs of procrastinate have failed.")
