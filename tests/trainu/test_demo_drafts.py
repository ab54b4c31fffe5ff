"""The demo's AI Inbox and its simulated language model."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from itertools import islice
from typing import Any

import pytest
from pydantic import SecretStr

from sync.drafts import digest as digests
from sync.models import Draft, Insight, Location, Message, SyncJob, TrainerDigest
from trainu.demo import coaches, drafts, llm, traffic
from trainu.demo.studios import Studio

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
OFFERED = "Write one of: {{client_first_name}}, {{trainer_name}}, {{booking_starts_at}}. It is an email."


@pytest.fixture
def three(db: None) -> list[coaches.Coach]:
    places = []
    for number in range(3):
        id = f"loc-{number}"
        Location.objects.create(pk=id, name=id, created_at=NOW)
        contacts = tuple(f"contact{number}x{n}" for n in range(12))
        people = {contact: {"first_name": "Ada"} for contact in contacts}
        places.append(Studio(id, id, SecretStr("pit"), contacts, (), people))
    return coaches.coaches(places, 7)


def test_there_are_drafts_in_all_states_once(three: list[coaches.Coach]) -> None:
    count = drafts.make(three, by="staff:1", now=NOW, seed=7)
    assert count == Draft.objects.count() > 60
    assert drafts.make(three, by="staff:1", now=NOW, seed=7) == 0
    for coach in three:
        mine = Draft.objects.filter(trainer_id=coach.trainer_id)
        states = set(mine.values_list("state", flat=True))
        assert states == {"review", "failed", "scheduled", "sent", "dismissed", "waiting"}
        assert sum(one.is_stale for one in mine) == 1
        assert mine.filter(snoozed_until__gt=NOW).count() == 2
        assert len({one.kind for one in mine.filter(state="review")}) >= 4
        [night] = mine.filter(state="scheduled")
        assert night.held_by == "quiet_hours"
        assert night.send_at is not None
        assert night.send_at > NOW
        assert all(one.text and "{{" not in one.text for one in mine.filter(state__in=["review", "sent"]))
    # Nothing goes out at once: what is approved waits for a morning.
    assert SyncJob.objects.filter(next_at__lte=NOW).count() == 0
    assert Message.objects.filter(direction="inbound").exists()
    assert Insight.objects.count() == 8 * len(three)


def test_its_digests_have_something_to_say(three: list[coaches.Coach]) -> None:
    drafts.make(three, by="staff:1", now=NOW, seed=7)
    assert digests.make_due(now=NOW) == len(three)
    for digest in TrainerDigest.objects.all():
        assert digest.content["sent"]
    for digest in TrainerDigest.objects.filter(emailed_at=None):
        assert digest.content["at_risk"]
        assert sum(one["worked"] for one in digest.content["worked"]) > 0


def test_the_apps_ask_for_what_the_api_takes(three: list[coaches.Coach]) -> None:
    for said in islice(traffic.wishes(7, three, now=NOW), 40):
        assert said["kind"] in Draft.Kind.values
        assert said["channel"] in Draft.Channel.values
        assert said["context"]["client"] == {"first_name": "Ada"}
        json.dumps(said)
    for said in islice(traffic.findings(7, three, now=NOW), 10):
        assert said["kind"] in coaches.INSIGHTS


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), llm.LanguageModel)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def ask(model: str, wish: str) -> tuple[int, Any]:
    messages = [{"role": "system", "content": OFFERED}, {"role": "user", "content": wish}]
    body = json.dumps({"model": "m", "messages": messages}).encode()
    request = urllib.request.Request(f"{model}/v1/chat/completions", data=body)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, None


def test_the_model_writes_fails_and_refuses_the_same_each_time(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llm, "SLOW_S", 0.0)
    ends: dict[str, list[int]] = {"written": [], "refused": [], "failed": [], "failed once": []}
    for number in range(150):
        wish = f"Remind the client of the booking ahead. {number}\n\nFacts, as JSON:\n{{}}"
        first, again = ask(model, wish), ask(model, wish)
        if again[0] == 500:
            ends["failed"].append(number)
            continue
        said = json.loads(again[1]["choices"][0]["message"]["content"])
        assert again[1]["usage"]["total_tokens"] > 0
        how = "failed once" if first[0] == 500 else "refused" if said.get("refused") else "written"
        ends[how].append(number)
        if how == "written":
            assert said["subject"] == "See you soon"
            for mark in ("{{client_first_name}}", "{{trainer_name}}", "{{booking_starts_at}}"):
                assert mark in said["text"]
    assert all(ends.values())
    assert len(ends["written"]) > 110


@pytest.mark.parametrize("kind", Draft.Kind.values)
def test_it_uses_no_placeholder_that_it_was_not_offered(kind: str) -> None:
    for number in range(2):
        subject, text = llm.write(kind, number, set())
        assert subject
        assert "{{" not in text
        assert len(text) < 320
