"""Jobs through the engine without a request: what its books alone cost, and how quickly jobs are taken in.

The rule: everything is written as for a job that was sent: attempt, event, budget, breaker, contact.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.db import transaction
from django.utils import timezone
from pydantic import SecretStr

from tests.bench import backlog

BATCH = 500
ALONE = 500
TOGETHER = 2_000


@dataclass
class NoCarrier:
    """Stands in for the way to GoHighLevel: renders the request, and reads an answer, but sends nothing."""

    answered: int = field(default_factory=lambda: time.time_ns() // 1000)

    async def send(self, request: Any, token: SecretStr, **options: Any) -> Any:
        from sync.ghl import response

        request.headers(token)
        request.content()
        self.answered += 1
        body = b'{"new": false, "contact": {"id": "c%019d"}}' % self.answered
        return response.read(200, {"Content-Type": "application/json"}, body)


class OneToken:
    """Stands in for the keeper of tokens."""

    async def token(self, location_id: str) -> SecretStr:
        return SecretStr(f"pit-{location_id}")


def rate(connection: psycopg.Connection, ids: list[str], count: int) -> float:
    """Return jobs a second of one process that claims, tries and settles BATCH at a time."""
    from sync import attempt, queue, settlement

    carrier, tokens = NoCarrier(), OneToken()

    async def tried(jobs: list[Any]) -> list[Any]:
        return [
            await attempt.make(job, carrier, tokens, clock=timezone.now, past=None)  # type: ignore[arg-type]
            for job in jobs
        ]

    backlog.empty(connection)
    backlog.insert(connection, backlog.jobs(count, ids, seed=5))
    done = 0
    started = time.perf_counter()
    with asyncio.Runner() as runner:
        while jobs := queue.claim(now=timezone.now(), most=BATCH):
            done += len(settlement.settle(runner.run(tried(jobs)), now=timezone.now()))
    seconds = time.perf_counter() - started
    if done != count:
        raise RuntimeError(f"{count} jobs were due, {done} were settled.")
    return count / seconds


def enqueue_rates(connection: psycopg.Connection, ids: list[str]) -> dict[str, int]:
    """Return how many jobs a second `sync.jobs.enqueue` takes in: each committed alone, and many together."""
    backlog.empty(connection)
    alone = _enqueue(ids, 0, ALONE)
    with transaction.atomic():
        together = _enqueue(ids, ALONE, TOGETHER)
    return {"each_committed_per_s": round(alone), "in_one_transaction_per_s": round(together)}


def _enqueue(ids: list[str], first: int, count: int) -> float:
    from sync import jobs

    started = time.perf_counter()
    for number in range(first, first + count):
        payload = {"email": f"ada.{number}@example.org", "first_name": "Ada", "last_name": f"Number {number}"}
        jobs.enqueue("contact.upsert", ids[number % len(ids)], payload)
    return count / (time.perf_counter() - started)
