"""POST /api/events: what is accepted, what is refused with which words, and that nothing is stored twice."""

import gzip
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from observability import api_keys, custom_events, intake
from observability.models import Event, EventDefinition, QuarantinedEvent, QuarantineGroup
from observability.redaction import redact
from tests import make

pytestmark = pytest.mark.django_db


def post(client: Client, body: Any, key: str, **headers: str) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(
        "/api/events",
        data,
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}", **headers},
    )


def test_an_event_is_stored_with_everything_that_was_sent(client: Client, key: str) -> None:
    sent = make.event(timestamp="2026-11-23T10:00:00+02:00")
    sent["timestamp"] = (timezone.now() - timedelta(days=2)).isoformat()
    answer = post(client, sent, key)
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "duplicates": 0, "rejected": []})
    stored = Event.objects.get()
    assert str(stored.uuid) == sent["uuid"]
    assert stored.timestamp.isoformat() == sent["timestamp"]
    assert stored.properties == {"user_id": "c-1", "role": "client", "method": "password"}
    assert stored.source == "api"
    assert stored.correlation_id == answer["X-Correlation-ID"]


def test_a_batch_of_a_thousand_is_stored_and_one_more_is_refused_whole(client: Client, key: str) -> None:
    batch = make.events(1_000)
    assert post(client, {"batch": batch}, key).json()["accepted"] == 1_000
    answer = post(client, {"batch": [*batch, make.event()]}, key)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_events")
    assert Event.objects.count() == 1_000


def test_the_same_uuid_again_is_a_duplicate(client: Client, key: str) -> None:
    sent = make.event(timestamp=timezone.now().isoformat())
    post(client, sent, key)
    assert post(client, sent, key).json() == {"accepted": 0, "duplicates": 1, "rejected": []}
    assert Event.objects.count() == 1


@pytest.mark.parametrize("apart", [timedelta(0), timedelta(seconds=1), timedelta(days=3)])
def test_the_same_uuid_with_another_time_is_a_duplicate_too(
    client: Client, key: str, apart: timedelta
) -> None:
    sent = make.event()
    post(client, sent | {"timestamp": (timezone.now() - apart).isoformat()}, key)
    assert post(client, sent, key).json()["duplicates"] == 1
    assert Event.objects.count() == 1


def test_a_uuid_twice_in_one_batch_is_stored_once(client: Client, key: str) -> None:
    sent = make.event()
    answer = post(client, {"batch": [sent, sent | {"distinct_id": "client:c-2"}]}, key).json()
    assert (answer["accepted"], answer["duplicates"]) == (1, 1)
    assert Event.objects.get().distinct_id == "client:c-1"


@pytest.mark.parametrize(
    ("wrong", "code", "words"),
    [
        ({"event": "user_loged_in"}, "unknown_event", "Did you mean user_logged_in?"),
        ({"event": 7}, "unknown_event", "no event (not a plain name)"),
        ({"event": ["user_logged_in"]}, "unknown_event", "no event (not a plain name)"),
        ({"properties": {"user_id": "c-1", "role": "client", "methd": "x"}}, "unknown_property", "method?"),
        ({"properties": {"role": "client"}}, "missing_property", "needs the property user_id"),
        ({"properties": {"user_id": 5, "role": "client"}}, "invalid_property", "user_id must be text"),
        ({"properties": {"user_id": "c-1", "role": "boss"}}, "invalid_property", "role must be one of"),
        ({"properties": []}, "invalid_event", "properties must be an object"),
        ({"distinct_id": ""}, "invalid_distinct_id", "1 to 200 characters"),
        ({"distinct_id": "someone@example.org"}, "invalid_distinct_id", "never an e-mail address"),
        ({"uuid": "not-one"}, "invalid_uuid", "must be a UUID"),
        ({"uuid": "00000000-0000-0000-0000-000000000000"}, "invalid_uuid", "all zeros"),
        ({"timestamp": "yesterday"}, "invalid_timestamp", "with an offset"),
        ({"timestamp": "2026-11-23T10:00:00"}, "invalid_timestamp", "with an offset"),
        ({"timestmap": "2026-11-23T10:00:00Z"}, "invalid_event", "no field timestmap"),
    ],
)
def test_a_wrong_item_is_refused_with_its_reason_and_kept(
    client: Client, key: str, wrong: dict[str, Any], code: str, words: str
) -> None:
    answer = post(client, {"batch": [make.event(), make.event() | wrong]}, key)
    assert answer.status_code == 200
    body = answer.json()
    assert body["accepted"] == 1
    [refused] = body["rejected"]
    assert (refused["index"], refused["code"]) == (1, code)
    assert words in refused["message"]
    assert json.loads(QuarantinedEvent.objects.get().payload).items() >= redact(wrong).items()


def test_a_message_never_repeats_the_value_that_was_sent(client: Client, key: str) -> None:
    secret = "someone@example.org"
    wrong = [
        make.event(event=secret),
        make.event(distinct_id=secret),
        make.event(properties={"user_id": secret, "role": secret}),
        make.event(properties={"user_id": "c-1", "role": "client", secret: 1}),
        make.event(uuid=secret),
        make.event(timestamp=secret),
    ]
    answer = post(client, {"batch": wrong}, key)
    assert len(answer.json()["rejected"]) == len(wrong)
    assert secret not in answer.content.decode()
    assert not QuarantineGroup.objects.filter(message__contains=secret).exists()
    assert not QuarantineGroup.objects.filter(event__contains=secret).exists()


def test_everything_refused_is_422_with_the_same_body(client: Client, key: str) -> None:
    answer = post(client, {"batch": [make.event(event="nope"), make.event(event="nope")]}, key)
    assert answer.status_code == 422
    assert set(answer.json()) == {"accepted", "duplicates", "rejected"}
    assert len(answer.json()["rejected"]) == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed_json"),
        (b"{", "malformed_json"),
        (b'{"event": NaN}', "malformed_json"),
        (b'"\xff"', "malformed_json"),
        (b"[]", "malformed_body"),
        (b'{"batch": {}}', "malformed_body"),
        (b'{"batch": [], "key": 1}', "malformed_body"),
    ],
)
def test_what_is_no_batch_is_400_and_says_why(client: Client, key: str, body: bytes, code: str) -> None:
    answer = post(client, body, key)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["correlation_id"] == answer["X-Correlation-ID"]


def test_gzip_is_understood_and_a_bomb_is_stopped(client: Client, key: str) -> None:
    body = gzip.compress(json.dumps(make.event()).encode())
    assert post(client, body, key, **{"Content-Encoding": "gzip"}).status_code == 200
    bomb = gzip.compress(b" " * (intake.MAX_BYTES + 1))
    assert post(client, bomb, key, **{"Content-Encoding": "gzip"}).status_code == 413
    assert post(client, b"no gzip", key, **{"Content-Encoding": "gzip"}).json()["code"] == "malformed_gzip"
    assert post(client, body[:-9], key, **{"Content-Encoding": "gzip"}).json()["code"] == "malformed_gzip"
    assert post(client, body, key, **{"Content-Encoding": "br"}).status_code == 415


def test_a_body_over_five_mebibytes_is_413(client: Client, key: str) -> None:
    answer = post(client, b" " * (5 * 2**20 + 1), key)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert post(client, b" " * (7 * 2**20), key).status_code == 413


def test_times_are_bounded_unless_the_key_may_backfill(client: Client, key: str) -> None:
    _, backfill = api_keys.issue("backfill", ["events:write", "events:backfill"])

    def code(age: timedelta, with_key: str) -> str:
        sent = make.event(timestamp=(timezone.now() - age).isoformat())
        rejected = post(client, sent, with_key).json()["rejected"]
        return rejected[0]["code"] if rejected else "accepted"

    minute, hour, day = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
    assert code(-hour + minute, key) == "accepted"
    assert code(-hour - minute, key) == "timestamp_in_future"
    assert code(30 * day - minute, key) == "accepted"
    assert code(30 * day + minute, key) == "timestamp_too_old"
    assert code(30 * day + minute, backfill) == "accepted"
    assert code(729 * day, backfill) == "accepted"
    assert code(731 * day, backfill) == "timestamp_too_old"


@given(hours=st.integers(-23, 23), minutes=st.integers(0, 59), age_s=st.integers(0, 29 * 86_400))
@settings(max_examples=200)
def test_every_offset_means_the_same_moment(hours: int, minutes: int, age_s: int) -> None:
    now = timezone.now()
    moment = (now - timedelta(seconds=age_s)).replace(microsecond=0)
    offset = timedelta(hours=hours, minutes=minutes if hours >= 0 else -minutes)
    local = (moment + offset).replace(tzinfo=None)
    sign = "-" if offset < timedelta(0) else "+"
    total = abs(int(offset.total_seconds())) // 60
    written = f"{local.isoformat()}{sign}{total // 60:02}:{total % 60:02}"
    body = json.dumps(make.event(timestamp=written)).encode()
    batch = intake.read(body, now=now, backfill=False)
    assert [occurrence.timestamp for occurrence in batch.occurrences] == [moment]


def test_both_ways_of_reading_agree(client: Client, db: None) -> None:
    """The quick way for a sound body and the item-by-item way must take the same for right."""
    now = timezone.now()
    items = [make.event(timestamp=now.isoformat()) for _ in range(3)]
    quick = intake.read(json.dumps({"batch": items}).encode(), now=now, backfill=False)
    slow = intake.read_items(items, now=now, backfill=False)
    assert quick.occurrences == slow.occurrences


def test_a_custom_event_is_accepted_by_its_schema(client: Client, key: str) -> None:
    EventDefinition.objects.create(
        name="referral_shared",
        schema={
            "type": "object",
            "properties": {"channel": {"type": "string"}, "count": {"type": "integer", "minimum": 1}},
            "required": ["channel"],
            "additionalProperties": False,
        },
    )
    custom_events.forget()

    def send(properties: dict[str, Any]) -> Any:
        return post(client, make.event(event="referral_shared", properties=properties), key).json()

    assert send({"channel": "whatsapp", "count": 2**70})["accepted"] == 1
    assert Event.objects.get().properties == {"channel": "whatsapp", "count": 2**70}
    codes = {
        "missing_property": {},
        "unknown_property": {"channel": "x", "chanel": "y"},
        "invalid_property": {"channel": "x", "count": 0},
    }
    for code, properties in codes.items():
        assert send(properties)["rejected"][0]["code"] == code
    for hostile in ("a\x00b", {"a": "\x00"}, {"\x00": 1}, ["\x00"], _nested(40)):
        assert send({"channel": hostile})["rejected"][0]["code"] == "invalid_property"
    assert Event.objects.count() == 1


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_missing_partitions_never_lose_an_event(client: Client, db: None) -> None:
    _, key = api_keys.issue("backfill", ["events:write", "events:backfill"])
    days = [timezone.now() - timedelta(days=back) for back in (1, 100, 400, 700)]
    batch = [make.event(timestamp=day.isoformat()) for day in days]
    assert post(client, {"batch": batch}, key).json()["accepted"] == 4
    assert Event.objects.count() == 4


def test_a_uuid_is_made_where_the_client_gave_none(client: Client, key: str) -> None:
    sent = make.event()
    del sent["uuid"]
    assert post(client, sent, key).json()["accepted"] == 1
    assert post(client, sent, key).json()["accepted"] == 1
    assert Event.objects.values("uuid").distinct().count() == 2


def test_a_resent_wrong_event_is_counted_once(client: Client, key: str) -> None:
    wrong = make.event(event="nope", uuid=str(uuid4()))
    for _ in range(3):
        post(client, wrong, key)
    assert QuarantineGroup.objects.get().refused == 1
    assert QuarantinedEvent.objects.count() == 1
