"""Drafts a second through the whole pipeline: asked for, written by an instant model, approved, sent.

The rule: everything is on, as in production, in one process after another; what it is held against, bare
calls through the `openai` client with as many at once, is measured in the same run, on the same prompts.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg

from tests.bench import backlog, clusters, machine, service
from tests.servers import free_port

WARM_UP = 100
MODEL = "instant-1"


def main(drafts: int) -> dict[str, Any]:
    with model() as llm_port, clusters.ghl(0.0) as ghl_port:
        os.environ |= {
            "LLM_BASE_URL": f"http://127.0.0.1:{llm_port}/v1",
            "LLM_API_KEY": "only-for-a-benchmark",
            "LLM_MODEL": MODEL,
            # Approved drafts are to go at once, at whatever hour this runs.
            "TRAINU_QUIET_HOURS": "00:00-00:00",
            "TRAINU_PROCESS": "worker",
        }
        with service.database() as url, psycopg.connect(url, autocommit=True) as connection:
            folder = Path(parse_qs(urlsplit(url).query)["host"][0]).parent
            with machine.Watch(folder) as watch:
                figures = _measure(connection, drafts, ghl_port)
            return {
                "bench": "drafts",
                "cores": os.cpu_count(),
                "drafts": drafts,
                "machine": {"foreign_cpu": watch.foreign, "fdatasync_ms": machine.fdatasync_ms(folder)},
                **figures,
            }


@contextlib.contextmanager
def model() -> Iterator[int]:
    """Run the model that answers at once; yield its port."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.instant_llm", str(port)]
    process = subprocess.Popen(command, cwd=service.ROOT)
    try:
        service.wait_for(f"http://127.0.0.1:{port}/v1/models")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _measure(connection: psycopg.Connection, drafts: int, ghl_port: int) -> dict[str, Any]:
    ids = backlog.locations()
    _take_in(WARM_UP, ids, "warm")
    _write()
    taken_s = _timed(lambda: _take_in(drafts, ids, "d"))
    written_s = _timed(_write)
    approved_s = _timed(_approve)
    sent_s = _timed(lambda: _send(ghl_port))
    bare_s = _timed(lambda: asyncio.run(_bare(drafts)))
    rows = connection.execute("select state, count(*) from sync_draft group by state").fetchall()
    jobs = connection.execute("select state, count(*) from sync_syncjob group by state").fetchall()
    to_review = drafts / (taken_s + written_s)
    bare = drafts / bare_s
    return {
        "taken_in_per_s": round(drafts / taken_s),
        "written_per_s": round(drafts / written_s),
        "asked_to_review_per_s": round(to_review),
        "approved_per_s": round((drafts + WARM_UP) / approved_s),
        "sent_per_s": round((drafts + WARM_UP) / sent_s),
        "asked_to_sent_per_s": round(drafts / (taken_s + written_s + approved_s + sent_s)),
        "bare_openai_calls_per_s": round(bare),
        "written_of_bare": round(drafts / written_s / bare, 2),
        "states": dict(rows),
        "jobs": dict(jobs),
    }


def _timed(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _context(number: int) -> dict[str, Any]:
    return {
        "client": {
            "first_name": "Ada",
            "last_name": f"Number{number}",
            "email": f"ada.{number}@example.org",
            "time_zone": "Europe/Berlin",
        },
        "trainer": {"name": "Grace Hopper"},
        "booking": {"starts_at": (_now() + timedelta(days=1)).isoformat(), "title": "Strength with Ada"},
        "notes": "Ada likes mornings, and has a knee that wants care.",
        "last_message": "See you tomorrow? Ada",
    }


def _take_in(count: int, ids: list[str], prefix: str) -> None:
    from django.db import transaction

    from sync.drafts import intake

    for number in range(count):
        with transaction.atomic():
            intake.ask(
                trainer_id=f"t-{number % 50}",
                client_id=f"{prefix}-{number}",
                contact_id=f"{prefix}contact{number}",
                location_id=ids[number % len(ids)],
                channel="sms",
                kind="booking_reminder",
                context=_context(number),
                idempotency_key=f"{prefix}{number}",
                now=_now(),
            )


def _write() -> None:
    from sync.drafts.lane import Lane
    from sync.drafts.llm import asking

    asker = asking.from_settings()
    assert asker is not None
    lane = Lane(asker, poll_s=0.01)
    asyncio.run(lane.run(lambda: lane.is_idle))


def _approve() -> None:
    from sync.drafts import deciding
    from sync.models import Draft

    for draft_id in Draft.objects.filter(state="review").values_list("pk", flat=True):
        deciding.approve(draft_id, by="staff:bench", now=_now())


def _send(ghl_port: int) -> None:
    from sync.ghl.transport import Carrier
    from sync.lane import CONCURRENCY, Lane

    lane = Lane(Carrier(f"http://127.0.0.1:{ghl_port}", connections=CONCURRENCY))
    asyncio.run(lane.run(lambda: lane.is_idle))


async def _bare(calls: int) -> None:
    """Ask as often, and as many at once, with nothing around it."""
    import openai
    from django.conf import settings

    from sync.drafts.lane import CONCURRENCY
    from sync.drafts.llm import prompts
    from sync.webhooks.fields import zone_of

    wish = prompts.Wish("booking_reminder", "sms", _context(1), zone_of("Europe/Berlin", ""))
    messages: Any = prompts.compose(wish).messages()
    numbers = iter(range(calls))
    async with openai.AsyncOpenAI(
        base_url=settings.LLM_BASE_URL, api_key=settings.LLM_API_KEY, max_retries=0
    ) as client:

        async def ask() -> None:
            for _ in numbers:
                await client.chat.completions.create(model=MODEL, messages=messages)

        await asyncio.gather(*(ask() for _ in range(CONCURRENCY)))


def _now() -> datetime:
    from django.utils import timezone

    return timezone.now()
