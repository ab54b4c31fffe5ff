"""The mirror, reconciliations and silences in the admin: read only, found by whole ids, quick."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from sync.mirror import appointments, contacts
from sync.models import AppointmentState, ContactState, Location, Reconciliation, Silence
from sync.reconciliation import runs
from tests.sync.test_mirror import person, seen

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PAGES = ["contactstate", "appointmentstate", "reconciliation", "silence"]


@pytest.fixture
def staff(db: None) -> Client:
    Location.objects.create(pk="loc-1", name="Studio", created_at=NOW)
    contacts.observe([person(f"c-{number}") for number in range(30)], now=NOW)
    appointments.observe(
        [seen(0, "confirmed", appointment_id=f"a-{number}") for number in range(30)], now=NOW
    )
    runs.start("loc-1", since=NOW - timedelta(hours=3), now=NOW, by="command")
    Silence.objects.create(location_id="loc-1", last_at=NOW, noticed_at=NOW)
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="a pass phrase of the tests"))
    return client


@pytest.mark.parametrize("page", PAGES)
def test_each_list_explains_itself_and_costs_few_queries(
    staff: Client, page: str, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    staff.get(reverse(f"admin:sync_{page}_changelist"))
    with django_assert_max_num_queries(12):
        answer = staff.get(reverse(f"admin:sync_{page}_changelist"))
    assert answer.status_code == 200
    assert b"Studio" in answer.content


@pytest.mark.parametrize("model", [ContactState, AppointmentState, Reconciliation, Silence])
def test_each_record_is_shown_and_cannot_be_changed(staff: Client, model: Any) -> None:
    name = model._meta.model_name
    record = model.objects.order_by("pk").first()
    address = reverse(f"admin:sync_{name}_change", args=[record.pk])
    assert staff.get(address).status_code == 200
    assert staff.post(address, {}).status_code == 403
    assert staff.get(reverse(f"admin:sync_{name}_delete", args=[record.pk])).status_code == 403


def test_an_appointment_is_found_by_its_id_and_by_its_contact_and_shows_how_it_came_about(
    staff: Client,
) -> None:
    address = reverse("admin:sync_appointmentstate_changelist")
    assert b"1 appointment" in staff.get(address, {"q": "a-7"}).content.lower()
    assert staff.get(address, {"q": "c-1"}).context["cl"].result_count == 30
    assert staff.get(address, {"q": "nobody"}).context["cl"].result_count == 0
    record = AppointmentState.objects.get(appointment_id="a-7")
    shown = staff.get(reverse("admin:sync_appointmentstate_change", args=[record.pk])).content.decode()
    assert "confirmed" in shown
    assert "versions" in shown
