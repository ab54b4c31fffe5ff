"""What health says of sync: in numbers, in sentences that say what to do, and to the right people."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from observability import health, sync_health
from observability.health import Status
from sync.models import Breaker, Location, SyncJob, Webhook

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def location(db: None) -> Location:
    return Location.objects.create(pk="loc-1", name="Studio", created_at=NOW)


def job(**overrides: Any) -> None:
    given: dict[str, Any] = {
        "id": uuid7(),
        "location_id": "loc-1",
        "operation": "contact.add_tags",
        "payload": {},
    }
    SyncJob.objects.create(**(given | {"created_at": NOW, "correlation_id": "journey-1234"} | overrides))


def webhook(**overrides: Any) -> None:
    given: dict[str, Any] = {
        "dedupe_key": "w-1",
        "location_id": "loc-1",
        "kind": "marketplace",
        "topic": "contact_create",
        "body": b"{}",
        "received_at": NOW,
        "correlation_id": "journey-1234",
    }
    Webhook.objects.create(**(given | overrides))


def wrong() -> list[str]:
    return sync_health.look(now=NOW)[0]


CASES: list[tuple[Callable[[timedelta], None], timedelta, str]] = [
    (lambda ago: job(next_at=NOW - ago), 2 * MINUTE, "Jobs wait that could be worked off"),
    (lambda ago: webhook(next_at=NOW - ago), 5 * MINUTE, "Webhooks wait that could be worked off"),
    (lambda ago: job(state="leased", next_at=NOW - ago), 3 * MINUTE, "Jobs of workers that died"),
    (lambda ago: webhook(state="leased", next_at=NOW - ago), 3 * MINUTE, "Webhooks of workers that died"),
]


@pytest.mark.parametrize(("make", "limit", "words"), CASES, ids=[words for _, _, words in CASES])
def test_late_work_is_told_behind_its_limit_and_not_before(
    make: Callable[[timedelta], None], limit: timedelta, words: str
) -> None:
    make(limit)
    assert wrong() == []
    Webhook.objects.all().delete()
    make(limit + timedelta(seconds=1))
    [told] = wrong()
    assert words in told
    assert "See whether the workers run" in told


def test_held_locations_are_named_by_id_the_first_of_them() -> None:
    Location.objects.create(pk="loc-2", name="Jane's Gym", created_at=NOW)
    Location.objects.filter(pk="loc-2").update(state="paused", state_reason="Jane is away")
    told, detail = sync_health.look(now=NOW)
    assert "until somebody resumes them" in told[0]
    assert detail["held"] == ["loc-2"]
    assert "Jane" not in str(detail)
    for number in range(11):
        pk = f"more-{number:02}"
        Location.objects.create(
            pk=pk, name=pk, created_at=NOW, state="misconfigured", state_reason="no token"
        )
    held = sync_health.look(now=NOW)[1]["held"]
    assert (len(held), held[0], held[-1]) == (11, "loc-2", "and 2 more")


def test_a_location_without_an_answer_is_told() -> None:
    Breaker.objects.update(state="open", probe_at=NOW)
    told, detail = sync_health.look(now=NOW)
    assert "GoHighLevel does not answer" in told[0]
    assert detail["unanswered"] == ["loc-1"]


def test_sync_that_gets_on_passes_with_its_numbers_and_warns_otherwise() -> None:
    job(next_at=NOW + timedelta(days=3650))
    found = health.check_sync()
    assert found.status is Status.PASS
    assert found.detail == {
        "wrong": [],
        "jobs_waiting": "1",
        "jobs_late_s": 0.0,
        "jobs_lost": "0",
        "webhooks_waiting": "0",
        "webhooks_late_s": 0.0,
        "webhooks_lost": "0",
        "dead_letters": 0,
        "kill_switch": "off",
        "messages_held": "0",
        "held": [],
        "unanswered": [],
    }
    Breaker.objects.update(state="open", probe_at=NOW)
    assert health.check_sync().status is Status.WARN
    assert "sync" in health.ALL
    assert "sync" not in health.READY


def test_looking_costs_the_same_however_many_locations_there_are(django_assert_num_queries: Any) -> None:
    for number in range(20):
        Location.objects.create(pk=f"more-{number}", name="Gym", created_at=NOW)
        job(location_id=f"more-{number}", next_at=NOW)
    with django_assert_num_queries(10):
        sync_health.look(now=NOW)
