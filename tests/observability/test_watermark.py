"""After a restore from a dump, transaction ids start over; nothing is counted twice or passed over."""

from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F, Sum
from django.utils import timezone

from observability import forwarder, watermark
from observability.models import EventHour, Forwarder, Watermark
from observability.posthog import Delivered, StoredEvent
from tests.observability.test_rollups import roll_all, store

pytestmark = pytest.mark.usefixtures("transactional_db")


def pretend_to_be_restored() -> None:
    """Leave rows and positions as a dump of a far older cluster would."""
    with connection.cursor() as cursor:
        cursor.execute("update observability_event set xid = xid + 1000000000")
    Watermark.objects.update(xid=F("xid") + 1_000_000_000)
    Forwarder.objects.update(position_xid=F("position_xid") + 1_000_000_000)


def forward_all(sent: list[UUID]) -> None:
    """Bring everything to a PostHog that takes all."""

    class Posthog:
        def deliver(self, batch: list[StoredEvent]) -> Delivered:
            sent.extend(event.uuid for event in batch)
            return Delivered()

    run = forwarder.Forwarding(Posthog())
    while run.step(now=timezone.now()).behind:
        pass


def test_a_restored_database_goes_on_counting_from_here() -> None:
    sent: list[UUID] = []
    forwarder.load()
    store(5)
    roll_all()
    forward_all(sent)
    store(1)  # neither counted nor forwarded when the dump is made
    pretend_to_be_restored()
    store(2)
    assert roll_all() == 0
    assert set(watermark.positions_ahead()) == {"rollups", "forwarder"}
    call_command("reset_watermarks", "--yes")
    assert watermark.positions_ahead() == []
    store(3)
    assert roll_all() == 6
    assert EventHour.objects.aggregate(total=Sum("events"))["total"] == 11
    forward_all(sent)
    assert len(sent) == len(set(sent)) == 11


def test_a_database_that_was_not_restored_is_left_alone() -> None:
    store(1)
    roll_all()
    before = Watermark.objects.get().xid
    call_command("reset_watermarks", "--yes")
    assert Watermark.objects.get().xid == before
