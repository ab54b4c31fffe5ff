"""capture() from Python: with the transaction or not at all; and the signals that end in it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from uuid_utils.compat import uuid7

from observability import partitions, receivers
from observability.capture import Occurrence, capture, persist
from observability.catalog.booking import BookingScheduled
from observability.catalog.onboarding import UserLoggedIn
from observability.custom_events import CustomEvent
from observability.models import Event
from observability.store import Origin
from trainu import correlation, known_names
from trainu.partitioned_table import DAYS_AHEAD

pytestmark = pytest.mark.django_db

LOGIN = UserLoggedIn(user_id="c-1", role="client")


def test_an_event_commits_with_the_transaction_around_it() -> None:
    with transaction.atomic():
        capture(LOGIN, distinct_id="client:c-1")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        capture(LOGIN, distinct_id="client:c-2")
        _ = 1 / 0
    assert Event.objects.get().distinct_id == "client:c-1"


def test_times_and_typed_properties_are_stored_as_utc() -> None:
    booking = BookingScheduled(
        booking_id="b-1",
        client_id="c-1",
        trainer_id="t-1",
        starts_at=datetime.fromisoformat("2026-12-01T09:30:00+01:00"),
    )
    capture(booking, distinct_id="client:c-1", timestamp=timezone.now().astimezone())
    stored = Event.objects.get()
    assert stored.timestamp.tzinfo is UTC
    assert datetime.fromisoformat(stored.properties["starts_at"]) == booking.starts_at


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        capture(LOGIN, distinct_id="c", timestamp=datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_same_uuid_is_stored_once_and_the_transaction_lives_on() -> None:
    uuid = uuid7()
    with transaction.atomic():
        capture(LOGIN, distinct_id="a", uuid=uuid)
        capture(LOGIN, distinct_id="b", uuid=uuid)
    assert Event.objects.get().distinct_id == "a"


def test_a_missing_partition_inside_a_transaction_is_made_and_the_transaction_lives_on() -> None:
    with transaction.atomic():
        capture(LOGIN, distinct_id="a")
        capture(LOGIN, distinct_id="a", timestamp=timezone.now() - timedelta(days=3000))
    assert Event.objects.count() == 2


def test_the_event_carries_the_correlation_id_in_hand() -> None:
    with correlation.bound("journey-12345"):
        capture(LOGIN, distinct_id="a")
    assert Event.objects.get().correlation_id == "journey-12345"


def test_a_login_and_a_new_user_become_events(client: Client) -> None:
    user = get_user_model().objects.create_user("operator", password="a-long-password-7")
    client.login(username="operator", password="a-long-password-7")
    names = Event.objects.order_by("timestamp").values_list("event", "distinct_id")
    assert list(names) == [
        ("user_registered", f"staff:{user.pk}"),
        ("user_logged_in", f"staff:{user.pk}"),
    ]


def test_a_broken_receiver_undoes_nothing_but_itself(caplog: pytest.LogCaptureFixture) -> None:
    @receivers.telemetry
    def broken(**_signal: Any) -> None:
        capture(LOGIN, distinct_id="never")
        with connection.cursor() as cursor:
            cursor.execute("select 1 from there_is_no_such_table")

    with transaction.atomic():
        broken()
        capture(LOGIN, distinct_id="still")
    assert Event.objects.get().distinct_id == "still"
    assert "receiver_failed" in caplog.text


def test_partitions_are_made_ahead_and_only_once() -> None:
    now = timezone.now() + timedelta(days=4000)
    assert len(partitions.EVENTS.ensure_ahead(now)) == DAYS_AHEAD + 2
    assert partitions.EVENTS.ensure_ahead(now) == []
    partitions.EVENTS.summarise(now=now)


def test_what_staffs_own_events_carry_is_redacted_by_the_names_of_its_properties() -> None:
    properties = {"email": "jane", "first_name": "Jane", "password": "hunter2", "phone": 4155550132, "n": 3}
    occurrence = Occurrence(CustomEvent("note_left", properties), "client:c-1", timezone.now(), uuid7())
    persist([occurrence], Origin("python", "journey-1234"))
    stored = Event.objects.get()
    assert not {"jane", "Jane", "hunter2", 4155550132} & set(stored.properties.values())
    assert (stored.properties["n"], stored.distinct_id) == (3, "client:c-1")


@pytest.mark.parametrize("planted", ["pit-1a2b3c4d-5e6f-7a8b-9c0d-1e2f3a4b5c6d", "415-555-0132"])
def test_what_stands_in_an_id_is_redacted_and_known_names_are_too(planted: str) -> None:
    capture(UserLoggedIn(user_id=planted, role="client"), distinct_id=planted)
    with known_names.bound(["Mira Stone"]):
        capture(UserLoggedIn(user_id="Stone", role="client"), distinct_id="client:c-1")
    stored = str([(event.distinct_id, event.properties) for event in Event.objects.all()])
    assert planted not in stored
    assert "Stone" not in stored
