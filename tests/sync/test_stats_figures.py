"""What sync health asks of sync: how long webhooks took, what was dead day by day, and where."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sync.models import LedgerCheck, Location, Webhook
from sync.stats import backlog, locations, processing
from sync.stats.processing import Took

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def places(db: None) -> None:
    for number, name in ((1, "Studio B"), (2, "Studio A")):
        Location.objects.create(pk=f"loc-{number}", name=name, created_at=NOW)


def webhook(number: int, after: timedelta | None, **overrides: Any) -> Webhook:
    """Store a webhook. after: how long its processing took; None: it waits."""
    received_at = NOW - number * MINUTE
    given: dict[str, Any] = {
        "dedupe_key": f"w-{number}",
        "location_id": "loc-1",
        "kind": "marketplace",
        "topic": "contact_create",
        "body": b"{}",
        "received_at": received_at,
        "next_at": received_at,
        "correlation_id": "journey-1234",
        "state": "waiting" if after is None else "done",
        "processed_at": None if after is None else received_at + after,
    }
    return Webhook(**(given | overrides))


def test_without_webhooks_nobody_knows_how_long_they_take() -> None:
    Webhook.objects.bulk_create([webhook(1, None)])
    assert processing.took() == Took(None, 0)


def test_95_of_100_webhooks_were_processed_within_the_p95() -> None:
    Webhook.objects.bulk_create([webhook(number, number * SECOND) for number in range(1, 101)])
    assert processing.took() == Took(95 * SECOND, 100)


def test_the_newest_thousand_count_and_what_waits_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processing, "MOST", 10)
    monkeypatch.setattr(processing, "LOOKED_AT", 20)
    Webhook.objects.bulk_create(
        [
            *(webhook(number, None) for number in range(5)),
            *(webhook(number, SECOND) for number in range(5, 15)),
            *(webhook(number, 9 * MINUTE) for number in range(15, 40)),
        ]
    )
    assert processing.took() == Took(SECOND, 10)
    # So many wait that only a few of those looked at were processed.
    Webhook.objects.filter(state="done", processed_at__lt=NOW).filter(
        received_at__gt=NOW - 12 * MINUTE
    ).update(state="waiting", processed_at=None)
    assert processing.took() == Took(9 * MINUTE, 8)


def test_what_is_dead_or_was_tried_again_by_a_person_is_left_out_and_what_was_ignored_is_not() -> None:
    Webhook.objects.bulk_create(
        [
            webhook(1, 9 * MINUTE, state="dead", code="bad_payload"),
            webhook(2, 9 * MINUTE, is_redrive=True),
            webhook(3, 2 * SECOND, state="ignored", code="not_used"),
        ]
    )
    assert processing.took() == Took(2 * SECOND, 1)


def test_what_was_processed_before_it_came_in_by_the_clock_of_another_host_took_no_time() -> None:
    Webhook.objects.bulk_create([webhook(1, -SECOND)])
    assert processing.took() == Took(timedelta(0), 1)


def test_one_location_is_told_apart() -> None:
    Webhook.objects.bulk_create([webhook(1, SECOND), webhook(2, MINUTE, location_id="loc-2")])
    assert processing.took("loc-1") == Took(SECOND, 1)
    assert processing.took("loc-2") == Took(MINUTE, 1)
    assert processing.took("loc-3") == Took(None, 0)


def test_webhooks_are_found_by_the_index_of_when_they_came_in() -> None:
    Webhook.objects.bulk_create([webhook(number, SECOND) for number in range(200)])
    with CaptureQueriesContext(connection) as asked:
        processing.took()
        processing.took("loc-1")
    with connection.cursor() as cursor:
        cursor.execute("analyze sync_webhook")
        cursor.execute("set local enable_seqscan = off")
        for statement, index in zip(asked.captured_queries, ("by_time", "by_location"), strict=True):
            cursor.execute(f"explain {statement['sql']}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert f"webhook_{index}" in plan, plan
            # In the index's own order: nothing is sorted to find the newest.
            assert "received_at DESC" not in plan, plan


def test_each_check_of_the_ledger_says_how_many_letters_were_open() -> None:
    for days, is_open in ((0, 3), (1, 5), (2, 8)):
        LedgerCheck.objects.create(
            day=NOW.date() - timedelta(days=days),
            checked_at=NOW - timedelta(days=days),
            dead=is_open + 2,
            open=is_open,
            redriving=0,
            recovered=2,
            discarded=0,
            superseded=0,
        )
    day = timedelta(days=1)
    assert backlog.checks(since=NOW - 2 * day, until=NOW) == [(NOW - 2 * day, 8), (NOW - day, 5)]
    assert backlog.checks(since=NOW, until=NOW + day) == [(NOW, 3)]
    assert backlog.checks(since=NOW + day, until=NOW + 2 * day) == []


def test_locations_to_choose_from_are_by_name_and_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert locations.ids() == ["loc-2", "loc-1"]
    monkeypatch.setattr(locations, "MOST_OFFERED", 1)
    assert locations.ids() == ["loc-2"]
