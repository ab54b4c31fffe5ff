"""No detail of a person gets to the model's provider, whatever way it came in; and no key into a line."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sync.drafts import deciding
from sync.models import Draft, Message
from tests.llm_server import KEY, llm, wrong
from tests.sync.drafts.drafting import NOW, STUDIO, Desk

MARKERS = [
    "Zyxmarker",
    "Quuxmarker",
    "mark.er@planted.example",
    "2025550188",
    "202-555-0188",
    "Plantedstreet",
]
PLANTED = {
    "client": {
        "first_name": "Zyxmarker",
        "last_name": "Quuxmarker",
        "email": "mark.er@planted.example",
        "phone": "+1 202-555-0188",
        "address": "7 Plantedstreet",
    },
    "trainer": {"name": "Grace Hopper"},
    "notes": "ZYXMARKER moved to 7 Plantedstreet. Mail mark.er@planted.example or call (202) 555-0188.",
    "last_message": "It's Zyxmarker Quuxmarker, 202-555-0188",
    "goal": {"name": "Run 10k", "said": "quuxmarker wants to run"},
    "quuxmarker": ["zyxmarker@elsewhere.example", 2025550188],
}


@pytest.fixture
def desk(transactional_db: None) -> Iterator[Desk]:
    with llm() as server, asyncio.Runner() as runner:
        desk = Desk(server, runner)
        yield desk
        desk.close()


def test_nothing_planted_is_in_any_request_and_the_message_says_it_all_the_same(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    for number, text in enumerate(["Hi, Zyxmarker here: 2025550188", "Quuxmarker, mark.er@planted.example?"]):
        Message.objects.create(
            location_id=STUDIO,
            message_id=f"m-{number}",
            contact_id="contact1",
            direction="inbound" if number else "outbound",
            channel="sms",
            text=text,
            at=NOW,
        )
    desk.llm.script(wrong(500))
    with caplog.at_level(logging.INFO):
        draft_id = desk.ask(context=PLANTED, contact_id="contact1")
        desk.work()
        desk.advance(minutes=1)
        desk.work()
        deciding.regenerate(draft_id, hint="Call Zyxmarker by name", by="staff:nora", now=desk.now)
        desk.work()
    assert desk.llm.calls == 3
    assert "Hi {{client_first_name}}!" in json.dumps(desk.llm.requests[-1])
    heard = desk.llm.heard.replace(f"Bearer {KEY}", "")
    for marker in [*MARKERS, "Grace", "t-1", "c-1", "contact1", STUDIO]:
        assert marker.lower() not in heard.lower(), marker
    assert "Run 10k" in heard
    assert Draft.objects.get(pk=draft_id).text == "Hi Zyxmarker!"
    for secret in [*MARKERS, KEY]:
        assert secret not in caplog.text


def test_the_client_of_the_model_says_nothing_even_when_the_service_is_told_to_say_all() -> None:
    asked = """
import asyncio, django
django.setup()
from sync.drafts.llm.asking import Asker
from sync.drafts.llm.prompts import Prompt
async def ask():
    async with Asker("http://127.0.0.1:9/v1?x=MARKER", "sk-MARKER", "m", timeout_s=5) as asker:
        print(await asker.ask(Prompt("MARKER", "MARKER"), channel="sms", kind="general_reply"))
asyncio.run(ask())
"""
    loud = {"OPENAI_LOG": "debug", "TRAINU_LOG_LEVEL": "DEBUG", "DJANGO_SETTINGS_MODULE": "trainu.settings"}
    said = subprocess.run(
        [sys.executable, "-c", asked], env=os.environ | loud, capture_output=True, text=True, check=True
    )
    assert "Code.CONNECTION" in said.stdout
    assert "MARKER" not in said.stdout + said.stderr
    for talker in ("openai._base_client", "httpcore2", "httpx2"):
        assert talker not in said.stderr
