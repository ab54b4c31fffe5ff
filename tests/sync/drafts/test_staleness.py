"""A client who writes or books makes drafts stale; what was approved and has not left comes back."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from observability.models import AuditEntry
from sync import jobs, queue
from sync.drafts import conversation, deciding, staleness
from sync.drafts.conversation import MessageSeen
from sync.drafts.staleness import ClientActed
from sync.mirror import appointments
from sync.mirror.seen import AppointmentSeen, Status
from sync.models import Draft, Location, Message, SyncJob
from tests.sync.drafts.approved import BOSS, again, draft
from tests.sync.working import NOW

MINUTE = timedelta(minutes=1)
EVENING = {"client": {"time_zone": "Asia/Tokyo"}}


@pytest.fixture(autouse=True)
def location(db: None) -> Iterator[Location]:
    # Drafts are marked within the transaction that knows of the act.
    with transaction.atomic():
        yield Location.objects.create(pk="loc-1", name="Studio", created_at=NOW, burst_limit=1_000)


def scheduled(**overrides: Any) -> Draft:
    """Approve a draft in the evening of its client: it waits."""
    given = {"context": EVENING, "based_at": NOW - 5 * MINUTE} | overrides
    return deciding.approve(draft(**given).pk, by=BOSS, now=NOW)


def wrote(at: datetime, contact_id: str = "c-1") -> None:
    act = ClientActed(contact_id, "loc-1", Draft.ClientAct.WROTE, at)
    staleness.note([act], now=NOW + 10 * MINUTE)


def seen(minute: int, status: Status = Status.NEW, **overrides: Any) -> None:
    at = NOW + minute * MINUTE
    given: dict[str, Any] = {
        "location_id": "loc-1",
        "appointment_id": "a-1",
        "status": status,
        "starts_at": NOW + timedelta(days=2),
        "ends_at": None,
        "calendar_id": "",
        "contact_id": "c-1",
        "assigned_user_id": "",
        "added_at": None,
        "updated_at": at,
        "is_deleted": False,
        "booked_by": None,
        "source": "webhook",
        "seen_at": at,
        "correlation_id": "c",
    }
    appointments.observe([AppointmentSeen(**(given | overrides))], now=at)


def job(operation: str, payload: dict[str, Any], minute: int, **overrides: Any) -> UUID:

    made = jobs.enqueue(operation, "loc-1", payload, now=NOW + minute * MINUTE).job_id
    SyncJob.objects.filter(pk=made).update(**({"fence": 1} | overrides))
    return made


def test_the_last_act_counts_and_an_earlier_one_that_is_told_later_changes_nothing() -> None:
    one, other = draft(based_at=NOW), draft("c-2", based_at=NOW)
    for minute in (2, 1):
        wrote(NOW + minute * MINUTE)
    assert (again(one).client_acted_at, again(one).is_stale) == (NOW + 2 * MINUTE, True)
    assert again(other).client_acted_at is None


@pytest.mark.parametrize("state", ["waiting", "writing", "review", "failed"])
def test_whatever_is_open_is_marked(state: str) -> None:
    one = draft(state=state, code="timeout")
    wrote(NOW + MINUTE)
    assert (again(one).client_act, again(one).state) == ("wrote", state)


def test_what_has_ended_is_left_alone() -> None:
    gone = draft(state="dismissed", ended_at=NOW)
    sent = draft(state="sent", ended_at=NOW, sent_at=NOW, approved_at=NOW, approved_by=BOSS)
    wrote(NOW + MINUTE)
    assert {again(one).client_acted_at for one in (gone, sent)} == {None}


def test_an_approved_draft_comes_back_when_its_client_writes_and_the_service_says_why() -> None:
    one = scheduled()
    wrote(NOW + MINUTE)
    back = again(one)
    assert (back.state, back.job_id, back.send_at, back.held_by) == ("review", None, None, "")
    assert (back.approved_by, back.approved_at) == ("", None)
    assert back.is_stale
    assert SyncJob.objects.get(pk=one.job_id).state == "superseded"
    assert queue.claim(now=NOW + timedelta(days=1), most=9) == []
    entry = AuditEntry.objects.get(action="draft.recall")
    assert (entry.actor_id, entry.target_id) == ("system", str(one.pk))
    assert entry.reason == "The client has written since."
    with pytest.raises(deciding.Refused) as refused:
        deciding.approve(one.pk, by=BOSS, now=NOW + 2 * MINUTE)
    assert refused.value.code == "stale"
    again_approved = deciding.approve(one.pk, by=BOSS, now=NOW + 2 * MINUTE, seen_act_at=back.client_acted_at)
    assert (again_approved.state, again_approved.approvals) == ("scheduled", 2)


def test_what_was_written_before_the_approval_and_is_told_after_it_asks_again_too() -> None:
    """Nobody who approved can have seen it."""
    one = scheduled()
    wrote(NOW - MINUTE)
    assert again(one).state == "review"


def test_what_the_text_is_based_on_recalls_nothing() -> None:
    one = scheduled()
    wrote(NOW - 6 * MINUTE)
    assert again(one).state == "scheduled"


def test_what_the_reviewer_has_seen_recalls_nothing_when_it_is_told_again() -> None:
    made = draft(context=EVENING, based_at=NOW - 5 * MINUTE)
    wrote(NOW - MINUTE)
    deciding.approve(made.pk, by=BOSS, now=NOW, seen_act_at=NOW - MINUTE)
    wrote(NOW - MINUTE)
    assert again(made).state == "scheduled"


@pytest.mark.parametrize("touched", [{"tries": 1}, {"is_lookup": True}, {"state": "leased"}])
def test_what_may_have_left_is_not_taken_back(touched: dict[str, Any]) -> None:
    one = scheduled()
    SyncJob.objects.filter(pk=one.job_id).update(**touched)
    wrote(NOW + MINUTE)
    assert (again(one).state, again(one).client_acted_at) == ("scheduled", NOW + MINUTE)
    if touched != {"state": "leased"}:
        with pytest.raises(deciding.Refused, match="on its way"):
            deciding.recall(one.pk, by=BOSS, now=NOW)


def test_what_the_kill_switch_held_back_is_taken_back() -> None:
    one = scheduled()
    SyncJob.objects.filter(pk=one.job_id).update(code="kill_switch", fence=3)
    wrote(NOW + MINUTE)
    assert again(one).state == "review"


def test_an_inbound_message_does_it_and_an_outbound_one_does_not() -> None:
    one = scheduled()
    for direction in (Message.Direction.OUTBOUND, Message.Direction.INBOUND):
        assert again(one).state == "scheduled"
        told = MessageSeen("loc-1", "c-1", f"m-{direction}", direction, "sms", "Hello", "", NOW + MINUTE)
        conversation.note([told], now=NOW + MINUTE)
    assert again(one).state == "review"


def test_booking_moving_and_cancelling_count_confirming_and_missing_do_not() -> None:
    one = draft(based_at=NOW)
    acted = []
    seen(1)
    acted.append(again(one).client_acted_at)
    seen(2, Status.CONFIRMED)
    acted.append(again(one).client_acted_at)
    seen(3, Status.CONFIRMED, starts_at=NOW + timedelta(days=3))
    acted.append(again(one).client_acted_at)
    seen(4, Status.NO_SHOW, starts_at=NOW + timedelta(days=3))
    acted.append(again(one).client_acted_at)
    seen(5, Status.CANCELED)
    acted.append(again(one).client_acted_at)
    assert acted == [NOW + minute * MINUTE for minute in (1, 1, 3, 3, 5)]
    assert again(one).client_act == "booked"


@pytest.mark.parametrize(
    ("state", "is_theirs"),
    [
        ({"state": "leased"}, False),
        ({"state": "succeeded", "settled_at": NOW + 2 * MINUTE}, False),
        # Long before, or not tried yet, or given up.
        ({"state": "succeeded", "settled_at": NOW - 10 * MINUTE}, True),
        ({"fence": 0}, True),
        ({"state": "dead", "cause": "refused", "settled_at": NOW + 2 * MINUTE}, True),
    ],
)
def test_what_our_own_job_has_booked_or_moved_is_no_act_of_the_client(
    state: dict[str, Any], is_theirs: bool
) -> None:
    one = draft(based_at=NOW - MINUTE)
    booking = {
        "contact_id": "c-1",
        "calendar_id": "cal-1",
        "start_at": "2026-11-25T12:00:00+00:00",
        "title": "Training",
    }
    job("appointment.create", booking, -15, **state)
    seen(1)
    assert (again(one).client_acted_at is not None) == is_theirs


def test_what_our_own_job_has_cancelled_is_no_act_of_the_client() -> None:
    one = draft(based_at=NOW + 2 * MINUTE)
    seen(1)
    job("appointment.cancel", {"appointment_id": "a-1"}, 3, state="leased")
    seen(4, Status.CANCELED)
    assert again(one).client_acted_at == NOW + MINUTE
