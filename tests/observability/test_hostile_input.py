"""Ten thousand hostile inputs, made from the API's own document and from worse: never a 5xx."""

import json
import math
import random
import struct
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

import pytest
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, Phase, settings

from observability import api_keys
from observability.catalog import CATALOG
from observability.models import ApiKey
from tests import make
from tests.examples import examples
from trainu.api import api

pytestmark = pytest.mark.django_db

# Hypothesis runs many examples in one test's transaction, on purpose.
quick = settings(
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)

BATCHES, BATCH, BODIES, MESSAGES = 300, 10, 1_000, 500
_WORDS = ["\x00", "\ud83d\ude00", "\u202eevil", "a" * 300, "2026-02-30T25:00:00Z", "$set", "-0", "1e999"]
_NAMES = [*CATALOG, "custom_event"]
_ZONES = sorted(available_timezones())


class Hostile:
    """Draws by plain dice what a stranger may send: hypothesis takes longer to draw it than we to refuse it,
    and what is drawn the same every time needs no shrinking."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)

    def text(self, longest: int) -> str:
        last = self.dice.choice([0x7F, 0xFF, 0xD7FF, 0x10FFFF])
        drawn = (self.dice.randint(0, last) for _ in range(self.dice.randint(0, longest)))
        return "".join(chr(0xFFFD if 0xD800 <= one <= 0xDFFF else one) for one in drawn)

    def fraction(self) -> float:
        """Any finite number with a point, as likely a tiny one as a huge one."""
        [drawn] = struct.unpack("d", self.dice.randbytes(8))
        return drawn if math.isfinite(drawn) else self.dice.choice([0.0, -0.0, 5e-324, 1.7e308])

    def nasty(self) -> Any:
        return self.dice.choice(
            [
                lambda: None,
                lambda: self.dice.random() < 0.5,
                lambda: self.dice.randint(-300, 300),
                lambda: self.dice.randint(-(2**70), 2**70),
                self.fraction,
                lambda: self.text(40),
                lambda: self.dice.choice(_WORDS),
            ]
        )()

    def value(self, depth: int = 3) -> Any:
        kind = self.dice.randrange(4) if depth else 0
        if kind < 2:
            return self.nasty()
        inner = [self.value(depth - 1) for _ in range(self.dice.randint(0, 3))]
        return inner if kind == 2 else {self.text(8): one for one in inner}

    def name(self) -> Any:
        return self.dice.choice(_NAMES) if self.dice.random() < 0.5 else self.nasty()

    def time(self) -> Any:
        if self.dice.random() < 0.4:
            return self.nasty()
        drawn = datetime(1, 1, 2, tzinfo=UTC).replace(tzinfo=None) + timedelta(
            seconds=self.dice.randrange(315_000_000_000)
        )
        if self.dice.random() < 0.5:
            return str(drawn)
        return drawn.replace(tzinfo=ZoneInfo(self.dice.choice(_ZONES))).isoformat()

    def item(self) -> Any:
        if self.dice.random() < 0.4:
            return self.value()
        drawn = {"event": self.name(), "distinct_id": self.dice.choice(["client:c-1", self.nasty()])}
        drawn |= {"properties": self.value()}
        if self.dice.random() < 0.5:
            drawn |= {"timestamp": self.time()}
        if self.dice.random() < 0.5:
            drawn |= {"uuid": self.dice.choice([str(UUID(int=self.dice.getrandbits(128))), self.nasty()])}
        return drawn | ({"extra": self.nasty()} if self.dice.random() < 0.5 else {})

    def body(self) -> bytes:
        if self.dice.random() < 0.5:
            return self.dice.randbytes(self.dice.randint(0, 200))
        return json.dumps(self.value()).encode()


def disguised(item: Any, place: int) -> dict[str, Any]:
    """Return an event that is right but for one field, which holds the hostile item."""
    return make.event() | {("event", "distinct_id", "properties", "timestamp", "uuid")[place % 5]: item}


def test_items_of_any_kind_are_accepted_or_refused_one_by_one(client: Client, key: str) -> None:
    drawn_codes = set()
    for seed in range(BATCHES):
        hostile = Hostile(seed)
        drawn = [hostile.item() for _ in range(BATCH)]
        batch = drawn + [disguised(item, place) for place, item in enumerate(drawn)]
        answer = client.post(
            "/api/events",
            json.dumps({"batch": batch}),
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )
        assert answer.status_code in {200, 422}, (batch, answer.content)
        body = answer.json()
        assert body["accepted"] + body["duplicates"] + len(body["rejected"]) == len(batch), batch
        for refusal in body["rejected"]:
            assert set(refusal) == {"index", "uuid", "code", "message"}, batch
            drawn_codes.add(refusal["code"])
    assert len(drawn_codes) > 5, "the dice draw the same trouble again and again"


def test_bodies_of_any_kind_get_an_answer_in_the_shape_of_the_api(client: Client, key: str) -> None:
    for seed in range(BODIES):
        body = Hostile(seed).body()
        for path in ("/api/events", "/batch/", "/capture/"):
            answer = client.post(
                path, body, content_type="application/json", headers={"Authorization": f"Bearer {key}"}
            )
            assert answer.status_code in {200, 400, 401, 413, 422}, (body, answer.content)
            assert isinstance(answer.json(), dict), body


def test_the_posthog_door_survives_anything_below_a_valid_key(client: Client, key: str) -> None:
    for seed in range(MESSAGES):
        hostile = Hostile(seed)
        properties, name = hostile.value(), hostile.name()
        message = {"event": name, "properties": properties, "distinct_id": "client:c-1", "timestamp": name}
        answer = client.post(
            "/batch/",
            json.dumps({"api_key": key, "batch": [message, properties]}),
            content_type="application/json",
        )
        assert answer.status_code == 200, (message, answer.content)


# As a client would read it: JSON, not Python.
schema = schemathesis.openapi.from_dict(json.loads(json.dumps(api.get_openapi_schema(path_prefix="/api/"))))


@pytest.fixture
def wide_key(db: None) -> str:
    """A key that may do everything but read health's details."""
    scopes = set(ApiKey.Scope.values) - {ApiKey.Scope.HEALTH_READ}
    return api_keys.issue("wide", scopes, limit_per_minute=0)[1]


@schema.parametrize()
@settings(quick, max_examples=examples(15))
def test_whatever_the_document_allows_gets_no_server_error(client: Client, wide_key: str, case: Any) -> None:
    body = case.body if isinstance(case.body, bytes) else json.dumps(case.body, default=str)
    answer = client.generic(
        case.method,
        f"{case.formatted_path}?{urlencode(case.query or {}, doseq=True)}",
        body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {wide_key}"},
    )
    # The key may not read health's details; and 503 would be health's honest answer.
    assert answer.status_code < 500 or answer["Content-Type"] == "application/health+json", answer.content


def test_that_were_ten_thousand_inputs() -> None:
    """What the tests above are set to send, so that nobody turns them down unnoticed."""
    assert BATCHES * BATCH * 2 + BODIES * 3 + MESSAGES * 2 >= 10_000
