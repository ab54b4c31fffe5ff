"""What became of a correlation id's jobs and webhooks that died: letters, bulk operations, audited names.

The rule: ids first, by their indexes, then what belongs to them; never more than so many. Whoever asks for a
page sets a limit of time.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sync.models import BulkItem, DeadLetter, SyncJob, Webhook

# Of what was enqueued together, the newest are followed.
_MOST_FOLLOWED = 200


@dataclass(frozen=True, slots=True)
class LetterSeen:
    """A dead letter as it stands now. what: operation or topic. by: who discarded it."""

    letter_id: int
    what: str
    code: str
    state: str
    first_died_at: datetime
    died_at: datetime
    deaths: int
    resolved_at: datetime | None
    by: str


@dataclass(frozen=True, slots=True)
class BulkSeen:
    """What a bulk operation has done with one letter. outcome: the item's state. ended_at: of the item."""

    operation_id: int
    kind: str
    letter_id: int
    outcome: str
    by: str
    started_at: datetime
    ended_at: datetime | None


def letters(correlation_id: str, most: int) -> list[LetterSeen]:
    """Return the letters of the jobs and webhooks under an id, those that died last first."""
    fields = (
        "pk",
        "group__subject",
        "code",
        "state",
        "first_died_at",
        "died_at",
        "deaths",
        "resolved_at",
        "discarded_by",
    )
    found = [
        LetterSeen(*row)
        for condition in _conditions(correlation_id)
        for row in DeadLetter.objects.filter(**condition).order_by("-died_at").values_list(*fields)[:most]
    ]
    return sorted(found, key=lambda letter: letter.died_at, reverse=True)[:most]


def bulk(correlation_id: str, most: int) -> list[BulkSeen]:
    """Return what bulk operations have done with the letters under an id, the newest first."""
    ids = [letter.letter_id for letter in letters(correlation_id, _MOST_FOLLOWED)]
    if not ids:
        return []
    items = BulkItem.objects.filter(letter__in=ids).select_related("operation").order_by("-pk")
    return [
        BulkSeen(
            one.operation_id,
            one.operation.get_kind_display(),
            one.letter_id,
            one.get_state_display(),
            one.operation.by,
            one.operation.started_at,
            one.ended_at,
        )
        for one in items[:most]
    ]


def names(correlation_id: str) -> dict[str, list[str]]:
    """Return what the audit log calls the newest jobs, webhooks and letters under an id: ids by kind."""
    jobs = SyncJob.objects.filter(correlation_id=correlation_id).order_by("-created_at")
    webhooks = Webhook.objects.filter(correlation_id=correlation_id).order_by("-received_at")
    found: dict[str, list[Any]] = {
        "sync.syncjob": list(jobs.values_list("pk", flat=True)[:_MOST_FOLLOWED]),
        "sync.webhook": list(webhooks.values_list("pk", flat=True)[:_MOST_FOLLOWED]),
        "sync.deadletter": [one.letter_id for one in letters(correlation_id, _MOST_FOLLOWED)],
    }
    return {kind: [str(key) for key in keys] for kind, keys in found.items() if keys}


def _conditions(correlation_id: str) -> list[dict[str, object]]:
    # Ids and no join: a join would read the letters of every job.
    conditions: list[dict[str, object]] = []
    for name, rows in (("job", SyncJob.objects), ("webhook", Webhook.objects)):
        ids = list(rows.filter(correlation_id=correlation_id).values_list("pk", flat=True)[:_MOST_FOLLOWED])
        if ids:
            conditions.append({f"{name}__in": ids})
    return conditions
