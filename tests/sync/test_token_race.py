"""Tokens by OAuth under contention: one refresh for all who need it, whoever dies, and no job pays for it."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pydantic import SecretStr
from pytest_django import Settings

from sync import credentials
from sync.database_thread import DatabaseThread
from sync.ghl.errors import Outcome, Verdict
from sync.ghl.oauth import REFRESH_BEFORE, Tokens
from sync.ghl.transport import Carrier
from sync.lane import Lane
from sync.models import Credential, Location, SyncJob
from sync.signals import Trouble
from sync.tokens import Keeper
from tests.journeys.conftest import environment  # noqa: F401
from tests.journeys.database import eventually
from tests.sync.working import PATIENT, QUICK, Studio
from trainu.demo.ghl import Simulator

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = 8
APP = {"GHL_CLIENT_ID": "demo-client", "GHL_CLIENT_SECRET": "demo-client-secret"}
HOUR = timedelta(hours=1)
SOON = REFRESH_BEFORE / 2


@pytest.fixture(autouse=True)
def _app(settings: Settings) -> None:
    settings.GHL_CLIENT_ID, settings.GHL_CLIENT_SECRET = APP.values()


@pytest.fixture
def studio(transactional_db: None) -> Iterator[Studio]:
    with Simulator(seed=1, limits=False) as simulator:
        yield Studio(simulator, timeouts=PATIENT)


def install(ghl: Simulator, location_id: str, expires_at: datetime) -> Tokens:
    """Let our app into a location, with tokens that last until then; return them."""
    pair = ghl.tokens.pair(location_id)
    tokens = Tokens(SecretStr(pair["access_token"]), SecretStr(pair["refresh_token"]), expires_at)
    credentials.hold_oauth(location_id, tokens, now=timezone.now())
    return tokens


def refreshes(ghl: Simulator) -> int:
    return ghl.tokens.calls["refresh_token"]


def kept(location_id: str) -> tuple[str, str]:
    held = credentials.held(location_id)
    assert held is not None
    assert held.refresh is not None
    return held.access.get_secret_value(), held.refresh.get_secret_value()


def is_successor(ghl: Simulator, location_id: str, before: Tokens) -> bool:
    """Whether both tokens that are kept are those that GoHighLevel gave for the refresh token before."""
    assert before.refresh is not None
    successor = ghl.tokens.refreshes[before.refresh.get_secret_value()].successor
    return successor is not None and kept(location_id) == (successor.grant.token, successor.token)


def start(environment: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":  # noqa: F811
    return subprocess.Popen(
        [sys.executable, "-m", "tests.sync.refreshing", *arguments],
        cwd=ROOT,
        env=os.environ | environment | APP,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_eight_processes_make_one_refresh_and_all_get_a_token_that_works(
    environment: dict[str, str],  # noqa: F811
) -> None:
    now = timezone.now()
    with Simulator(seed=1, limits=False) as ghl:
        rounds = {
            "due": ("token", now + SOON),
            "ended": ("token", now - HOUR),
            "refused": ("renewed", now + HOUR),
        }
        before = {}
        for name, (_, expires_at) in rounds.items():
            ghl.location(name)
            Location.objects.create(pk=name, name=name, created_at=now)
            before[name] = install(ghl, name, expires_at)
        for name in ("ended", "refused"):
            ghl.tokens.expire(name)
        # Long enough for all of them to come while the first one waits for its answer.
        ghl.settings.latency_ms = 100
        asked = [f"{way}:{name}" for name, (way, _) in rounds.items()]
        printed, _ = start(environment, ghl.url, str(PROCESSES), *asked).communicate(timeout=60)
        assert [json.loads(line) for line in printed.splitlines()] == [[200] * PROCESSES] * len(rounds)
        assert refreshes(ghl) == len(rounds)
        assert all(is_successor(ghl, name, tokens) for name, tokens in before.items())


def test_a_killed_refresh_is_made_up_for_while_gohighlevel_repeats_its_answer(
    studio: Studio,
    environment: dict[str, str],  # noqa: F811
) -> None:
    ghl = studio.ghl
    before = install(ghl, studio.id, timezone.now() + SOON)
    ghl.fail("hang_after", path="/oauth/token", count=1)
    killed = start(environment, ghl.url, "1", f"token:{studio.id}")
    assert eventually(lambda: refreshes(ghl) == 1)
    kill_with_children(killed)
    assert kept(studio.id)[0] == before.access.get_secret_value()

    # Their real clock has set until when the turn is taken; ours goes on from there.
    studio.clock.now = timezone.now()
    studio.clock.advance(seconds=10)
    assert token(studio) == before.access, "the old one is used while it lasts"
    assert refreshes(ghl) == 1
    studio.clock.advance(seconds=11)
    assert token(studio) != before.access
    assert refreshes(ghl) == 2
    assert is_successor(ghl, studio.id, before)


def kill_with_children(process: "subprocess.Popen[str]") -> None:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in (process.pid, *map(int, children)):
        os.kill(pid, 9)
    process.communicate()


def token(studio: Studio) -> SecretStr | Verdict:
    async def run() -> SecretStr | Verdict:
        async with Carrier(studio.ghl.url, timeouts=studio.timeouts) as carrier, DatabaseThread() as database:
            return await Keeper(carrier, database=database, clock=studio.clock).token(studio.id)

    return asyncio.run(run())


def test_a_refresh_without_an_answer_blames_nobody_and_is_asked_again(studio: Studio) -> None:
    before = install(studio.ghl, studio.id, studio.clock.now - HOUR)
    studio.ghl.fail("reset_after", path="/oauth/token", count=1)
    held_back = token(studio)
    assert isinstance(held_back, Verdict)
    assert held_back.outcome is Outcome.DEFERRED
    studio.clock.advance(seconds=held_back.wait_s or 0)
    assert isinstance(token(studio), SecretStr)
    assert is_successor(studio.ghl, studio.id, before)


def test_while_nobody_gives_tokens_all_who_wait_share_one_question_and_no_try_is_lost(studio: Studio) -> None:
    install(studio.ghl, studio.id, studio.clock.now - HOUR)
    studio.ghl.fail("hang", path="/oauth/token")
    studio.timeouts = QUICK
    burst(studio, 30)
    studio.work()
    assert states() == {("waiting", 0)}
    # Each question takes as long as the time limit; one after another they would outlast the leases.
    assert studio.ghl.ledger.total("") <= 2
    studio.ghl.heal()
    studio.clock.advance(seconds=15)
    studio.work()
    assert states() == {("succeeded", 1)}


def test_a_revoked_grant_pauses_the_location_once_and_no_job_dies(
    studio: Studio, troubles: list[Trouble]
) -> None:
    install(studio.ghl, studio.id, studio.clock.now + HOUR)
    studio.ghl.tokens.revoke(studio.id)
    burst(studio, 50)
    studio.work()
    location = Location.objects.get()
    assert location.state == "misconfigured"
    [trouble] = troubles
    assert "withdrawn" in trouble.words
    assert states() == {("waiting", 0)}
    asked = refreshes(studio.ghl)
    assert asked <= 2, f"{asked} refreshes with a grant that was known to be revoked"
    studio.clock.advance(hours=1)
    assert studio.work() == 0
    assert len(troubles) == 1


def test_a_token_that_ends_in_a_burst_is_refreshed_once_and_every_job_is_done_at_its_first_try(
    studio: Studio,
) -> None:
    before = install(studio.ghl, studio.id, studio.clock.now + HOUR)
    studio.ghl.tokens.expire(studio.id)
    burst(studio, 200)
    studio.ghl.settings.latency_ms = 20
    run_lanes(studio, 2)
    assert states() == {("succeeded", 1)}
    assert refreshes(studio.ghl) == 1
    assert is_successor(studio.ghl, studio.id, before)
    assert Credential.objects.get().refreshing_until is None


def burst(studio: Studio, jobs: int) -> None:
    for number in range(jobs):
        studio.enqueue("contact.upsert", {"email": f"c{number}@example.org"})


def states() -> set[Any]:
    return set(SyncJob.objects.values_list("state", "tries"))


def run_lanes(studio: Studio, count: int) -> None:
    """Let lanes work side by side until there is nothing more to do."""

    async def run() -> None:
        lanes = [Lane(Carrier(studio.ghl.url), clock=studio.clock) for _ in range(count)]
        await asyncio.gather(*(lane.run(lambda: all(one.is_idle for one in lanes)) for lane in lanes))

    asyncio.run(run())
