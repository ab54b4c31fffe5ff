"""A storm of kills over real clusters: nobody gets a message twice, no update is lost, every job ends."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task
from pydantic import SecretStr

from sync import credentials, jobs
from sync.models import Location, SyncJob
from tests.journeys.database import eventually
from trainu.demo.ghl import Simulator
from trainu.supervisor import Service, Supervisor

# As manage.py's qcluster runs it, with shorter times: a lease is still many times what an attempt takes.
HURRIED = """
import django
django.setup()
from datetime import timedelta
from sync import backoff, queue
from sync.ghl.operations.operation import Operation
queue.LEASE = timedelta(seconds=3)
backoff.DELAYS = tuple(timedelta(seconds=each) for each in (0.2, 0.4, 0.8, 1.5, 3.0))
Operation.settle_s = 0.5
from trainu import lanes
lanes.RUN_FOR_S = 3.0
from trainu.cluster import WatchedCluster
WatchedCluster(silent_s=5.0, ping_every_s=0.5).run()
"""
AS_WORKER = {"TRAINU_PROCESS": "worker", "TRAINU_WORKERS": "9", "TRAINU_LOG_LEVEL": "CRITICAL"}
CONTACTS, CITIES, LATENCY_MS = 40, 5, 400.0
FIELDS = ("first_name", "last_name", "address1", "state", "website")


@pytest.fixture
def ghl(transactional_db: None) -> Iterator[Simulator]:
    with Simulator(seed=5, limits=False) as simulator:
        simulator.settings.latency_ms = LATENCY_MS
        yield simulator
    OrmQ.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("truncate sync_location, sync_attempt cascade")


def studio(ghl: Simulator, name: str) -> list[str]:
    """Make a location on both sides; return its contacts."""
    ghl.location(name, token=f"pit-{name}")
    Location.objects.create(pk=name, name=name, created_at=timezone.now(), burst_limit=100_000)
    credentials.hold_private(name, SecretStr(f"pit-{name}"), now=timezone.now())
    return [ghl.staff.new_contact(name)["id"] for _ in range(CONTACTS)]


def enqueue(location_id: str, contacts: list[str]) -> None:
    for number, contact in enumerate(contacts):
        for operation, payload in work(number, contact):
            jobs.enqueue(operation, location_id, payload)
        # Each sets a field of its own too, so that none of them is superseded.
        for step in range(CITIES):
            fields = {"contact_id": contact, "city": f"City {step}", FIELDS[step]: "x"}
            jobs.enqueue("contact.update", location_id, fields)


def work(number: int, contact: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "message.send", {"channel": "SMS", "contact_id": contact, "message": f"Number {number}."}
    yield "message.send", {"channel": "SMS", "contact_id": contact, "message": f"Again, {number}."}
    yield "note.create", {"contact_id": contact, "body": f"Note {number}."}


def start_lanes() -> None:
    """As the schedules do every minute."""
    for task in ("sync.tasks.work", "sync.tasks.work_beside", "sync.tasks.recover"):
        async_task(task)


def open_jobs() -> int:
    return SyncJob.objects.filter(state__in=["waiting", "leased"]).count()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def tend(supervisor: Supervisor) -> None:
    """Let the supervisor look once, and start again what has ended."""
    looks = iter((False, True))
    supervisor.watch(until=lambda: next(looks))


def kill_some_workers(cluster: Service, rng: random.Random) -> None:
    """As the kernel does it when memory runs out: single processes, lanes among them."""
    assert cluster.process is not None
    for guard in children(cluster.process.pid):
        helpers = children(guard)
        for pid in rng.sample(helpers, min(4, len(helpers))):
            os.kill(pid, signal.SIGKILL)


def test_no_kill_doubles_a_message_loses_an_update_or_leaves_a_job_behind(
    ghl: Simulator, supervise: Callable[..., Supervisor]
) -> None:
    people = {name: studio(ghl, name) for name in ("studioNorth000000001", "studioSouth000000001")}
    for name, contacts in people.items():
        enqueue(name, contacts)
    ghl.fail("reset_after", probability=0.01)
    ghl.fail("503", probability=0.01)
    place = AS_WORKER | {"GHL_BASE_URL": ghl.url}
    supervisor = supervise(
        *((name, [sys.executable, "-c", HURRIED], place) for name in ("Workers 1", "Workers 2"))
    )
    rng = random.Random(5)
    start_lanes()
    assert eventually(lambda: ghl.ledger.total() > 20, 20)
    killed = 0
    for round in range(4):
        time.sleep(0.7)
        if not open_jobs():
            break
        killed += 1
        if round == 2:
            cluster = supervisor.services[0]
            assert cluster.process is not None
            os.killpg(cluster.process.pid, signal.SIGKILL)
        else:
            kill_some_workers(supervisor.services[1], rng)
        tend(supervisor)
        start_lanes()
    ghl.heal()
    # What a lost lane had in hand is tried one by one: that shall not take a minute here.
    ghl.settings.latency_ms = 10.0
    assert killed >= 3, "everything was done before the storm"
    ends = time.monotonic() + 45
    again = 0.0
    while open_jobs() and time.monotonic() < ends:
        tend(supervisor)
        if time.monotonic() > again:
            again = time.monotonic() + 2
            start_lanes()
        time.sleep(0.2)
    assert open_jobs() == 0
    assert SyncJob.objects.filter(fence__gt=1).exists()
    assert ghl.ledger.doubles() == {}
    assert set(ghl.ledger.creations("note").values()) <= {1}
    dead = SyncJob.objects.filter(state="dead")
    assert set(dead.values_list("operation", "cause")) <= {("message.send", "check_by_hand")}
    told = sum(ghl.deliveries().values())
    assert told + dead.count() >= len(people) * CONTACTS * 2
    for contacts in people.values():
        for contact in contacts:
            order = [int(str(city)[-1]) for city in ghl.ledger.values(contact, "city") if "City" in str(city)]
            assert order == sorted(order)
            assert order[-1] == CITIES - 1
