"""Definitions and API keys in the admin: what staff may change, and that a key is shown once."""

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from observability import custom_events
from observability.admin.schema_words import Property, properties
from observability.catalog import CATALOG
from observability.models import ApiKey, Event, EventDefinition
from observability.openapi import property_schema
from tests import make
from tests.observability.conftest import Staff
from tests.observability.test_ingestion import post

pytestmark = pytest.mark.django_db

DEFINITIONS = "/admin/observability/eventdefinition/"
KEYS = "/admin/observability/apikey/"
SCHEMA = {"type": "object", "properties": {"channel": {"type": "string"}}}


def definition(**overrides: Any) -> dict[str, Any]:
    return {"name": "referral_shared", "schema": json.dumps(SCHEMA), "forwarded": "on"} | overrides


def new_key(**overrides: Any) -> dict[str, Any]:
    sent = {"name": "booking-app", "scopes": ["events:write"], "limit_per_minute": 600}
    return sent | {"expires_at_0": "", "expires_at_1": ""} | overrides


def test_of_a_catalog_event_only_owner_and_forwarding_can_be_changed(boss: Client) -> None:
    before = EventDefinition.objects.get(name="sync_ok")
    hostile = definition(name="renamed", kind="custom", category="x", description="x", volume=7, owner="Sync")
    del hostile["forwarded"]
    assert boss.post(f"{DEFINITIONS}sync_ok/change/", hostile).status_code == 302
    after = EventDefinition.objects.get(name="sync_ok")
    assert (after.owner, after.forwarded) == ("Sync", False)
    for field in ("kind", "category", "description", "schema", "volume"):
        assert getattr(after, field) == getattr(before, field), field
    assert EventDefinition.objects.count() == len(CATALOG)


def test_a_custom_event_that_is_saved_is_accepted_from_then_on(boss: Client, key: str) -> None:
    sent = make.event(event="referral_shared", properties={"channel": "whatsapp"})
    assert post(boss, sent, key).json()["accepted"] == 0
    assert boss.post(f"{DEFINITIONS}add/", definition()).status_code == 302
    assert post(boss, sent | {"uuid": make.event()["uuid"]}, key).json()["accepted"] == 1
    changed = definition(schema=json.dumps({"type": "object", "maxProperties": 0}), name="other")
    assert boss.post(f"{DEFINITIONS}referral_shared/change/", changed).status_code == 302
    assert EventDefinition.objects.get(kind="custom").name == "referral_shared"
    assert post(boss, sent | {"uuid": make.event()["uuid"]}, key).json()["accepted"] == 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"schema": "{"}, "Enter a valid JSON."),
        ({"schema": "[1]"}, "The schema must be a JSON object."),
        ({"schema": '{"type": "string"}'}, "properties are an object"),
        ({"schema": '{"type": "object", "properties": {"a": {"type": "text"}}}'}, "no valid JSON Schema"),
        ({"schema": '{"type": "object", "patternProperties": {"(": {}}}'}, "no valid JSON Schema"),
        ({"schema": '{"type": "object", "properties": {"a": {"pattern": "("}}}'}, "no valid JSON Schema"),
        ({"schema": '{"type": "object", "$ref": "https://example.org"}'}, "are not followed"),
        ({"schema": '{"type": "object", "title": "\\u0000"}'}, "NUL"),
        ({"name": "sync_ok"}, "The catalog already has an event of this name."),
        ({"name": "Referral Shared"}, "small letters, digits and underscores"),
        ({"name": "x" * 65}, "at most 64 characters"),
        ({"name": ""}, "This field is required."),
    ],
)
def test_a_custom_event_that_cannot_work_is_refused_with_the_reason(
    boss: Client, wrong: dict[str, str], words: str
) -> None:
    answer = boss.post(f"{DEFINITIONS}add/", definition(**wrong))
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert EventDefinition.objects.count() == len(CATALOG)


def test_only_a_custom_event_that_was_never_seen_can_be_deleted(boss: Client) -> None:
    EventDefinition.objects.create(name="never_seen", schema=SCHEMA)
    EventDefinition.objects.create(name="seen", schema=SCHEMA, volume=1)
    for name, status in (("sync_ok", 403), ("seen", 403), ("never_seen", 302)):
        assert boss.post(f"{DEFINITIONS}{name}/delete/", {"post": "yes"}).status_code == status, name
    boss.post(DEFINITIONS, {"action": "delete_selected", "_selected_action": ["sync_ok"], "post": "yes"})
    assert set(EventDefinition.objects.values_list("name", flat=True)) == {*CATALOG, "seen"}


def test_forwarding_is_switched_for_many_at_once_by_who_may_change(boss: Client, staff: Staff) -> None:
    chosen = {"action": "switch_forwarding_off", "_selected_action": ["sync_ok", "sync_retry"]}
    staff("view_eventdefinition").post(DEFINITIONS, chosen)
    assert not EventDefinition.objects.filter(forwarded=False).exists()
    answer = boss.post(DEFINITIONS, chosen, follow=True)
    assert "no longer forwarded to PostHog: 2 events." in answer.content.decode()
    assert EventDefinition.objects.filter(forwarded=False).count() == 2


@pytest.mark.parametrize("raw", ["", "x", "²", "0", "9" * 30, "-1", "\x00"])
def test_a_form_is_not_filled_from_a_group_that_does_not_exist(boss: Client, raw: str) -> None:
    answer = boss.get(f"{DEFINITIONS}add/", {"from_group": raw})
    assert answer.status_code == 200
    assert answer.context["adminform"].form.initial.get("name") is None


def test_the_properties_of_every_catalog_event_have_words() -> None:
    for name in CATALOG:
        for row in properties(property_schema(name)):
            assert row.words, f"{name}.{row.name}"
            assert row.kind != "anything", f"{name}.{row.name}"
    booked = {row.name: row for row in properties(property_schema("booking_scheduled"))}
    assert booked["starts_at"] == Property(
        "starts_at", "time", "UTC", True, "Start of the appointment as it stands after this event."
    )
    assert booked["duration_min"].is_required is False


@pytest.mark.parametrize("schema", [None, [], 5, {}, {"properties": 1}, {"properties": {"a": True}}])
def test_what_is_no_schema_has_no_words_and_breaks_nothing(schema: Any) -> None:
    assert all(row.kind == "anything" for row in properties(schema))


def test_a_key_is_shown_once_works_and_is_never_shown_again(boss: Client) -> None:
    answer = boss.post(f"{KEYS}add/", new_key())
    assert "no-store" in answer["Cache-Control"]
    key = answer.context["key"]
    assert answer.content.decode().count(key) == 1
    assert post(boss, make.event(), key).json()["accepted"] == 1
    row = ApiKey.objects.get()
    assert (Event.objects.get(source="api").api_key_id, row.limit_per_minute) == (row.pk, 600)
    # The secret itself may hold an underscore.
    secret, digest = key.split("_", 2)[2], bytes(row.digest).hex()
    for path in (KEYS, f"{KEYS}{row.pk}/change/", f"{KEYS}{row.pk}/history/", "/admin/"):
        shown = boss.get(path).content.decode()
        assert secret not in shown, path
        assert digest not in shown, path


def test_a_key_needs_a_scope_and_a_name_of_its_own(boss: Client) -> None:
    boss.post(f"{KEYS}add/", new_key())
    for wrong in ({"scopes": []}, {"scopes": ["everything"]}, {"name": "booking-app"}, {"name": ""}):
        answer = boss.post(f"{KEYS}add/", {"name": "other"} | new_key(**wrong))
        assert answer.context["errors"], wrong
    assert ApiKey.objects.count() == 1


def test_revoking_stops_a_key_is_noted_and_changes_nothing_a_second_time(boss: Client, staff: Staff) -> None:
    key = boss.post(f"{KEYS}add/", new_key()).context["key"]
    row = ApiKey.objects.get()
    chosen = {"action": "revoke", "_selected_action": [row.pk]}
    staff("view_apikey").post(KEYS, chosen)
    assert post(boss, make.event(), key).status_code == 200
    before = timezone.now()
    for _ in range(2):
        assert "Revoked." in boss.post(KEYS, chosen, follow=True).content.decode()
        assert post(boss, make.event(), key).status_code == 401
    row.refresh_from_db()
    assert row.revoked_at is not None
    assert row.revoked_at < before + (timezone.now() - before)
    assert "Revoked." in boss.get(f"{KEYS}{row.pk}/history/").content.decode()


def test_a_key_cannot_be_deleted_or_given_another_secret(boss: Client) -> None:
    key = boss.post(f"{KEYS}add/", new_key()).context["key"]
    row = ApiKey.objects.get()
    assert boss.post(f"{KEYS}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    sent = new_key(name="renamed", digest="00", prefix="00", revoked_at="x")
    assert boss.post(f"{KEYS}{row.pk}/change/", sent).status_code == 302
    changed = ApiKey.objects.get()
    assert (changed.name, changed.prefix, changed.digest) == ("renamed", row.prefix, row.digest)
    assert post(boss, make.event(), key).status_code == 200


def test_a_definition_of_staff_holds_in_this_process_at_once(boss: Client) -> None:
    assert "referral_shared" not in custom_events.names()
    boss.post(f"{DEFINITIONS}add/", definition())
    assert "referral_shared" in custom_events.names()
