"""What sync tells becomes events, faults and audit entries: once each, with the state, and without harm."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from uuid_utils.compat import uuid7

from observability import counters, sync_events, sync_receivers
from observability.audit.actions import Action
from observability.counters import Counter
from observability.models import AuditEntry, ErrorMinute, Event
from observability.redaction.screen import may_hold
from observability.sync_receivers import QUIET_S, Reports
from sync import signals
from sync.models import Location
from sync.signals import Act, AttemptEnded, BookingChanged, LeadAppeared, Trouble, WebhookStored
from trainu import correlation, personal_data
from trainu.faults import DataLossCode, SyncCode, WebhookCode

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 12, 0, 1, 250_000, tzinfo=UTC)
LOCATION = "ve9EPM428h8vShlRW1KT"


def attempt(**overrides: Any) -> AttemptEnded:
    given: dict[str, Any] = {
        "job_id": uuid7(),
        "location_id": LOCATION,
        "operation": "contact.upsert",
        "kind": "send",
        "number": 2,
        "outcome": "ok",
        "code": "ok",
        "state": "succeeded",
        "cause": "",
        "started_at": NOW - timedelta(milliseconds=1_234),
        "duration_ms": 1_200.123_456,
        "ended_at": NOW,
        "created_at": NOW - timedelta(seconds=61),
        "retry_at": None,
        "correlation_id": "journey-1234",
    }
    return AttemptEnded(**(given | overrides))


def booking(**overrides: Any) -> BookingChanged:
    given: dict[str, Any] = {
        "change": "scheduled",
        "identity": uuid4(),
        "location_id": LOCATION,
        "appointment_id": "a-1",
        "contact_id": "c-1",
        "assigned_user_id": "u-1",
        "starts_at": NOW + timedelta(days=2),
        "ends_at": NOW + timedelta(days=2, minutes=45),
        "previous_starts_at": None,
        "reason": None,
        "source": "ghl",
        "at": NOW - timedelta(days=20),
        "correlation_id": "journey-1234",
    }
    return BookingChanged(**(given | overrides))


def webhook(**overrides: Any) -> WebhookStored:
    given: dict[str, Any] = {
        "webhook_id": "w-1",
        "location_id": LOCATION,
        "topic": "contact_create",
        "contact_id": "c-1",
        "received_at": NOW,
        "duration_ms": 4.2,
        "correlation_id": "journey-1234",
    }
    return WebhookStored(**(given | overrides))


def tell(*attempts: AttemptEnded) -> None:
    signals.attempts_ended.send(sender=None, attempts=attempts)


def test_a_success_says_how_long_its_job_took_under_the_jobs_own_correlation_id() -> None:
    one = attempt()
    with correlation.bound("the-lanes-own"):
        tell(one, attempt(correlation_id=""))
    stored = {event.correlation_id: event for event in Event.objects.filter(event="sync_ok")}
    assert set(stored) == {"journey-1234", "the-lanes-own"}
    event = stored["journey-1234"]
    assert (event.distinct_id, event.timestamp, event.source) == (f"location:{LOCATION}", NOW, "python")
    assert event.properties == {
        "job_id": str(one.job_id),
        "location_id": LOCATION,
        "operation": "contact.upsert",
        "attempt": 2,
        "duration_ms": 1_200.123,
        "settled_after_s": 61.0,
    }


@pytest.mark.parametrize(
    ("kind", "outcome", "code"),
    [
        ("send", "transient", "status_503"),
        ("send", "ambiguous", "timeout"),
        # Refused, and yet it may have been done: it is looked up, and the try is gone.
        ("send", "permanent", "status_422"),
        ("lookup", "transient", "timeout"),
    ],
)
def test_what_cost_a_try_and_is_tried_again_is_a_retry(kind: str, outcome: str, code: str) -> None:
    again_at = NOW + timedelta(minutes=5)
    tell(attempt(kind=kind, outcome=outcome, code=code, state="waiting", retry_at=again_at))
    event = Event.objects.get()
    assert event.event == "sync_retry"
    assert (event.properties["code"], event.properties["retry_in_s"]) == (code, 300.0)


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        ("refused", "permanent"),
        ("exhausted", "exhausted"),
        ("check_by_hand", "ambiguous"),
        ("a_newer_word", "internal"),
    ],
)
def test_a_dead_job_is_dropped_for_a_reason_of_the_catalog(cause: str, reason: str) -> None:
    tell(attempt(outcome="permanent", code="status_422", state="dead", cause=cause))
    event = Event.objects.get()
    assert event.event == "sync_dropped"
    assert (event.properties["code"], event.properties["reason"]) == ("status_422", reason)


@pytest.mark.parametrize(
    ("kind", "outcome", "state"),
    [
        ("send", "deferred", "waiting"),
        ("send", "configuration", "waiting"),
        ("lookup", "configuration", "waiting"),
        ("lookup", "not_found", "waiting"),
        ("lookup", "cannot_tell", "waiting"),
        ("send", "transient", "superseded"),
        ("send", "permanent", "superseded"),
    ],
)
def test_what_was_held_back_looked_up_or_overtaken_is_no_event(kind: str, outcome: str, state: str) -> None:
    tell(attempt(kind=kind, outcome=outcome, code="any", state=state))
    assert not Event.objects.exists()


def put_off(*, minutes_ago: int = 0) -> dict[str, int]:
    """Return what was counted in one minute."""
    counters.flush()
    minute = NOW.replace(second=0, microsecond=0) - timedelta(minutes=minutes_ago)
    return counters.by_label(Counter.SYNC_DEFERRED, since=minute, until=minute + timedelta(minutes=1))


def test_what_was_put_off_at_no_cost_is_counted_by_its_code(
    django_capture_on_commit_callbacks: Any,
) -> None:
    before = NOW - timedelta(seconds=2)
    with django_capture_on_commit_callbacks(execute=True):
        tell(
            attempt(outcome="deferred", code="rate_limited", state="waiting"),
            attempt(outcome="deferred", code="rate_limited", state="waiting"),
            attempt(kind="lookup", outcome="configuration", code="grant_revoked", state="waiting"),
            attempt(outcome="deferred", code="kill_switch", state="waiting", ended_at=before),
            # These cost a try, came to a finding, or are over.
            attempt(outcome="transient", code="status_503", state="waiting"),
            attempt(kind="lookup", outcome="not_found", code="not_found", state="waiting"),
            attempt(outcome="deferred", code="rate_limited", state="superseded"),
        )
    assert put_off() == {"rate_limited": 2, "grant_revoked": 1}
    assert put_off(minutes_ago=1) == {"kill_switch": 1}


def test_what_is_rolled_back_was_not_put_off(django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            tell(attempt(outcome="deferred", code="rate_limited", state="waiting"))
            raise ZeroDivisionError
        assert put_off() == {}
    assert put_off() == {}


def test_a_batch_is_one_statement_however_many_ended(django_assert_max_num_queries: Any) -> None:
    tell(attempt())
    # Two savepoints and the insert.
    with django_assert_max_num_queries(5):
        tell(*(attempt(correlation_id=f"journey-{number:04}") for number in range(100)))
    assert Event.objects.values("correlation_id").distinct().count() == 101


def test_nothing_of_an_ordinary_attempt_has_to_be_read_by_redaction() -> None:
    job_id = UUID("0193a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b")
    dead = attempt(job_id=job_id, outcome="permanent", code="status_422", state="dead", cause="refused")
    for one in (attempt(job_id=job_id), dead):
        made = sync_events.of_attempt(one)
        assert made
        assert not may_hold(made.event.model_dump_json(exclude_none=True), made.distinct_id)


def test_settling_twice_tells_once_and_each_attempt_of_a_job_for_itself() -> None:
    first = attempt(state="waiting", outcome="transient", code="timeout", number=1, retry_at=NOW)
    # The last try of a job, and the one more that a person gave it.
    second = replace(first, number=2, started_at=NOW, ended_at=NOW + timedelta(seconds=1))
    same_moment = replace(first, number=3)
    for _ in range(3):
        tell(first, second, first)
        tell(same_moment)
    assert Event.objects.count() == 3
    assert {uuid.version for uuid in Event.objects.values_list("uuid", flat=True)} == {8}


def test_events_of_one_time_lie_side_by_side_in_an_index() -> None:
    early, late = attempt(started_at=NOW - timedelta(hours=1)), attempt(started_at=NOW)
    tell(late, early)
    by_uuid = Event.objects.order_by("uuid").values_list("properties__job_id", flat=True)
    assert list(by_uuid) == [str(early.job_id), str(late.job_id)]


def test_the_outcome_commits_with_the_state_and_vanishes_with_it() -> None:
    with transaction.atomic():
        Location.objects.create(pk="kept", name="Studio", created_at=NOW)
        tell(attempt())
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        Location.objects.create(pk="gone", name="Studio", created_at=NOW)
        tell(attempt())
        _ = 1 / 0
    assert Event.objects.count() == Location.objects.count() == 1


def test_a_broken_observer_is_logged_and_undoes_no_delivery(caplog: pytest.LogCaptureFixture) -> None:
    with connection.cursor() as cursor:
        cursor.execute("alter table observability_seenuuid rename to away")
    with transaction.atomic():
        Location.objects.create(pk="kept", name="Studio", created_at=NOW)
        tell(attempt())
        signals.webhooks_stored.send(sender=None, webhooks=[webhook()])
        signals.bookings_changed.send(sender=None, bookings=[booking()])
    assert Location.objects.count() == 1
    assert caplog.text.count("receiver_failed") == 3


def test_what_cannot_be_an_event_takes_no_neighbour_along_and_is_told_without_its_values(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tell(attempt(), attempt(operation="Jane Doe"), attempt())
    assert Event.objects.count() == 2
    assert "events_left_out" in caplog.text
    assert "operation: string_pattern_mismatch" in caplog.text
    assert "Jane" not in caplog.text


def test_durations_of_clocks_that_differ_stay_within_what_the_catalog_takes() -> None:
    tell(attempt(created_at=NOW + timedelta(seconds=3), duration_ms=-1.0))
    tell(attempt(created_at=NOW - timedelta(days=800)))
    spans = Event.objects.values_list("properties__settled_after_s", flat=True)
    assert sorted(spans) == [0.0, 31_536_000.0]


def test_a_webhook_is_received_once_and_what_is_no_id_is_left_out() -> None:
    odd = webhook(webhook_id="w" * 90, contact_id="+1 415 555 0132")
    for _ in range(2):
        signals.webhooks_stored.send(sender=None, webhooks=[webhook(), odd])
    plain, other = Event.objects.order_by("properties__webhook_id").reverse()
    assert plain.event == other.event == "webhook_received"
    assert plain.properties == {
        "webhook_id": "w-1",
        "location_id": LOCATION,
        "topic": "contact_create",
        "contact_id": "c-1",
        "duration_ms": 4.2,
    }
    assert "contact_id" not in other.properties
    assert len(other.properties["webhook_id"]) == 32
    assert plain.correlation_id == "journey-1234"


def test_a_lead_appears_once_whenever_it_is_said_to_have_been_added() -> None:
    lead = LeadAppeared(LOCATION, "c-1", "Form", NOW - timedelta(days=3), "journey-1234")
    other = replace(lead, contact_id="c-2", source="Jane Doe's mother")
    signals.leads_appeared.send(sender=None, leads=[lead, other])
    signals.leads_appeared.send(sender=None, leads=[replace(lead, at=NOW)])
    first, second = Event.objects.order_by("distinct_id")
    assert (first.event, first.distinct_id, first.timestamp) == ("lead_created", "client:c-1", lead.at)
    assert first.properties == {"client_id": "c-1", "location_id": LOCATION, "source": "form"}
    assert "source" not in second.properties


@pytest.mark.parametrize(
    ("change", "name", "more"),
    [
        ("scheduled", "booking_scheduled", {"duration_min": 45, "source": "ghl"}),
        ("confirmed", "booking_confirmed", {}),
        ("rescheduled", "booking_rescheduled", {"previous_starts_at": "2026-11-23T12:00:01.250000Z"}),
        ("no_show", "no_show", {}),
        ("canceled", "booking_canceled", {"reason": "deleted"}),
    ],
)
def test_each_change_of_a_booking_is_an_event_of_its_true_time(
    change: str, name: str, more: dict[str, Any]
) -> None:
    one = booking(change=change, previous_starts_at=NOW, reason="deleted")
    signals.bookings_changed.send(sender=None, bookings=[one])
    event = Event.objects.get()
    assert (event.event, event.timestamp, event.uuid) == (name, one.at, one.identity)
    assert (event.distinct_id, event.correlation_id) == ("client:c-1", "journey-1234")
    assert (
        event.properties
        == {
            "booking_id": "a-1",
            "client_id": "c-1",
            "trainer_id": "u-1",
            "starts_at": "2026-11-25T12:00:01.250000Z",
            "location_id": LOCATION,
        }
        | more
    )


def test_a_transition_that_is_told_again_at_another_time_is_one_event() -> None:
    one = booking(assigned_user_id="", ends_at=None)
    signals.bookings_changed.send(sender=None, bookings=[one])
    signals.bookings_changed.send(sender=None, bookings=[replace(one, at=NOW), one])
    event = Event.objects.get()
    assert event.properties["trainer_id"] == "unassigned"
    assert "duration_min" not in event.properties


def test_trouble_is_a_sev2_of_its_code_and_is_reported_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = Trouble("sync", SyncCode.UNAUTHORIZED, LOCATION, "The token is refused.")
    for _ in range(3):
        signals.troubled.send(sender=None, troubles=[one, one])
    assert caplog.text.count("sync_troubled") == 1
    others = [
        replace(one, location_id="another"),
        replace(one, code=SyncCode.MISSING_SCOPE),
        replace(one, kind="webhook", code=WebhookCode.BAD_SIGNATURE),
    ]
    signals.troubled.send(sender=None, troubles=[*others, one])
    assert caplog.text.count("sync_troubled") == 4
    for word in ("SEV2", "unauthorized", "missing_scope", "bad_signature", "The token is refused."):
        assert word in caplog.text


def test_a_ledger_that_does_not_add_up_is_data_lost_and_so_a_sev1(caplog: pytest.LogCaptureFixture) -> None:
    lost = Trouble("data_loss", DataLossCode.LEDGER_MISMATCH, "", "It does not add up.")
    signals.troubled.send(sender=None, troubles=[lost])
    assert ErrorMinute.objects.get().severity == "SEV1"
    assert "data-loss: ledger_mismatch" in caplog.text


def test_a_trouble_that_lasts_is_reported_again_after_a_minute_and_memory_stays_small() -> None:
    reports = Reports()
    assert reports.is_due("a", 0.0)
    assert not reports.is_due("a", QUIET_S - 0.1)
    assert reports.is_due("a", QUIET_S)
    for number in range(5_000):
        reports.is_due(number, QUIET_S * 2 + number)
    assert len(reports._told) <= 1_100
    reports.forget()
    assert reports.is_due(4_999, QUIET_S * 2 + 5_000)


def test_trouble_with_an_unknown_word_is_told_all_the_same_and_never_raises(
    caplog: pytest.LogCaptureFixture,
) -> None:
    signals.troubled.send(sender=None, troubles=[Trouble("sync", "a_newer_word", LOCATION, "New.")])
    signals.troubled.send(sender=None, troubles=[Trouble("webhook", "a_newer_word", "Jane Doe", "New.")])
    assert caplog.text.count("sync_troubled") == caplog.text.count("a_newer_word") == 2
    assert "sync: handler_error" in caplog.text
    assert "receiver_failed" not in caplog.text
    assert "Jane" not in caplog.text


def test_an_act_is_audited_with_who_what_and_why() -> None:
    act = Act(
        action="dead_letter.discard",
        target_kind="sync.deadletter",
        target_id="7",
        reason="Booked by phone, call jane@example.com",
        actor="key:3",
        changes={"state": ("open", "discarded"), "payload": ("secret", "other")},
    )
    with correlation.bound("journey-1234"):
        signals.acted.send(sender=None, acts=[act, replace(act, action="bulk.pause", actor=None)])
    first, second = AuditEntry.objects.order_by("id")
    assert (first.action, first.actor_id, first.target_type, first.target_id) == (
        "dead_letter.discard",
        "key:3",
        "sync.deadletter",
        "7",
    )
    assert first.correlation_id == "journey-1234"
    assert first.changes == {"state": ["open", "discarded"], "payload": None}
    assert "jane" not in first.reason
    assert (second.action, second.actor_id) == ("bulk.pause", "system")


def test_an_act_that_cannot_be_recorded_does_not_happen() -> None:
    acts = [Act("dead_letter.explode", "sync.deadletter", "7")]
    with pytest.raises(ValueError, match="explode"), transaction.atomic():
        Location.objects.create(pk="loc-1", name="Studio", created_at=NOW)
        signals.acted.send(sender=None, acts=acts)
    assert not Location.objects.exists()


def test_every_act_of_syncs_operators_is_in_the_vocabulary() -> None:
    assert {
        "location.add",
        "location.pause",
        "location.resume",
        "location.connect",
        "job.retry_now",
        "dead_letter.redrive",
        "dead_letter.change",
        "dead_letter.discard",
        "dead_letter.restore",
        "dead_letter.assign",
        "dead_letter.note",
        "dead_letter.snooze",
        "bulk.start",
        "bulk.approve",
        "bulk.pause",
        "bulk.resume",
        "bulk.cancel",
        "webhook.redrive",
        "reconciliation.start",
    } <= set(Action)


def test_a_second_connecting_tells_nothing_twice() -> None:
    sync_receivers.connect()
    signals.acted.send(sender=None, acts=[Act("bulk.start", "sync.bulkoperation", "1")])
    assert AuditEntry.objects.count() == 1


def test_sync_can_have_texts_redacted_without_knowing_by_whom(monkeypatch: pytest.MonkeyPatch) -> None:
    assert personal_data.redacted("Mail to jane@example.com") == "Mail to [email]@example.com"
    monkeypatch.setattr(personal_data, "_redactors", [])
    assert personal_data.redacted("anything") == "[masked]"


def test_the_identity_of_an_attempt_is_the_same_in_every_release() -> None:
    tell(attempt(job_id=UUID("01940000-0000-7000-8000-000000000001"), number=5))
    assert str(Event.objects.get().uuid) == "01a20846-fe10-8005-8000-000000000001"
