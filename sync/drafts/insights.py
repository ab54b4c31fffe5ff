"""What the agent has found out about a client, taken in for the trainer.

The rule: an insight is told in the transaction that stores it, and once for each idempotency key.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import transaction
from uuid_utils.compat import uuid7

from sync import signals
from sync.drafts.refusal import Refused
from sync.models import Insight, Location
from sync.signals import InsightAdded
from trainu import correlation

DEFAULT_IMPACT = 50


@dataclass(frozen=True, slots=True)
class Taken:
    """An insight that was taken in, or one that already was. is_duplicate: its idempotency key was known."""

    insight_id: UUID
    is_duplicate: bool


@transaction.atomic
def add(
    *,
    trainer_id: str,
    client_id: str,
    kind: str,
    text: str = "",
    impact: int = DEFAULT_IMPACT,
    contact_id: str = "",
    location_id: str = "",
    idempotency_key: str = "",
    now: datetime,
) -> Taken:
    """Keep an insight about a client for a trainer, and tell of it; return which one it is.

    kind: a word. impact: 0 to 100. contact_id, location_id: the client in GoHighLevel, where that is known.
    idempotency_key: unique for the trainer. Raises Refused "unknown_location", and "idempotency_key_reused"
    for one that belongs to another insight.
    """
    if location_id and not Location.objects.filter(pk=location_id).exists():
        raise Refused("unknown_location", "There is no such location. Add it in the admin first.")
    said = {
        "trainer_id": trainer_id,
        "client_id": client_id,
        "kind": kind,
        "text": text,
        "impact": impact,
        "contact_id": contact_id,
        "location_id": location_id or None,
    }
    row = Insight(
        id=uuid7(),
        **said,
        idempotency_key=idempotency_key,
        asked_digest=_digest(said) if idempotency_key else "",
        correlation_id=correlation.current() or correlation.new(),
        created_at=now,
    )
    Insight.objects.bulk_create([row], ignore_conflicts=bool(idempotency_key))
    if idempotency_key and (known := _known(row)) != row.pk:
        return Taken(known, is_duplicate=True)
    told = InsightAdded(row.pk, trainer_id, client_id, kind, now, row.correlation_id)
    signals.insights_added.send(sender=None, insights=[told])
    return Taken(row.pk, is_duplicate=False)


def _known(row: Insight) -> UUID:
    """Return the insight that the key belongs to."""
    known = Insight.objects.get(trainer_id=row.trainer_id, idempotency_key=row.idempotency_key)
    if known.asked_digest != row.asked_digest:
        raise Refused(
            "idempotency_key_reused",
            "This idempotency key belongs to another insight, which stays as it is. Send this one with a key"
            " of its own.",
        )
    return known.pk


def _digest(said: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()
