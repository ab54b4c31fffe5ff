"""What sync tells about itself: true, bounded, and found by an index however much there is."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from uuid_utils.compat import uuid7

from sync.attempt_log import TABLE
from sync.models import Breaker, Budget, CauseGroup, DeadLetter, Location, SyncAttempt, SyncJob, Webhook
from sync.stats import dead_letters, locations, queues, traced
from sync.stats.queues import Count

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def location(db: None) -> Location:
    return Location.objects.create(pk="loc-1", name="Studio", created_at=NOW)


def job(**overrides: Any) -> SyncJob:
    given: dict[str, Any] = {
        "id": uuid7(),
        "location_id": "loc-1",
        "operation": "contact.add_tags",
        "payload": {},
        "next_at": NOW,
        "created_at": NOW - MINUTE,
        "correlation_id": "journey-1234",
    }
    return SyncJob.objects.create(**(given | overrides))


def webhook(key: str, **overrides: Any) -> Webhook:
    given: dict[str, Any] = {
        "dedupe_key": key,
        "location_id": "loc-1",
        "kind": "marketplace",
        "topic": "contact_create",
        "body": b"{}",
        "received_at": NOW,
        "next_at": NOW,
        "correlation_id": "journey-1234",
    }
    return Webhook.objects.create(**(given | overrides))


def attempt(of: SyncJob, fence: int, at: datetime, **overrides: Any) -> SyncAttempt:
    given: dict[str, Any] = {
        "started_at": at,
        "job_id": of.pk,
        "fence": fence,
        "kind": "send",
        "outcome": "transient",
        "code": "status_503",
        "duration_ms": 12.5,
    }
    TABLE.ensure({at.date()})
    return SyncAttempt.objects.create(**(given | overrides))


def late() -> datetime | None:
    return queues.jobs(now=NOW).late_since


def test_an_empty_house_has_nothing_waiting_late_or_lost() -> None:
    for ask in (queues.jobs, queues.webhooks):
        assert ask(now=NOW) == queues.Queue(Count(0), None, Count(0), None)
    assert locations.held(now=NOW) == locations.unanswered(now=NOW) == locations.resting(now=NOW) == []


def test_late_is_since_when_the_first_job_has_been_due() -> None:
    job(next_at=NOW + MINUTE)
    assert late() is None
    job(next_at=NOW - MINUTE)
    job(next_at=NOW - 5 * MINUTE)
    job(next_at=NOW - 9 * MINUTE, state="succeeded", settled_at=NOW)
    assert late() == NOW - 5 * MINUTE
    assert queues.jobs(now=NOW).waiting == Count(3)


def test_a_job_that_the_recovery_lane_has_to_take_is_late_too() -> None:
    job(next_at=NOW - 3 * MINUTE, is_suspect=True)
    assert (late(), queues.jobs(now=NOW).waiting) == (NOW - 3 * MINUTE, Count(1))


def test_what_stands_behind_another_of_its_order_is_not_late() -> None:
    job(ordering_key="contact:1", next_at=NOW + 60 * MINUTE)
    job(ordering_key="contact:1", next_at=NOW - 30 * MINUTE)
    assert late() is None
    job(ordering_key="contact:2", next_at=NOW - MINUTE)
    job(ordering_key="contact:2", next_at=NOW - 2 * MINUTE)
    assert late() == NOW - MINUTE
    SyncJob.objects.filter(next_at=NOW + 60 * MINUTE).update(state="leased")
    assert late() == NOW - MINUTE
    SyncJob.objects.filter(state="leased").update(state="succeeded", settled_at=NOW)
    assert late() == NOW - 30 * MINUTE
    job(ordering_key="contact:1", state="leased", next_at=NOW + MINUTE)
    assert late() == NOW - MINUTE


def held_by_staff() -> None:
    Location.objects.update(state="paused", state_reason="moving", paused_until=NOW + MINUTE)


def held_by_its_token() -> None:
    Location.objects.update(state="misconfigured", state_reason="no token")


def held_by_its_breaker() -> None:
    Breaker.objects.update(state="open", probe_at=NOW + MINUTE)


def held_by_ghl() -> None:
    Budget.objects.update(held_until=NOW + MINUTE)


def held_by_its_day() -> None:
    Budget.objects.update(day=NOW.date(), used_today=190_000)


@pytest.mark.parametrize(
    "hold", [held_by_staff, held_by_its_token, held_by_its_breaker, held_by_ghl, held_by_its_day]
)
@pytest.mark.parametrize("is_suspect", [False, True])
def test_jobs_of_a_location_that_nothing_may_be_sent_for_are_not_late(
    hold: Callable[[], None], is_suspect: bool
) -> None:
    job(next_at=NOW - 5 * MINUTE, is_suspect=is_suspect)
    assert late() == NOW - 5 * MINUTE
    hold()
    assert late() is None
    assert queues.jobs(now=NOW).waiting == Count(1)


def test_a_pause_and_a_days_quota_that_are_over_hold_nothing() -> None:
    job(next_at=NOW - 5 * MINUTE)
    Location.objects.update(state="paused", state_reason="moving", paused_until=NOW)
    Budget.objects.update(day=NOW.date() - timedelta(days=1), used_today=190_000, held_until=NOW)
    assert late() == NOW - 5 * MINUTE
    assert locations.held(now=NOW) == locations.resting(now=NOW) == []


def test_a_lease_that_has_run_out_is_lost_work() -> None:
    job(state="leased", next_at=NOW + MINUTE)
    assert queues.jobs(now=NOW).lost == Count(0)
    job(state="leased", next_at=NOW - MINUTE)
    job(state="leased", next_at=NOW - 4 * MINUTE)
    webhook("w-1", state="leased", next_at=NOW - 2 * MINUTE)
    jobs, webhooks = queues.jobs(now=NOW), queues.webhooks(now=NOW)
    assert (jobs.lost, jobs.lost_since) == (Count(2), NOW - 4 * MINUTE)
    assert (webhooks.lost, webhooks.lost_since) == (Count(1), NOW - 2 * MINUTE)


def test_webhooks_wait_and_those_tried_again_later_are_not_late() -> None:
    webhook("w-1", next_at=NOW + MINUTE)
    assert queues.webhooks(now=NOW).late_since is None
    webhook("w-2", next_at=NOW - 6 * MINUTE)
    webhook("w-3", state="done", processed_at=NOW, next_at=NOW - 9 * MINUTE)
    found = queues.webhooks(now=NOW)
    assert (found.waiting, found.late_since) == (Count(2), NOW - 6 * MINUTE)


def test_a_count_ends_and_says_that_there_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "MOST", 2)
    for number in range(4):
        job(state="leased", next_at=NOW - MINUTE)
        job(is_suspect=number % 2 == 0)
        webhook(f"w-{number}")
    jobs = queues.jobs(now=NOW)
    assert jobs.waiting == jobs.lost == queues.webhooks(now=NOW).waiting == Count(2, is_more=True)
    assert str(jobs.waiting) == "more than 2"
    assert str(Count(1_000)) == "1,000"


def test_held_locations_say_since_when_and_why() -> None:
    Location.objects.create(
        pk="loc-2", name="Gym", created_at=NOW, state="misconfigured", state_reason="no token"
    )
    Location.objects.create(
        pk="loc-3",
        name="Pool",
        created_at=NOW,
        state="paused",
        state_reason="moving",
        paused_until=NOW + MINUTE,
    )
    assert locations.held(now=NOW) == [
        locations.Held("loc-2", "misconfigured", None, "no token"),
        locations.Held("loc-3", "paused", NOW + MINUTE, "moving"),
    ]


def test_locations_without_an_answer_and_without_requests_left_are_told() -> None:
    Breaker.objects.update(state="ramping", opened_at=NOW - MINUTE, probe_at=NOW)
    assert locations.unanswered(now=NOW) == [locations.Unanswered("loc-1", "ramping", NOW - MINUTE, NOW)]
    held_by_ghl()
    assert locations.resting(now=NOW) == [locations.Resting("loc-1", NOW + MINUTE, False)]
    held_by_its_day()
    midnight = datetime(2026, 11, 24, tzinfo=UTC)
    assert locations.resting(now=NOW) == [locations.Resting("loc-1", midnight, True)]


def test_the_newest_webhook_of_each_active_location_shows_who_is_silent() -> None:
    Location.objects.create(pk="loc-2", name="Gym", created_at=NOW)
    Location.objects.create(pk="loc-3", name="Pool", created_at=NOW, state="misconfigured", state_reason="x")
    webhook("w-1", received_at=NOW - MINUTE)
    webhook("w-2", received_at=NOW - 9 * MINUTE)
    assert locations.heard(now=NOW) == [
        locations.Heard("loc-1", NOW - MINUTE),
        locations.Heard("loc-2", None),
    ]


def test_a_correlation_id_leads_to_jobs_attempts_and_webhooks_newest_first() -> None:
    first, second = job(created_at=NOW - 3 * MINUTE), job(created_at=NOW - 2 * MINUTE)
    other = job(correlation_id="another-id")
    attempt(other, 1, NOW)
    for number in (1, 2, 3):
        attempt(first, number, NOW + number * MINUTE)
    # The clock of the host that sent it is behind.
    attempt(second, 1, NOW - 4 * MINUTE, kind="lookup", outcome="not_found", code="not_found", status=None)
    webhook("w-1")
    webhook("w-2", correlation_id="another-id")
    since = NOW - 60 * MINUTE
    jobs = traced.jobs("journey-1234", since, 10)
    assert [one.job_id for one in jobs] == [second.pk, first.pk]
    attempts = traced.attempts("journey-1234", since, 10)
    assert [(one.job_id, one.number) for one in attempts] == [
        (first.pk, 3),
        (first.pk, 2),
        (first.pk, 1),
        (second.pk, 1),
    ]
    assert attempts[0].words == "GoHighLevel is not available at the moment."
    assert "had not been done" in attempts[-1].words
    assert [one.topic for one in traced.webhooks("journey-1234", since, 10)] == ["contact_create"]
    for ask in (traced.jobs, traced.attempts):
        assert len(ask("journey-1234", since, 1)) == 1
    for ask in (traced.jobs, traced.attempts, traced.webhooks):
        assert ask("nowhere-to-be-found", since, 10) == []


def test_a_word_of_another_release_has_no_explanation_and_breaks_nothing() -> None:
    attempt(job(), 1, NOW, outcome="puzzled", code="status_999")
    [one] = traced.attempts("journey-1234", NOW - MINUTE, 10)
    assert (one.outcome, one.words) == ("puzzled", "")


def letter(cause: str, died_at: datetime, state: str = "open") -> DeadLetter:
    group, _ = CauseGroup.objects.get_or_create(
        fingerprint=cause,
        version=1,
        defaults={
            "integration": "ghl",
            "subject": "contact.add_tags",
            "code": "status_422",
            "cause": "refused",
            "first_seen_at": died_at,
            "last_seen_at": died_at,
        },
    )
    dead = job(state="dead", cause="refused", settled_at=died_at)
    return DeadLetter.objects.create(
        job=dead,
        group=group,
        location_id="loc-1",
        state=state,
        code="status_422",
        died_at=died_at,
        first_died_at=died_at,
    )


def test_dead_letters_are_told_by_their_groups_counters() -> None:
    assert dead_letters.letters() == dead_letters.Letters(0, 0, 0, None)
    letter("a", NOW - 3 * MINUTE, "redriving")
    letter("a", NOW - MINUTE)
    letter("b", NOW - 2 * MINUTE)
    gone = letter("c", NOW - 9 * MINUTE)
    DeadLetter.objects.filter(pk=gone.pk).update(state="recovered", resolved_at=NOW)
    assert dead_letters.letters() == dead_letters.Letters(2, 1, 2, NOW - 2 * MINUTE)


def ask_everything() -> None:
    queues.jobs(now=NOW)
    queues.webhooks(now=NOW)
    locations.held(now=NOW)
    locations.unanswered(now=NOW)
    locations.resting(now=NOW)
    locations.heard(now=NOW)
    dead_letters.letters()
    traced.jobs("journey-1234", NOW - MINUTE, 10)
    traced.attempts("journey-1234", NOW - MINUTE, 10)
    traced.webhooks("journey-1234", NOW - MINUTE, 10)


def test_every_question_finds_its_jobs_attempts_and_webhooks_by_an_index() -> None:
    attempt(job(), 1, NOW)
    with CaptureQueriesContext(connection) as asked:
        ask_everything()
    statements = [one["sql"] for one in asked if one["sql"].lstrip().lower().startswith("select")]
    assert len(statements) == 15
    with connection.cursor() as cursor:
        # So few rows are read whole otherwise; whatever has no index is read whole all the same.
        cursor.execute("set local enable_seqscan = off")
        for statement in statements:
            cursor.execute(f"explain {statement}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            for table in (
                "sync_syncjob",
                "sync_attempt",
                "sync_webhook",
                "sync_deadletter",
                "sync_causegroup",
            ):
                assert f"Seq Scan on {table}" not in plan, plan


def test_a_job_behind_another_is_found_by_the_index_of_orders() -> None:
    # An empty table is as quickly found by any index; what earlier tests left of it decides then.
    for number in range(200):
        job(ordering_key=f"contact:{number}", next_at=NOW - MINUTE)
    with CaptureQueriesContext(connection) as asked:
        queues.jobs(now=NOW)
    [late] = [one["sql"] for one in asked if "other.position" in one["sql"]]
    with connection.cursor() as cursor:
        cursor.execute("analyze sync_syncjob")
        cursor.execute("set local enable_seqscan = off")
        cursor.execute(f"explain {late}")
        assert "job_order" in str(cursor.fetchall())
