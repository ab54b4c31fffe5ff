"""What sets the limit of sync here: claim and complete in bare SQL, and the same calls in bare aiohttp.

The rule: the least that could be done, by processes of their own, in the run of what is compared with it.
"""

import asyncio
import json
import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import psycopg

ROWS = 60_000
BATCH = 500
CALLS = 10_000
# As many as a lane of ours makes at once.
CONCURRENCY = 200

_TABLE = """
drop table if exists bare_job;
create table bare_job (
    id bigint primary key, state smallint not null default 0, attempts smallint not null default 0,
    next_at timestamptz not null, payload jsonb not null, last_error text not null default ''
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
insert into bare_job (id, next_at, payload)
select n, now(),
       jsonb_build_object('email', 'ada.' || n || '@example.org', 'city', 'Ulm', 'name', 'Ada ' || n)
from generate_series(1, {rows}) n;
create index on bare_job (next_at) where state = 0;
create index on bare_job (next_at) where state = 1;
analyze bare_job;
"""
_CLAIM = f"""
update bare_job set state = 1, attempts = attempts + 1, next_at = now() + interval '30 s'
where id = any(array(select id from bare_job where state = 0 and next_at <= now()
                     order by next_at limit {BATCH} for update skip locked))
returning id, attempts, payload
"""
_COMPLETE = """
update bare_job job set state = 2, next_at = now()
from unnest(%b::bigint[], %b::smallint[]) as done(id, attempts)
where job.id = any(%b::bigint[]) and job.id = done.id and job.attempts = done.attempts and job.state = 1
"""


def sql(url: str, connections: int) -> float:
    """Return jobs a second through claim and completion, with so many connections at once."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_TABLE.format(rows=ROWS))
        connection.execute("checkpoint")
    return ROWS / _together(_cycle, [(url,)] * connections)


def http(port: int, processes: int, bodies: Sequence[bytes]) -> float:
    """Return calls a second by bare aiohttp, with CONCURRENCY at once in each of so many processes."""
    share = len(bodies) // processes
    parts = [(port, list(bodies[start : start + share])) for start in range(0, share * processes, share)]
    return share * processes / _together(_call, parts)


def bodies(count: int) -> list[bytes]:
    """Return the bodies of calls like those of the jobs."""
    return [
        json.dumps(
            {
                "locationId": f"studio{number % 20:014d}",
                "firstName": "Ada",
                "lastName": f"Number {number}",
                "email": f"ada.{number}@example.org",
                "phone": f"+1202000{number:06d}",
                "source": "TrainU",
                "customFields": [{"id": "goalOfTraining", "field_value": "Run ten kilometres"}],
            }
        ).encode()
        for number in range(count)
    ]


def _together(work: Callable[..., None], parts: Sequence[tuple[Any, ...]]) -> float:
    """Do the parts in a process each; return the seconds from when all were ready to when all had ended."""
    context = multiprocessing.get_context("spawn")
    start, ready = context.Event(), context.Semaphore(0)
    processes = [context.Process(target=work, args=(*part, ready, start)) for part in parts]
    for process in processes:
        process.start()
    for _ in processes:
        ready.acquire()
    started = time.perf_counter()
    start.set()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError("A process of the bare limits has failed; see above.")
    return time.perf_counter() - started


def _cycle(url: str, ready: threading.Semaphore, start: threading.Event) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        ready.release()
        start.wait()
        while rows := connection.execute(_CLAIM, prepare=True).fetchall():
            ids = [id for id, _, _ in rows]
            connection.execute(_COMPLETE, [ids, [attempts for _, attempts, _ in rows], ids], prepare=True)


def _call(port: int, bodies: list[bytes], ready: threading.Semaphore, start: threading.Event) -> None:
    asyncio.run(_calls(port, bodies, ready, start))


async def _calls(port: int, bodies: list[bytes], ready: threading.Semaphore, start: threading.Event) -> None:
    url = f"http://127.0.0.1:{port}/contacts/upsert"
    headers = {
        "Accept": "application/json",
        "Version": "2021-07-28",
        "Content-Type": "application/json",
        "Authorization": "Bearer pit-0123456789abcdef",
    }
    waiting = iter(bodies)

    async def client(session: aiohttp.ClientSession) -> None:
        for body in waiting:
            async with session.post(url, data=body, headers=headers) as answer:
                json.loads(await answer.read())

    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        ready.release()
        start.wait()
        await asyncio.gather(*(client(session) for _ in range(CONCURRENCY)))
