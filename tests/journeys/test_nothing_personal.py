"""Secrets and personal data, planted in everything a stranger can send: none is anywhere afterwards.

Looked for in what went to Sentry and PostHog, in the processes' output, and in every table.
"""

import http.client
import json
import random
import string
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import phonenumbers
import pytest
from django.db import connection
from django_q.models import OrmQ, Task
from django_q.tasks import async_task
from phonenumbers import PhoneNumberFormat

from observability import api_keys, custom_events
from observability.models import Event, EventDefinition, Forwarder, LogLine, QuarantinedEvent
from tests import servers
from tests.journeys.conftest import ROOT
from tests.journeys.database import eventually, settle
from trainu.processes import web_command, workers_command

ROUNDS = 12
KINDS = {"user_logged_in", "note_left"}
ALPHANUMERIC = string.ascii_letters + string.digits
BEGINNINGS = ("pit-", "sk_" + "live_", "phc_", "ghp_", "AKIA", "whsec_", "xo" + "xb-12345678-")


class Plants:
    """Draws secrets from a seed, each as (what to write, what must be found nowhere)."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.hidden: list[str] = []

    def email(self) -> str:
        name = self._letters(9)
        self.hidden.append(name)
        return f"{name}@mail.example"

    def token(self) -> str:
        secret = (
            self._letters(8).upper() + str(self.random.randrange(10**8, 10**9)) + self._letters(7).upper()
        )
        self.hidden.append(secret)
        return self.random.choice(BEGINNINGS) + secret

    def phone(self) -> str:
        regions = sorted(phonenumbers.SUPPORTED_REGIONS)
        while True:
            example = phonenumbers.example_number_for_type(
                self.random.choice(regions), phonenumbers.PhoneNumberType.MOBILE
            )
            if example and len(str(example.national_number)) >= 8:
                break
        number = phonenumbers.format_number(example, PhoneNumberFormat.INTERNATIONAL)
        # Also as it would be found with its separators gone.
        self.hidden += [number, number[1:].replace(" ", "").replace("-", "")]
        return number

    def name(self) -> str:
        name = self._letters(7).capitalize()
        self.hidden.append(name)
        return name

    def _letters(self, count: int) -> str:
        return "".join(self.random.choices(string.ascii_lowercase, k=count))

    def found_in(self, text: str) -> list[str]:
        return sorted({plant for plant in self.hidden if plant in text})


@pytest.fixture
def plants() -> Plants:
    # pytest-randomly seeds `random` and prints its seed, with which a failure can be had again.
    return Plants(random.randrange(10**6))


@pytest.fixture
def service(environment: dict[str, str], tmp_path: Path) -> Iterator[Any]:
    """Web server and workers with Sentry and PostHog of their own; what they print goes to a file."""
    with servers.sentry() as sentry, servers.posthog() as posthog:
        port = servers.free_port()
        configured = environment | {
            "SENTRY_DSN": sentry.dsn,
            "POSTHOG_API_KEY": "phc_of_the_journey",
            "POSTHOG_HOST": posthog.url,
            "TRAINU_LOG_LEVEL": "DEBUG",
            "TRAINU_LOG_STORE": "true",
            "TRAINU_WORKERS": "4",
            "TRAINU_TIMING_SAMPLE_EVERY": "1",
        }
        output = (tmp_path / "output").open("w")
        processes = [
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=configured | {"TRAINU_PROCESS": kind, "PATH": str(Path(sys.executable).parent)},
                stdout=output,
                stderr=output,
            )
            for kind, command in (
                ("web", web_command(port, workers=1, threads=4)),
                ("worker", workers_command()),
            )
        ]
        yield port, sentry, posthog, tmp_path / "output"
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)
        output.close()
        Task.objects.all().delete()
        OrmQ.objects.all().delete()


def everything_in_the_database() -> str:
    """Return every row of every table as text."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
        )
        tables = [name for (name,) in cursor.fetchall()]
        texts = []
        for table in tables:
            cursor.execute(f'select t::text from "{table}" t')
            texts += [f"{table}: {row}" for (row,) in cursor.fetchall()]
    return "\n".join(texts)


def test_what_was_planted_is_nowhere(service: Any, plants: Plants) -> None:
    port, sentry, posthog, output = service
    key = api_keys.issue("journey", ["events:write"], limit_per_minute=0)[1]
    EventDefinition.objects.create(
        name="note_left", kind=EventDefinition.Kind.CUSTOM, category="custom", schema={"type": "object"}
    )
    custom_events.forget()
    Forwarder.objects.create(position_xid=settle())
    async_task("observability.tasks.forward")

    def post(path: str, body: bytes, **headers: str) -> int:
        request = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            given = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"} | headers
            request.request("POST", path, body, given)
            answer = request.getresponse()
            assert plants.found_in(answer.read().decode() + str(answer.getheaders())) == []
            return answer.status
        except OSError:
            return 0
        finally:
            request.close()

    assert eventually(lambda: post("/api/events", b"[]") == 400, 30)
    for number in range(ROUNDS):
        for path, body, headers in attempts(plants, number):
            assert post(path, body, **headers) in {200, 207, 400, 401, 403, 404, 405, 422}, path
        # The message of what breaks here quotes its argument.
        async_task("observability.tasks.reingest", f"{plants.email()} {plants.phone()} {plants.token()}")
    assert eventually(lambda: Task.objects.filter(success=False).count() >= ROUNDS, 60)
    assert eventually(lambda: len(sentry.events) >= 1, 20)
    assert eventually(lambda: {event["event"] for event in posthog.received} >= KINDS, 30)
    assert Event.objects.count() >= 2 * ROUNDS
    assert QuarantinedEvent.objects.count() >= ROUNDS
    assert eventually(lambda: LogLine.objects.filter(event="request_finished").count() >= ROUNDS, 20)
    time.sleep(1.2)  # The last lines' way into the log store.

    assert plants.found_in(sentry.text) == []
    assert plants.found_in(json.dumps(posthog.received)) == []
    assert plants.found_in(output.read_text()) == []
    assert plants.found_in(everything_in_the_database()) == []
    # Pickled, and so unseen by the search through the tables.
    assert plants.found_in(str(list(Task.objects.values_list("result", flat=True)))) == []
    assert len(plants.hidden) > 100


def attempts(plants: Plants, number: int) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Yield requests: accepted, refused, unreadable, unknown, each with plants wherever they fit."""
    accepted = {
        "event": "user_logged_in",
        "distinct_id": f"{plants.phone()}",
        "properties": {"user_id": plants.token(), "role": "client"},
    }
    note = {
        "event": "note_left",
        "distinct_id": f"client:c-{number}",
        "properties": {
            "text": f"write to {plants.email()} or call {plants.phone()}, with {plants.token()}",
            "contact": {"first_name": plants.name(), "phone": plants.phone()},
            "lines": [plants.email(), {"password": plants.token()}],
        },
    }
    refused = {
        "event": "user_logged_in",
        "distinct_id": plants.email(),
        "properties": {"email": plants.email(), "firstName": plants.name()},
    }
    unknown = {"event": plants.email(), "distinct_id": "c-1", "properties": {plants.email(): plants.phone()}}
    batch = {"batch": [accepted, note, refused, unknown]}
    yield "/api/events", json.dumps(batch).encode(), {"Cookie": f"sessionid={plants.token()}"}
    yield f"/api/events?q={plants.email()}", f'{{"event": "{plants.email()}'.encode(), {}
    yield f"/nowhere/{plants.email()}", b"", {"X-Correlation-ID": plants.email()}
    yield "/api/events", json.dumps(accepted).encode(), {"Authorization": f"Bearer {plants.token()}"}
    yield (
        f"/admin/login/?next={plants.email()}",
        f"username={plants.email()}".encode(),
        {
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": f"curl for {plants.email()}",
        },
    )
