"""What sync tells of drafts becomes events and counts of faults: once each, whoever tells it how often."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.urls import reverse
from uuid_utils.compat import uuid7

from observability import draft_events
from observability.alerts import measures
from observability.errors import counts
from observability.models import ErrorMinute, Event
from observability.redaction.screen import may_hold
from sync import signals
from sync.signals import DigestOpened, DraftApproved, DraftSent, DraftWritten, InsightAdded, ModelFailed
from trainu.faults import LLMCode

NOW = datetime(2026, 11, 23, 12, 0, 1, 250_000, tzinfo=UTC)
DRAFT = UUID("0193a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b")
MOVED: dict[str, Any] = {
    "draft_id": DRAFT,
    "trainer_id": "t-1",
    "client_id": "c-1",
    "kind": "weekly_checkin",
    "channel": "sms",
    "at": NOW,
    "correlation_id": "journey-1234",
}
WRITTEN = DraftWritten(**MOVED, round=1, duration_ms=1_200.123_456, model="gpt-5-mini")
APPROVED = DraftApproved(**MOVED, approval=1, edited=True)
SENT = DraftSent(**MOVED, job_id=DRAFT, location_id="loc-1")
SHARED = {
    "draft_id": str(DRAFT),
    "client_id": "c-1",
    "trainer_id": "t-1",
    "kind": "weekly_checkin",
    "channel": "sms",
}


@pytest.mark.django_db
def test_a_draft_is_told_when_it_is_written_approved_and_sent() -> None:
    signals.drafts_written.send(sender=None, written=[WRITTEN])
    signals.drafts_approved.send(sender=None, approved=[APPROVED])
    signals.drafts_sent.send(sender=None, sent=[SENT])
    told = {event.event: event for event in Event.objects.all()}
    assert {name: (one.distinct_id, one.properties) for name, one in told.items()} == {
        "message_drafted": ("client:c-1", SHARED | {"duration_ms": 1_200.123, "model": "gpt-5-mini"}),
        "trainer_approved": ("trainer:t-1", SHARED | {"edited": True}),
        "message_sent": ("client:c-1", SHARED | {"job_id": str(DRAFT), "location_id": "loc-1"}),
    }
    assert {one.correlation_id for one in told.values()} == {"journey-1234"}
    assert {one.timestamp for one in told.values()} == {NOW}


@pytest.mark.django_db
def test_insights_and_digests_are_told_and_every_opening_counts() -> None:
    insight = InsightAdded(uuid7(), "t-1", "c-1", "risk", NOW, "journey-1234")
    opened = DigestOpened(uuid7(), "t-1", "email", NOW)
    for _ in range(2):
        signals.insights_added.send(sender=None, insights=[insight])
        signals.digests_opened.send(sender=None, digests=[opened])
    signals.digests_opened.send(
        sender=None, digests=[replace(opened, at=NOW + timedelta(seconds=1), surface="admin")]
    )
    assert Event.objects.filter(event="insight_created", distinct_id="client:c-1").count() == 1
    viewed = Event.objects.filter(event="weekly_digest_viewed", distinct_id="trainer:t-1")
    assert sorted(viewed.values_list("properties__surface", flat=True)) == ["admin", "email"]
    assert set(viewed.values_list("properties__digest_id", flat=True)) == {str(opened.digest_id)}


@pytest.mark.django_db
def test_the_same_is_one_event_whoever_tells_it_and_another_round_another() -> None:
    later = NOW + timedelta(minutes=5)
    for at in (NOW, later):
        signals.drafts_written.send(sender=None, written=[replace(WRITTEN, at=at)])
        signals.drafts_approved.send(sender=None, approved=[replace(APPROVED, at=at)])
        signals.drafts_sent.send(sender=None, sent=[replace(SENT, at=at)])
    assert Event.objects.count() == 3
    signals.drafts_written.send(sender=None, written=[replace(WRITTEN, round=2)])
    signals.drafts_approved.send(sender=None, approved=[replace(APPROVED, approval=2)])
    assert Event.objects.count() == 5
    # Side by side in an index, by the time of the draft.
    assert {uuid.int >> 80 for uuid in Event.objects.values_list("uuid", flat=True)} == {DRAFT.int >> 80}


def test_what_is_no_word_is_left_out_and_who_was_erased_is_told_of_no_more() -> None:
    for model, shown in (("openai/GPT-5-mini", "gpt-5-mini"), ("A model of ours", None), ("", None)):
        made = draft_events.of_written(replace(WRITTEN, model=model))
        assert made
        assert made.event.model_dump()["model"] == shown
    assert draft_events.of_written(replace(WRITTEN, client_id="")) is None
    assert draft_events.of_approved(replace(APPROVED, client_id="")) is None
    assert draft_events.of_sent(replace(SENT, client_id="")) is None
    for occurrence in (draft_events.of_written(WRITTEN), draft_events.of_sent(SENT)):
        assert occurrence
        assert not may_hold(occurrence.event.model_dump_json(exclude_none=True), occurrence.distinct_id)


# --- failures of the language model ------------------------------------------------------------


def failed(**overrides: Any) -> ModelFailed:
    given = {"draft_id": uuid7(), "provider": "openai", "code": "timeout", "at": NOW}
    return ModelFailed(**(given | overrides))


def counted() -> dict[str, int]:
    counts.flush()
    rows = ErrorMinute.objects.filter(category="llm")
    found: dict[str, int] = {}
    for code, errors in rows.values_list("code", "errors"):
        found[code] = found.get(code, 0) + errors
    return found


@pytest.mark.django_db
def test_every_failure_counts_once_and_one_of_a_kind_is_logged(
    django_capture_on_commit_callbacks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(3):
            signals.models_failed.send(sender=None, failures=[failed(), failed(), failed(code="auth")])
        signals.models_failed.send(sender=None, failures=[failed(provider="anthropic")])
    assert counted() == {"timeout": 7, "auth": 3}
    # By provider and code, as Sentry groups them.
    assert caplog.text.count("model_failed") == 3
    assert "anthropic" in caplog.text
    assert set(ErrorMinute.objects.values_list("severity", flat=True)) == {"SEV2"}


@pytest.mark.django_db
def test_what_is_rolled_back_has_not_failed(django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            signals.models_failed.send(sender=None, failures=[failed()])
            _ = 1 / 0
        signals.models_failed.send(sender=None, failures=[failed()])
        assert counted() == {}
    assert counted() == {"timeout": 1}


@pytest.mark.django_db
def test_an_unknown_word_is_a_failure_all_the_same(
    django_capture_on_commit_callbacks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        signals.models_failed.send(sender=None, failures=[failed(code="newer"), failed(provider="newer")])
    assert counted() == {LLMCode.BAD_OUTPUT: 1, "timeout": 1}
    assert "receiver_failed" not in caplog.text
    assert "other" in caplog.text


@pytest.mark.django_db
def test_the_alert_counts_failed_attempts_against_those_and_the_drafts_made(
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        signals.models_failed.send(sender=None, failures=[failed(), failed()])
    counts.flush()
    measure = measures.find("draft_failure_rate")
    assert measure
    minute = ErrorMinute.objects.filter(category="llm").latest("minute").minute
    [said] = measure.read(minute)
    assert (said.bad, said.total) == (2, 2)
    addresses = [url for _, url in measure.links("")]
    assert reverse("admin:errors") in addresses
