"""What leaves a trail under a correlation id, at its least: a job, a webhook, a letter, a bulk operation."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone
from uuid_utils.compat import uuid7

from sync.models import BulkItem, BulkOperation, CauseGroup, DeadLetter, Location, SyncJob, Webhook

HERE = "loc-1"
NOW = timezone.now()


def place() -> Location:
    return Location.objects.get_or_create(pk=HERE, defaults={"name": "Studio", "created_at": NOW})[0]


def job(correlation_id: str, *, minutes_ago: float = 5, **fields: Any) -> SyncJob:
    made = NOW - timedelta(minutes=minutes_ago)
    state = {"state": "succeeded", "settled_at": made}
    defaults = {"operation": "contact.update", "payload": {}, "next_at": made, "created_at": made}
    return SyncJob.objects.create(
        id=uuid7(), location=place(), correlation_id=correlation_id, **{**state, **defaults, **fields}
    )


def webhook(correlation_id: str, **fields: Any) -> Webhook:
    return Webhook.objects.create(
        dedupe_key=str(uuid4()),
        location=place(),
        kind="marketplace",
        topic="contact_update",
        body=b"{}",
        received_at=NOW - timedelta(minutes=1),
        next_at=NOW,
        correlation_id=correlation_id,
        **fields,
    )


def letter(of: SyncJob) -> DeadLetter:
    group, _ = CauseGroup.objects.get_or_create(
        fingerprint="f" * 32,
        version=1,
        defaults={
            "integration": "ghl",
            "subject": "contact.update",
            "code": "invalid",
            "first_seen_at": NOW,
            "last_seen_at": NOW,
        },
    )
    return DeadLetter.objects.create(
        job=of, group=group, location_id=HERE, code="invalid", died_at=NOW, first_died_at=NOW
    )


def bulk(letters: list[DeadLetter]) -> BulkOperation:
    operation = BulkOperation.objects.create(
        kind="redrive", chosen={}, reason="Mended", by="staff:1", started_at=NOW, looked_at=NOW
    )
    for one in letters:
        BulkItem.objects.create(operation=operation, letter=one, group=one.group)
    return operation
