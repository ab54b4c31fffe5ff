"""What the agent has found out: kept once, told as an event with it, and refused without repeating it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from observability import api_keys
from observability.models import Event
from sync.drafts import insights
from sync.drafts.refusal import Refused
from sync.models import Insight
from tests.sync.drafts.drafted import HERE, NOW, place

pytestmark = pytest.mark.django_db

SAID = "Ada has skipped two sessions."
FOUND = {"trainer_id": "t-1", "client_id": "c-1", "kind": "attendance", "text": SAID}


@pytest.fixture
def key(db: None) -> str:
    return api_keys.issue("agent", ["drafts:write"], limit_per_minute=0)[1]


def post(client: Client, key: str, body: Any) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    bearer = {"Authorization": f"Bearer {key}"}
    return client.post("/api/insights", content, content_type="application/json", headers=bearer)


def test_an_insight_is_kept_and_counted_under_the_requests_correlation_id(client: Client, key: str) -> None:
    place()
    answer = post(client, key, FOUND | {"impact": 80, "contact_id": "contact-1", "location_id": HERE})
    [stored] = Insight.objects.all()
    assert (answer.status_code, answer.json()) == (
        202,
        {"insight_id": str(stored.pk), "duplicate": False},
    )
    assert (stored.text, stored.impact, stored.contact_id, stored.location_id) == (
        SAID,
        80,
        "contact-1",
        HERE,
    )
    event = Event.objects.get()
    assert (event.event, event.distinct_id) == ("insight_created", "client:c-1")
    assert event.correlation_id == stored.correlation_id == answer["X-Correlation-ID"]
    assert event.properties == {
        "insight_id": str(stored.pk),
        "client_id": "c-1",
        "trainer_id": "t-1",
        "kind": "attendance",
    }


def test_a_key_is_one_insight_of_its_trainer_and_is_told_once(client: Client, key: str) -> None:
    first = post(client, key, FOUND | {"idempotency_key": "week-47"}).json()
    again = post(client, key, FOUND | {"idempotency_key": "week-47"})
    assert (again.status_code, again.json()) == (202, first | {"duplicate": True})
    other = post(client, key, FOUND | {"idempotency_key": "week-47", "impact": 51})
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    theirs = post(client, key, FOUND | {"idempotency_key": "week-47", "trainer_id": "t-2"})
    assert theirs.json()["duplicate"] is False
    assert Insight.objects.count() == Event.objects.count() == 2
    # Without a key, each is one of its own.
    post(client, key, FOUND)
    post(client, key, FOUND)
    assert Insight.objects.count() == Event.objects.count() == 4


@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        ({"location_id": "loc-9"}, "unknown_location"),
        ({"kind": "Not a word"}, "invalid_request"),
        ({"kind": "x" * 41}, "invalid_request"),
        ({"text": "x" * 501}, "invalid_request"),
        ({"text": "a\x00b"}, "invalid_request"),
        ({"impact": 101}, "invalid_request"),
        ({"impact": "80"}, "invalid_request"),
        ({"client_id": "Ada Lovelace"}, "invalid_request"),
        ({"surprise": SAID}, "invalid_request"),
    ],
)
def test_what_does_not_fit_is_refused_and_not_repeated(
    client: Client, key: str, overrides: dict[str, Any], code: str
) -> None:
    answer = post(client, key, FOUND | overrides)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert "Ada" not in answer.content.decode()
    assert not Insight.objects.exists()


def test_a_body_that_cannot_be_read_says_why(client: Client, key: str) -> None:
    assert post(client, key, b"{").status_code == 400
    assert post(client, key, b" " * 17_000).status_code == 413
    _, other = api_keys.issue("reader", ["drafts:read"])
    assert post(client, other, FOUND).status_code == 403


def test_what_is_rolled_back_was_neither_kept_nor_told() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        insights.add(trainer_id="t-1", client_id="c-1", kind="risk", now=NOW)
        _ = 1 / 0
    assert not Insight.objects.exists()
    assert not Event.objects.exists()
    with pytest.raises(Refused, match="no such location"):
        insights.add(trainer_id="t-1", client_id="c-1", kind="risk", location_id="x", now=NOW)
    taken = insights.add(trainer_id="t-1", client_id="c-1", kind="risk", now=NOW - timedelta(days=1))
    assert Event.objects.get().timestamp == Insight.objects.get(pk=taken.insight_id).created_at
