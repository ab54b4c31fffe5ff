"""The door for GoHighLevel: what is signed is stored once and answered with 200, and nothing is a 5xx."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import orjson
import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django.live_server_helper import LiveServer

from sync import signals
from sync.models import Location, Webhook
from sync.signals import Trouble, WebhookStored
from sync.webhooks import envelope, intake
from sync.webhooks.signature import HEADER
from tests.sync.webhooks import LOCATION, NOW, SIGNER, appointment, contact, number, signed
from trainu.demo.ghl import Simulator
from trainu.demo.ghl.signing import Signer
from trainu.problem import Problem

ADDRESS = "/api/webhooks/ghl"


@pytest.fixture(autouse=True)
def _key(settings: Any) -> None:
    settings.GHL_WEBHOOK_KEYS = [SIGNER.public_pem]
    settings.GHL_WEBHOOK_LEGACY_RSA = settings.GHL_APP_ID = ""


@pytest.fixture
def location(db: None) -> Location:
    return Location.objects.create(pk=LOCATION, name="Studio", created_at=NOW)


@pytest.fixture
def told() -> Iterator[list[WebhookStored]]:
    """What signals.webhooks_stored has said."""
    heard: list[WebhookStored] = []

    def hear(webhooks: list[WebhookStored], **_signal: Any) -> None:
        heard.extend(webhooks)

    signals.webhooks_stored.connect(hear)
    yield heard
    signals.webhooks_stored.disconnect(hear)


def fresh(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document as sent now: the door knows the real time only."""
    return document | {"timestamp": timezone.now().isoformat()}


def post(client: Client, document: Any, headers: dict[str, str] | None = None) -> Any:
    raw, proof = signed(document)
    return client.post(
        ADDRESS, raw, content_type="application/json", headers=proof if headers is None else headers
    )


def accept(document: Any, *, now: datetime = NOW) -> intake.Answer:
    raw, headers = signed(document)
    return intake.accept(raw, headers, now=now)


# --- what is stored ----------------------------------------------------------------------------


def test_a_signed_webhook_is_stored_as_it_came_and_told_once(
    client: Client, location: Location, told: list[WebhookStored]
) -> None:
    raw, headers = signed(fresh(contact()))
    answer = client.post(
        ADDRESS,
        raw,
        content_type="application/json",
        headers=headers | {"X-Correlation-ID": "journey-1234"},
    )
    assert (answer.status_code, answer.json()) == (200, {"stored": True})
    stored = Webhook.objects.get()
    assert bytes(stored.body) == raw
    assert (stored.state, stored.kind, stored.topic) == ("waiting", "marketplace", "contact_create")
    assert (stored.location_id, stored.contact_id) == (LOCATION, "nmFmQEsNgz6AVpgLVUJ0")
    assert (stored.dedupe_key, stored.correlation_id) == (number(1), "journey-1234")
    [said] = told
    assert (said.webhook_id, said.location_id, said.topic) == (number(1), LOCATION, "contact_create")
    assert (said.contact_id, said.correlation_id) == ("nmFmQEsNgz6AVpgLVUJ0", "journey-1234")
    assert (said.received_at, said.duration_ms > 0) == (stored.received_at, True)


def test_the_same_webhook_again_is_a_duplicate(
    client: Client, location: Location, told: list[WebhookStored]
) -> None:
    document = fresh(appointment())
    answers = [post(client, document) for _ in range(3)]
    # Whether a resend has a newer timestamp is not documented: the id decides.
    answers.append(post(client, fresh(document)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert [answer.json()["stored"] for answer in answers] == [True, False, False, False]
    assert answers[1].json()["reason"] == "duplicate"
    assert (Webhook.objects.count(), len(told)) == (1, 1)


def test_without_an_id_the_bytes_tell_a_resend(location: Location) -> None:
    document = contact()
    del document["webhookId"]
    assert [accept(document).stored for _ in range(2)] == [True, False]
    assert accept(document | {"firstName": "Ada"}).stored
    # Nor is an id believed that could not be one.
    assert [accept(contact(webhook_id="x" * 500)).stored for _ in range(2)] == [True, False]


def test_it_is_told_in_the_transaction_that_stores_it(client: Client, location: Location) -> None:
    def break_down(**_signal: Any) -> None:
        raise RuntimeError("the observer is broken")

    signals.webhooks_stored.connect(break_down)
    try:
        answer = post(client, fresh(contact()))
    finally:
        signals.webhooks_stored.disconnect(break_down)
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")
    assert Webhook.objects.count() == 0
    assert post(client, fresh(contact())).json() == {"stored": True}


@pytest.mark.parametrize(
    ("kind", "topic"),
    [
        ("AppointmentCreate", "appointment_create"),
        ("INSTALL", "install"),
        ("PLAN_CHANGE", "plan_change"),
        ("LCEmailStats", "lc_email_stats"),
        ("ContactDndUpdate", "contact_dnd_update"),
        ("Contact Create", "unknown"),
        ("x" * 49, "unknown"),
        (None, "unknown"),
        (["INSTALL"], "unknown"),
    ],
)
def test_a_type_becomes_a_topic_in_snake_case(kind: Any, topic: str) -> None:
    assert envelope.topic_of(kind) == topic


def test_an_install_of_an_agency_names_no_location_and_is_stored_all_the_same(
    db: None, told: list[WebhookStored]
) -> None:
    assert accept({"type": "INSTALL", "appId": "a-1", "companyId": "c-1", "webhookId": number(5)}).stored
    stored = Webhook.objects.get()
    assert (stored.topic, stored.location_id, told) == ("install", None, [])


def test_an_update_of_a_location_names_it_by_its_id(location: Location) -> None:
    assert accept({"type": "LocationUpdate", "id": LOCATION, "webhookId": number(6)}).stored
    assert Webhook.objects.get().location_id == LOCATION


# --- what is refused ---------------------------------------------------------------------------


def test_without_a_valid_signature_nothing_is_stored(
    client: Client, location: Location, troubles: list[Trouble]
) -> None:
    document = fresh(contact())
    raw, _ = signed(document)
    for headers in ({}, {HEADER: "N/A"}, {"X-WH-Signature": "AAAA"}):
        answer = post(client, document, headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "signature_missing")
    # Anybody may knock. Only a signature that is wrong may mean that the key has changed.
    assert troubles == []
    for signature in (Signer("another").sign(raw), SIGNER.sign(raw + b" "), "nonsense"):
        answer = post(client, document, {HEADER: signature})
        assert (answer.status_code, answer.json()["code"]) == (401, "signature_wrong")
    assert Webhook.objects.count() == 0
    assert [trouble.code for trouble in troubles] == ["bad_signature"], "told once, however many came"


@pytest.mark.parametrize("raw", [b"", b"[]", b"nonsense", b'"text"', b"\xff\xfe", b'{"type":', b"[" * 2_000])
def test_what_is_signed_and_unreadable_is_kept_as_ignored(
    client: Client, db: None, raw: bytes, troubles: list[Trouble]
) -> None:
    """An error would have GoHighLevel send it again, up to twelve times, and count against us."""
    assert [post(client, raw).json() for _ in range(2)] == [
        {"stored": True},
        {"stored": False, "reason": "duplicate"},
    ]
    stored = Webhook.objects.get()
    assert (stored.state, stored.code, bytes(stored.body)) == ("ignored", "bad_payload", raw)
    assert [trouble.code for trouble in troubles] == ["bad_payload"]


def test_unsigned_garbage_is_not_kept(client: Client, db: None) -> None:
    assert post(client, b"nonsense", {}).status_code == 401
    assert Webhook.objects.count() == 0


def test_a_body_of_more_than_a_mebibyte_is_refused(client: Client, location: Location) -> None:
    fits = fresh(contact())
    fits["notes"] = "x" * (1024 * 1024 - len(orjson.dumps(fits)) - len(b',"notes":""'))
    assert len(orjson.dumps(fits)) == 1024 * 1024
    assert post(client, fits).json() == {"stored": True}
    for size in (1024 * 1024 + 1, 7 * 1024 * 1024):
        answer = post(client, b"x" * size)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert Webhook.objects.count() == 1


def test_a_webhook_of_a_location_that_is_not_ours_leaves_nothing_here(
    client: Client, location: Location, told: list[WebhookStored], troubles: list[Trouble]
) -> None:
    for count in range(3):
        answer = post(client, fresh(contact(number(count), locationId="otg8dTQqGLh3Q6iQI55w")))
        assert (answer.status_code, answer.json()) == (200, {"stored": False, "reason": "unknown_location"})
    assert (Webhook.objects.count(), told) == (0, [])
    assert [(one.code, one.location_id) for one in troubles] == [("unknown_location", "otg8dTQqGLh3Q6iQI55w")]


def test_a_webhook_of_another_app_is_not_ours_either(location: Location, settings: Any) -> None:
    settings.GHL_APP_ID = "appOfTheTests"
    assert accept(contact(number(1), appId="appOfOthers")).reason == "other_app"
    assert accept(contact(number(2))).stored
    assert accept(appointment(number(3))).stored, "most webhooks of old name none"


def test_a_stale_webhook_is_stored_and_one_from_the_future_is_not(location: Location) -> None:
    """Retries come late by design; whether they bear a new timestamp is not documented."""
    document = contact()
    sent_at = datetime.fromisoformat(document["timestamp"])
    with pytest.raises(Problem, match="sent_in_the_future") as refused:
        accept(document, now=sent_at - timedelta(minutes=5, seconds=1))
    assert refused.value.status == 400
    assert accept(document, now=sent_at - timedelta(minutes=5)).stored
    assert accept(contact(number(9)), now=sent_at + timedelta(days=3)).stored


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = ["type", "id", "webhookId", "appId", "contactId", "companyId", "timestamp", "appointment"]


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    document=st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=len(FIELDS)),
    kind=st.sampled_from(["ContactCreate", "AppointmentUpdate", "LocationUpdate", "INSTALL", "\x00", ""]),
)
def test_whatever_stands_in_a_signed_object_it_is_answered(
    location: Location, document: dict[str, Any], kind: str
) -> None:
    try:
        raw = orjson.dumps({"type": kind, "locationId": LOCATION} | document)
    except TypeError:
        return
    try:
        accept(raw)
    except Problem as refusal:
        assert refusal.status == 400


# --- when it cannot be stored ------------------------------------------------------------------


def test_a_locked_table_is_429_soon_and_the_resend_is_stored(client: Client, location: Location) -> None:
    document = fresh(contact())
    with psycopg.connect(**connection.get_connection_params() | {"autocommit": False}) as holder:
        holder.execute("lock table sync_webhook in access exclusive mode")
        started = time.monotonic()
        answer = post(client, document)
        waited_s = time.monotonic() - started
        holder.rollback()
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (429, "try_again", "60")
    assert waited_s < 2.5
    assert post(client, document).json() == {"stored": True}


def test_a_database_that_goes_away_is_429_and_the_resend_is_stored(
    transactional_db: None, client: Client, location: Location
) -> None:
    document = fresh(contact())
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        [pid] = cursor.fetchone()
    with psycopg.connect(**connection.get_connection_params() | {"autocommit": True}) as other:
        other.execute("select pg_terminate_backend(%s, 5000)", [pid])
    assert post(client, document).status_code == 429
    assert post(client, document).json() == {"stored": True}
    assert Webhook.objects.count() == 1


# --- GoHighLevel itself, simulated -------------------------------------------------------------


@pytest.fixture
def simulator(live_server: LiveServer, settings: Any, monkeypatch: Any) -> Iterator[Simulator]:
    # Its threads would otherwise keep their connections to the database.
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
    with Simulator(seed=4) as running:
        settings.GHL_WEBHOOK_KEYS = [running.public_key]
        yield running


def test_shuffled_tripled_and_delayed_deliveries_are_stored_once_each(
    live_server: LiveServer, simulator: Simulator, told: list[WebhookStored]
) -> None:
    home, _ = simulator.location(name="Studio")
    Location.objects.create(pk=home.id, name="Studio", created_at=NOW)
    simulator.deliver(url=f"{live_server.url}{ADDRESS}", copies=3, shuffle=True, delay_ms=(1, 60))
    for _ in range(8):
        simulator.staff.new_contact(home.id)
    assert simulator.settle(20)
    sent = list(simulator.webhooks.sent)
    assert {status for webhook in sent for status in webhook.statuses} == {200}
    assert len(sent) == 3 * len({webhook.webhook_id for webhook in sent}) >= 24
    stored = {row.dedupe_key: bytes(row.body) for row in Webhook.objects.all()}
    assert stored == {webhook.webhook_id: webhook.body for webhook in sent}
    assert sorted(one.webhook_id for one in told) == sorted(stored)


def test_the_simulators_wrong_and_missing_signatures_are_refused(
    live_server: LiveServer, simulator: Simulator
) -> None:
    home, _ = simulator.location(name="Studio")
    Location.objects.create(pk=home.id, name="Studio", created_at=NOW)
    for signature in ("wrong", "missing"):
        simulator.deliver(url=f"{live_server.url}{ADDRESS}", signature=signature, retry="never")
        simulator.staff.new_contact(home.id)
    assert simulator.settle(10)
    assert {status for webhook in simulator.webhooks.sent for status in webhook.statuses} == {401}
    assert Webhook.objects.count() == 0


def test_deliveries_that_meet_a_locked_table_come_again_and_none_is_lost(
    live_server: LiveServer, simulator: Simulator
) -> None:
    home, _ = simulator.location(name="Studio")
    Location.objects.create(pk=home.id, name="Studio", created_at=NOW)
    simulator.deliver(url=f"{live_server.url}{ADDRESS}", retry="429", retry_scale=0.001)
    with psycopg.connect(**connection.get_connection_params() | {"autocommit": False}) as holder:
        holder.execute("lock table sync_webhook in access exclusive mode")
        simulator.staff.new_contact(home.id)
        deadline = time.monotonic() + 10
        while not any(webhook.statuses for webhook in simulator.webhooks.sent):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        holder.rollback()
    assert simulator.settle(10)
    [webhook] = [one for one in simulator.webhooks.sent if one.type == "ContactCreate"]
    assert (webhook.statuses[0], webhook.statuses[-1]) == (429, 200)
    assert Webhook.objects.filter(dedupe_key=webhook.webhook_id).count() == 1
