"""Drafting is killed outright in each of its phases: no draft is lost, none is asked for a fourth time."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from sync.drafts import intake
from sync.models import Draft, DraftAttempt, Location
from tests.journeys.conftest import ROOT
from tests.journeys.database import eventually
from tests.llm_server import KEY, MODEL, LLMServer, Said, llm

# Starts once, and lets each lane run and die in a process forked off: a start takes seconds.
KILLED = """
import asyncio, os, signal, sys
import django
django.setup()
from sync import signals
from sync.drafts import lane, queue
from sync.drafts.llm.asking import from_settings

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def work(phase):
    if phase == "claimed":
        lane.writing.prompt = die
    elif phase == "answered":
        queue.settle = die
    elif phase == "settling":
        signals.drafts_written.connect(die, weak=False)
    one = lane.Lane(from_settings(), poll_s=0.02)
    asyncio.run(one.run(lambda: one.is_idle))

print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if not child:
        work(line.strip())
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""
PHASES = ("claimed", "asking", "answered", "settling")


@pytest.fixture
def model(transactional_db: None) -> Iterator[LLMServer]:
    with llm() as server:
        yield server


@pytest.fixture
def lanes(environment: dict[str, str], model: LLMServer) -> Iterator[Any]:
    """Let a lane work and be killed in a phase; tells by which signal its process ended, 0 for none."""
    place = {"LLM_BASE_URL": model.url, "LLM_API_KEY": KEY, "LLM_MODEL": MODEL, "TRAINU_PROCESS": "worker"}
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED],
        cwd=ROOT,
        env=os.environ | environment | place,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    assert process.stdout.readline() == "ready\n"

    def work(phase: str) -> int:
        # Leases that the killed have left run out at once.
        Draft.objects.filter(state="writing").update(next_at=timezone.now())
        calls = model.calls
        print(phase, file=process.stdin, flush=True)
        child = int(process.stdout.readline())
        if phase == "asking":
            assert eventually(lambda: model.calls == calls + 2, 30)
            os.kill(child, signal.SIGKILL)
        return int(process.stdout.readline())

    yield work
    process.kill()
    process.communicate()


def ask(*names: str) -> None:
    now = timezone.now()
    Location.objects.get_or_create(pk="studio1", defaults={"name": "Studio", "created_at": now})
    for name in names:
        intake.ask(
            trainer_id="t-1",
            client_id="c-1",
            contact_id="contact1",
            location_id="studio1",
            channel="sms",
            kind="weekly_checkin",
            context={"notes": f"draft {name}"},
            idempotency_key=name,
            now=now,
        )


def test_no_kill_loses_a_draft_or_has_it_asked_for_a_fourth_time(lanes: Any, model: LLMServer) -> None:
    killed = []
    for phase in PHASES:
        ask(f"{phase} once", f"{phase} too")
        if phase == "asking":
            model.script(Said(hang_s=9), Said(hang_s=9))
        killed.append(lanes(phase))
        assert lanes("") == 0
    assert killed == [9] * len(PHASES)
    assert set(Draft.objects.values_list("state", "code", "tries")) == {("review", "", 2)}

    # Whatever kills three in a row is left to a person.
    ask("always")
    assert [lanes("answered") for _ in range(3)] == [9, 9, 9]
    assert lanes("") == 0
    draft = Draft.objects.get(idempotency_key="always")
    assert (draft.state, draft.code, draft.tries) == ("failed", "lost", 3)

    heard = [json.dumps(request) for request in model.requests]
    for name in Draft.objects.values_list("idempotency_key", flat=True):
        assert sum(f"draft {name}" in one for one in heard) <= 3
    assert not DraftAttempt.objects.filter(outcome="begun").exists()
    assert not DraftAttempt.objects.filter(number__gt=F("draft__tries")).exists()
