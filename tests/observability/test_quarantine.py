"""Refused events are grouped, shown, and let in once the catalog knows better."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from observability import custom_events, quarantine, tasks
from observability.models import Event, EventDefinition, QuarantinedEvent, QuarantineGroup
from tests import make
from tests.observability.test_ingestion import post

pytestmark = pytest.mark.django_db

SHARED = {"client_id": "c-1", "channel": "whatsapp", "count": 3}


def shared(**overrides: Any) -> dict[str, Any]:
    return make.event(event="referral_shared", properties=SHARED) | overrides


def test_like_mistakes_share_a_group_with_a_count_and_a_did_you_mean(client: Client, key: str) -> None:
    for _ in range(3):
        post(client, {"batch": [make.event(event="user_loged_in"), make.event(event="user_loged_in")]}, key)
    post(client, make.event(event="booking_schedulled"), key)
    group = QuarantineGroup.objects.get(event="user_loged_in")
    assert (group.code, group.refused, group.suggestion) == ("unknown_event", 6, "user_logged_in")
    assert QuarantineGroup.objects.count() == 2


def test_a_custom_event_lets_the_waiting_ones_in_with_their_own_time_and_uuid(
    client: Client, key: str
) -> None:
    happened = timezone.now() - timedelta(days=29)
    sent = [shared(timestamp=happened.isoformat()) for _ in range(3)]
    post(client, {"batch": sent}, key)
    group = QuarantineGroup.objects.get()
    quarantine.suggested_definition(group).save()
    custom_events.forget()
    # A week later they are older than 30 days, and still welcome: they came in time.
    assert tasks.reingest(group.pk) == (3, 0)
    group.refresh_from_db()
    assert (group.state, group.reingested) == ("empty", 3)
    assert not QuarantinedEvent.objects.exists()
    stored = Event.objects.all()
    assert {str(event.uuid) for event in stored} == {item["uuid"] for item in sent}
    assert {event.timestamp for event in stored} == {happened}
    assert stored[0].properties == SHARED


def test_reingesting_twice_stores_nothing_twice(client: Client, key: str) -> None:
    sent = shared()
    post(client, sent, key)
    group = QuarantineGroup.objects.get()
    quarantine.suggested_definition(group).save()
    custom_events.forget()
    # The app has sent it again meanwhile, and now it fits.
    assert post(client, sent, key).json()["accepted"] == 1
    assert tasks.reingest(group.pk) == (1, 0)
    assert Event.objects.count() == 1


def test_what_is_still_wrong_stays_with_todays_reason(client: Client, key: str) -> None:
    post(client, {"batch": [shared(), shared(properties={"channel": 5})]}, key)
    EventDefinition.objects.create(
        name="referral_shared",
        schema={"type": "object", "properties": {"channel": {"type": "string"}}},
    )
    custom_events.forget()
    group = QuarantineGroup.objects.get()
    assert tasks.reingest(group.pk) == (1, 1)
    group.refresh_from_db()
    assert group.state == "open"
    assert "channel does not fit its schema" in QuarantinedEvent.objects.get().message


def test_an_interrupted_run_goes_on_where_it_was(
    client: Client, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "_BATCH", 2)
    post(client, {"batch": [shared() for _ in range(5)]}, key)
    group = QuarantineGroup.objects.get()
    quarantine.suggested_definition(group).save()

    def interrupt(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quarantine.reingest(group, now=timezone.now(), progress=interrupt)
    assert Event.objects.count() == 2
    group.refresh_from_db()
    assert group.state == "open"
    assert quarantine.reingest(group, now=timezone.now()) == (3, 0)
    assert Event.objects.count() == 5


def test_even_what_jsonb_refuses_is_kept(client: Client, key: str) -> None:
    post(client, make.event(event="nope", properties={"text": "a\x00b", "big": 2**80}), key)
    kept = json.loads(QuarantinedEvent.objects.get().payload)
    assert kept["properties"] == {"text": "a\x00b", "big": 2**80}


def test_the_suggested_schema_holds_kinds_and_no_values(client: Client, key: str) -> None:
    post(client, shared(), key)
    definition = quarantine.suggested_definition(QuarantineGroup.objects.get())
    assert definition.schema["properties"] == {
        "client_id": {"type": "string"},
        "channel": {"type": "string"},
        "count": {"type": "integer"},
    }
    assert "whatsapp" not in json.dumps(definition.schema)
