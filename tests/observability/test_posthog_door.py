"""TrainU's servers point the official PostHog SDK here and change nothing else: it is the client here too."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from django.db import connection
from django.utils import timezone
from posthog import Posthog
from posthog.request import APIError, batch_post
from pytest_django.live_server_helper import LiveServer
from uuid_utils.compat import uuid7

from observability import api_keys
from observability.models import Event, QuarantinedEvent, QuarantineGroup

LOGIN = {"user_id": "c-1", "role": "client", "method": "google"}


@pytest.fixture
def key(transactional_db: None) -> str:
    return api_keys.issue("booking-app", ["events:write"], limit_per_minute=0)[1]


class Sdk:
    """Makes clients of the SDK, and remembers what they could not deliver."""

    def __init__(self, key: str, host: str) -> None:
        self.key = key
        self.host = host
        self.clients: list[Posthog] = []
        self.errors: list[Exception] = []

    def __call__(self, key: str | None = None, **options: Any) -> Posthog:
        client = Posthog(
            key or self.key,
            host=self.host,
            on_error=lambda error, batch: self.errors.append(error),
            **{"max_retries": 0} | options,
        )
        self.clients.append(client)
        return client


@pytest.fixture
def sdk(live_server: LiveServer, key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sdk]:
    # The SDK keeps its connections, and with them would the server's threads keep theirs to the database.
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
    made = Sdk(key, live_server.url)
    yield made
    for client in made.clients:
        client.shutdown()


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("sync", [False, True], ids=["threads", "sync"])
def test_what_the_sdk_captures_is_stored_as_it_was_given(sdk: Sdk, gzip: bool, sync: bool) -> None:
    client = sdk(gzip=gzip, sync_mode=sync)
    when = datetime.now(UTC) - timedelta(days=2)
    uuid = str(uuid7())
    returned = client.capture(
        "user_logged_in", distinct_id="client:c-1", properties=LOGIN, timestamp=when, uuid=uuid
    )
    client.flush()
    assert (returned, sdk.errors) == (uuid, [])
    stored = Event.objects.get()
    assert (str(stored.uuid), stored.timestamp, stored.distinct_id) == (uuid, when, "client:c-1")
    assert (stored.event, stored.source) == ("user_logged_in", "posthog")
    # Nothing of the SDK's own context ($lib, $os, …) is kept: it describes the machine that sends.
    assert stored.properties == LOGIN


def test_the_sdk_gives_a_uuid_and_a_time_where_the_app_gave_none(sdk: Sdk) -> None:
    client = sdk()
    returned = client.capture("user_logged_in", distinct_id="client:c-1", properties=LOGIN)
    client.shutdown()
    stored = Event.objects.get()
    assert str(stored.uuid) == returned
    assert abs(timezone.now() - stored.timestamp) < timedelta(minutes=1)


def test_a_day_of_events_arrives_in_batches(sdk: Sdk) -> None:
    client = sdk(gzip=True, flush_at=100)
    given = {
        client.capture("user_logged_in", distinct_id=f"client:c-{number}", properties=LOGIN)
        for number in range(350)
    }
    client.flush()
    assert sdk.errors == []
    assert {str(uuid) for uuid in Event.objects.values_list("uuid", flat=True)} == given


def test_the_same_event_again_is_stored_once(sdk: Sdk) -> None:
    uuid, when = str(uuid7()), timezone.now()
    for client in (sdk(sync_mode=True), sdk(sync_mode=True), sdk(gzip=True)):
        client.capture(
            "user_logged_in", distinct_id="client:c-1", properties=LOGIN, timestamp=when, uuid=uuid
        )
        client.flush()
    assert sdk.errors == []
    assert str(Event.objects.get().uuid) == uuid


def test_an_unknown_event_is_kept_in_quarantine_and_the_sdk_is_content(sdk: Sdk) -> None:
    """An error would make the SDK drop the whole batch, or send it again for ever."""
    client = sdk()
    client.capture("user_loged_in", distinct_id="client:c-1", properties=LOGIN)
    client.flush()
    assert sdk.errors == []
    client.capture("user_logged_in", distinct_id="client:c-1", properties=LOGIN)
    client.capture("user_logged_in", distinct_id="client:c-1", properties=LOGIN | {"shoe_size": 43})
    client.flush()
    assert sdk.errors == []
    assert Event.objects.count() == 1
    groups = QuarantineGroup.objects.values_list("event", "code", "property", "suggestion")
    assert set(groups) == {
        ("user_loged_in", "unknown_event", "", "user_logged_in"),
        ("user_logged_in", "unknown_property", "shoe_size", ""),
    }
    assert set(QuarantinedEvent.objects.values_list("source", flat=True)) == {"posthog"}


@pytest.mark.parametrize(
    "say",
    [
        lambda client: client.set(distinct_id="client:c-1", properties={"email": "someone@example.org"}),
        lambda client: client.set_once(distinct_id="client:c-1", properties={"email": "someone@example.org"}),
        lambda client: client.group_identify("gym", "gym-1", {"name": "someone@example.org"}),
        lambda client: client.alias("client:c-1", "client:c-2"),
    ],
    ids=["set", "set_once", "group_identify", "alias"],
)
def test_what_the_sdk_says_of_persons_breaks_nothing_and_is_not_kept(
    sdk: Sdk, say: Callable[[Posthog], object]
) -> None:
    client = sdk()
    say(client)
    client.capture("user_logged_in", distinct_id="client:c-1", properties=LOGIN)
    client.flush()
    assert sdk.errors == []
    assert Event.objects.get().event == "user_logged_in"
    kept = QuarantinedEvent.objects.get()
    assert kept.group.event.startswith("$")
    assert "someone@example.org" not in kept.payload


def test_groups_and_contexts_of_the_sdk_do_not_turn_an_event_away(sdk: Sdk) -> None:
    client = sdk(super_properties={"$app_version": "7"})
    with client.new_context():
        client.capture("user_logged_in", distinct_id="client:c-1", properties=LOGIN, groups={"gym": "gym-1"})
    client.flush()
    assert Event.objects.get().properties == LOGIN


@pytest.mark.parametrize("sync", [False, True], ids=["threads", "sync"])
def test_a_wrong_key_is_401_for_the_sdk(sdk: Sdk, sync: bool) -> None:
    client = sdk("phc_someone_elses", sync_mode=sync)
    client.capture("user_logged_in", distinct_id="client:c-1", properties=LOGIN)
    client.flush()
    assert not Event.objects.exists()
    if not sync:
        [error] = sdk.errors
        assert isinstance(error, APIError)
        assert error.status == 401
    with pytest.raises(APIError) as refused:
        batch_post("phc_someone_elses", sdk.host, batch=[])
    assert refused.value.status == 401


def test_a_key_for_something_else_is_403(sdk: Sdk) -> None:
    _, other = api_keys.issue("monitor", ["health:read"])
    with pytest.raises(APIError) as refused:
        batch_post(other, sdk.host, batch=[])
    assert refused.value.status == 403


def test_a_limited_sdk_is_told_how_long_to_wait(sdk: Sdk) -> None:
    _, slow = api_keys.issue("slow", ["events:write"], limit_per_minute=1)
    event = {"event": "user_logged_in", "distinct_id": "client:c-1", "properties": LOGIN}
    batch_post(slow, sdk.host, batch=[event | {"uuid": str(uuid7())}])
    with pytest.raises(APIError) as refused:
        batch_post(slow, sdk.host, batch=[event | {"uuid": str(uuid7())}])
    assert refused.value.status == 429
    assert 1 <= refused.value.retry_after <= 60


def test_a_single_event_goes_to_capture(sdk: Sdk) -> None:
    """The shape of PostHog's own documentation: distinct_id may stand among the properties."""
    body = {
        "api_key": sdk.key,
        "event": "user_logged_in",
        "properties": LOGIN | {"distinct_id": "client:c-1"},
    }
    answer = requests.post(f"{sdk.host}/capture/", json=body, timeout=10)
    assert (answer.status_code, answer.json()["status"]) == (200, "Ok")
    stored = Event.objects.get()
    assert (stored.distinct_id, stored.properties) == ("client:c-1", LOGIN)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"no json", 400, "malformed_json"),
        (b"[]", 400, "malformed_body"),
        (b'{"batch": []}', 401, "invalid_api_key"),
        (b'{"api_key": 7, "batch": []}', 401, "invalid_api_key"),
        (b'{"api_key": "KEY", "batch": {}}', 400, "malformed_body"),
    ],
)
def test_what_is_no_batch_is_refused_in_the_one_shape_of_errors(
    sdk: Sdk, body: bytes, status: int, code: str
) -> None:
    answer = requests.post(f"{sdk.host}/batch/", body.replace(b"KEY", sdk.key.encode()), timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["correlation_id"] == answer.headers["X-Correlation-ID"]
    assert requests.get(f"{sdk.host}/batch/", timeout=10).status_code == 405
