"""One correlation id on one page: the webhook, the job, each attempt and the events, in the order of time."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from uuid_utils.compat import uuid7

from observability import trace, trace_sources
from sync import signals
from sync.attempt_log import TABLE
from sync.models import Location, SyncAttempt, SyncJob, Webhook
from sync.signals import AttemptEnded
from tests.observability.conftest import Staff
from trainu.moments import Moment

pytestmark = pytest.mark.django_db

NOW = timezone.now().astimezone(UTC)
ID = "0123456789abcdef"
SECOND = timedelta(seconds=1)


def attempt(
    job: SyncJob, number: int, at: datetime, outcome: str, code: str, status: int, state: str
) -> None:
    """Keep an attempt, and tell of it, as the engine does."""
    TABLE.ensure({at.date()})
    SyncAttempt.objects.create(
        started_at=at,
        job_id=job.pk,
        fence=number,
        kind="send",
        outcome=outcome,
        code=code,
        status=status,
        duration_ms=250.0,
        trace_id="0af7651916cd43dd",
    )
    ended = AttemptEnded(
        job_id=job.pk,
        location_id="loc-1",
        operation=job.operation,
        kind="send",
        number=number,
        outcome=outcome,
        code=code,
        state=state,
        cause="",
        started_at=at,
        duration_ms=250.0,
        ended_at=at + SECOND / 4,
        created_at=job.created_at,
        retry_at=at + 60 * SECOND,
        correlation_id=job.correlation_id,
    )
    signals.attempts_ended.send(sender=None, attempts=[ended])


@pytest.fixture
def job(db: None) -> SyncJob:
    """A webhook has led to a job, which has failed once and then succeeded."""
    Location.objects.create(pk="loc-1", name="Studio", created_at=NOW)
    begun = NOW - 300 * SECOND
    Webhook.objects.create(
        dedupe_key="w-1",
        location_id="loc-1",
        kind="marketplace",
        topic="contact_create",
        body=b'{"name": "Jane"}',
        received_at=begun,
        next_at=begun,
        correlation_id=ID,
        state="done",
        processed_at=begun,
    )
    made = SyncJob.objects.create(
        id=uuid7(),
        location_id="loc-1",
        operation="contact.upsert",
        payload={"name": "Jane"},
        next_at=begun,
        created_at=begun + SECOND,
        correlation_id=ID,
        state="succeeded",
        settled_at=NOW,
        code="ok",
        tries=2,
    )
    attempt(made, 1, begun + 2 * SECOND, "transient", "status_503", 503, "waiting")
    attempt(made, 2, begun + 62 * SECOND, "ok", "ok", 200, "succeeded")
    return made


def moments() -> list[Moment]:
    return trace.trace(ID, may=lambda permission: True, now=NOW).moments


def test_one_id_shows_webhook_job_attempts_and_events_in_order(job: SyncJob) -> None:
    told = [(one.kind, one.title, one.tone) for one in moments()]
    assert told == [
        ("Webhook", "contact_create: done", "ok"),
        ("Job", "contact.upsert: succeeded", "ok"),
        ("Attempt", "transient, status 503", "warn"),
        ("Event", "sync_retry", ""),
        ("Attempt", "ok", ""),
        ("Event", "sync_ok", ""),
    ]


def test_an_attempt_says_in_words_what_happened_and_what_support_asks_for(job: SyncJob) -> None:
    [first, _] = [one for one in moments() if one.kind == "Attempt"]
    assert first.detail == (
        "GoHighLevel is not available at the moment. "
        f"(number 1 of job {job.pk}, 250 ms, HTTP 503, GoHighLevel's trace id 0af7651916cd43dd)"
    )


def test_nothing_personal_is_on_the_page_and_its_links_lead_somewhere(job: SyncJob, boss: Client) -> None:
    page = boss.get(f"/admin/trace/{ID}/").content.decode()
    assert "contact.upsert: succeeded" in page
    assert "Jane" not in page
    for one in moments():
        assert not one.url or boss.get(one.url).status_code == 200, one.url


def test_each_part_is_for_who_may_see_it(job: SyncJob, staff: Staff) -> None:
    page = staff("view_syncjob").get(f"/admin/trace/{ID}/").content.decode()
    assert "contact.upsert: succeeded" in page
    assert "status 503" not in page
    assert "attempts of sync jobs" in page.partition("Not shown with your account:")[2]


def test_a_job_whose_page_is_not_there_is_told_without_a_link() -> None:
    assert trace_sources._page("admin:there_is_no_such_page", 7) == ""


def test_of_many_jobs_the_newest_are_told(job: SyncJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "MOST", 1)
    found = trace.trace(ID, may=lambda permission: permission == "sync.view_syncattempt", now=NOW)
    assert [one.title for one in found.moments] == ["ok"]
    assert [source.name for source in found.cut] == ["attempts of sync jobs"]
