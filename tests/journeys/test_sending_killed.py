"""Lanes killed in each phase of sending approved drafts: none is sent twice, and each says its end."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import time
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pydantic import SecretStr

from sync import credentials
from sync.drafts import deciding
from sync.models import Draft, Location, SyncJob
from tests.journeys.conftest import ROOT
from tests.sync.drafts.approved import BOSS, draft
from trainu.demo.ghl import Simulator

STUDIO = "studioNorth000000001"
DRAFTS = 27
LATENCY_MS = 20.0
# One process forks all lanes: it is started once, and has neither connections nor threads of its own.
NURSERY = """
import asyncio, os, random, signal, sys, time
import django
django.setup()
from datetime import timedelta
from sync import backoff, queue, settlement
from sync.drafts import delivery, departure
from sync.ghl.operations.operation import Operation
from sync.ghl.transport import Carrier
from sync.lane import Lane
from sync.models import SyncJob

queue.LEASE = timedelta(seconds=0.6)
backoff.DELAYS = tuple(timedelta(seconds=each) for each in (0.1, 0.2, 0.3, 0.4, 0.5))
Operation.settle_s = 0.1

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def dying(place, name, *, before=False):
    real = getattr(place, name)
    def run(*given, **more):
        if before:
            die()
        found = real(*given, **more)
        if found or (given and given[0]):
            die()
        return found
    setattr(place, name, run)

def dying_request(when):
    real = Carrier.send
    async def send(carrier, *given, **more):
        if when == "before":
            die()
        if when == "during":
            asyncio.get_running_loop().call_later(0.01, die)
        answer = await real(carrier, *given, **more)
        die()
    Carrier.send = send

PHASES = {
    "claimed": lambda: dying(queue, "claim"),
    "let go": lambda: dying(departure, "held"),
    "before the request": lambda: dying_request("before"),
    "during the request": lambda: dying_request("during"),
    "answered": lambda: dying_request("after"),
    "settling, not committed": lambda: dying(delivery, "ended"),
    "settled": lambda: dying(settlement, "settle"),
}

def work(recovers=False):
    lane = Lane(Carrier(sys.argv[1]), concurrency=3, recovers=recovers)
    asyncio.run(lane.run(lambda: lane.is_idle))

def born(live):
    child = os.fork()
    if child == 0:
        try:
            live()
        finally:
            os._exit(0)
    return child

def killed(child):
    return os.waitpid(child, 0)[1] == signal.SIGKILL

for name, prepare in PHASES.items():
    if not killed(born(lambda: (prepare(), work()))):
        print("survived:", name)
rng = random.Random(5)
for _ in range(3):
    child = born(work)
    time.sleep(rng.uniform(0.1, 0.4))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

def to_the_end():
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        work()
        work(recovers=True)
        if not SyncJob.objects.filter(state__in=["waiting", "leased"]).exists():
            break
        time.sleep(0.05)

os.waitpid(born(to_the_end), 0)
"""


@pytest.fixture
def ghl(transactional_db: None) -> Iterator[Simulator]:
    with Simulator(seed=5, limits=False) as simulator:
        simulator.settings.latency_ms = LATENCY_MS
        yield simulator
    with connection.cursor() as cursor:
        cursor.execute("truncate sync_location, sync_attempt cascade")


def test_no_kill_sends_a_draft_twice_or_leaves_one_without_an_end(
    ghl: Simulator, environment: dict[str, str], settings: Any
) -> None:
    settings.QUIET_HOURS = (time(0), time(0))
    now = timezone.now()
    ghl.location(STUDIO, token=f"pit-{STUDIO}")
    Location.objects.create(pk=STUDIO, name="Studio", created_at=now, burst_limit=100_000)
    credentials.hold_private(STUDIO, SecretStr(f"pit-{STUDIO}"), now=now)
    for number in range(DRAFTS):
        contact = ghl.staff.new_contact(STUDIO)["id"]
        one = draft(contact, STUDIO, client_id=f"client-{number}", text=f"Number {number}.", based_at=now)
        deciding.approve(one.pk, by=BOSS, now=now)

    place = environment | {"TRAINU_PROCESS": "worker", "TRAINU_LOG_LEVEL": "CRITICAL"}
    ran = subprocess.run(
        [sys.executable, "-c", NURSERY, ghl.url],
        env=place | {"TRAINU_QUIET_HOURS": "00:00-00:00", "PATH": ""},
        cwd=Path(ROOT),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ran.stdout == "", "each phase was reached, and was the last of its lane"
    assert ghl.ledger.doubles() == {}
    arrived = {contact for contact, _ in ghl.deliveries()}
    drafts = list(Draft.objects.select_related("job"))
    assert {one.state for one in drafts} == {"sent", "undelivered"}
    assert {one.contact_id for one in drafts if one.state == "sent"} <= arrived
    for one in drafts:
        assert one.job
        dead = (one.job.state, one.job.cause) == ("dead", "check_by_hand")
        assert dead if one.state == "undelivered" else one.job.state == "succeeded"
        assert one.sent_on or one.state == "undelivered"
    # Some of those of which nobody can tell have arrived, and some have not.
    doubtful = {one.contact_id for one in drafts if one.state == "undelivered"}
    assert doubtful - arrived
    assert SyncJob.objects.filter(fence__gt=1).exists()
