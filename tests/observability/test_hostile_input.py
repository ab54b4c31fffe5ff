"""Ten thousand hostile inputs, made from the API's own document and from worse: never a 5xx."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

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

nasty = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=40),
    st.sampled_from(
        ["\x00", "\ud83d\ude00", "‮evil", "a" * 300, "2026-02-30T25:00:00Z", "$set", "-0", "1e999"]
    ),
)
values = st.recursive(
    nasty,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from([*CATALOG, "custom_event"]) | nasty
times = st.datetimes().map(str) | st.datetimes(timezones=st.timezones()).map(lambda t: t.isoformat()) | nasty
items = (
    st.fixed_dictionaries(
        {"event": names, "distinct_id": st.just("client:c-1") | nasty, "properties": values},
        optional={"timestamp": times, "uuid": st.uuids().map(str) | nasty, "extra": nasty},
    )
    | values
)


def disguised(item: Any, place: int) -> dict[str, Any]:
    """Return an event that is right but for one field, which holds the hostile item."""
    return make.event() | {("event", "distinct_id", "properties", "timestamp", "uuid")[place % 5]: item}


@given(drawn=st.lists(items, min_size=10, max_size=14))
@settings(quick, max_examples=300)
def test_items_of_any_kind_are_accepted_or_refused_one_by_one(client: Client, key: str, drawn: Any) -> None:
    batch = drawn + [disguised(item, place) for place, item in enumerate(drawn)]
    answer = client.post(
        "/api/events",
        json.dumps({"batch": batch}),
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )
    assert answer.status_code in {200, 422}, answer.content
    body = answer.json()
    assert body["accepted"] + body["duplicates"] + len(body["rejected"]) == len(batch)
    for refusal in body["rejected"]:
        assert set(refusal) == {"index", "uuid", "code", "message"}


@given(body=st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()))
@settings(quick, max_examples=1_000)
def test_bodies_of_any_kind_get_an_answer_in_the_shape_of_the_api(
    client: Client, key: str, body: bytes
) -> None:
    for path in ("/api/events", "/batch/", "/capture/"):
        answer = client.post(
            path, body, content_type="application/json", headers={"Authorization": f"Bearer {key}"}
        )
        assert answer.status_code in {200, 400, 401, 413, 422}, answer.content
        assert isinstance(answer.json(), dict)


@given(properties=values, name=names)
@settings(quick, max_examples=500)
def test_the_posthog_door_survives_anything_below_a_valid_key(
    client: Client, key: str, properties: Any, name: Any
) -> None:
    message = {"event": name, "properties": properties, "distinct_id": "client:c-1", "timestamp": name}
    answer = client.post(
        "/batch/",
        json.dumps({"api_key": key, "batch": [message, properties]}),
        content_type="application/json",
    )
    assert answer.status_code == 200, answer.content


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
    smallest_batch, batches, bodies, doors = 10 * 2, 300, 1_000 * 3, 500 * 2
    assert smallest_batch * batches + bodies + doors >= 10_000
    source = Path(__file__).read_text(encoding="utf-8")
    for setting in ("min_size=10", "max_examples=300", "max_examples=1_000", "max_examples=500"):
        assert source.count(setting) == 2
