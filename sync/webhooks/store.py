"""Writing a webhook down, once for each dedupe key, and telling of it in the same transaction.

The rule: whoever answers 200 has come back from here. Nobody waits long: a table that cannot be written
within a second or two is told to the sender as "later".
"""

import time
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from sync import signals
from sync.models import Webhook
from sync.signals import WebhookStored
from trainu import correlation

LOCK_TIMEOUT_MS = 1_000
STATEMENT_TIMEOUT_MS = 3_000

_BOUNDS = "select set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true)"
_INSERT = """
insert into sync_webhook (dedupe_key, location_id, kind, topic, body, received_at, sent_at, correlation_id,
    contact_id, object_id, state, tries, is_redrive, fence, next_at, code, processed_at)
values (%(dedupe_key)s, %(location_id)s, %(kind)s, %(topic)s, %(body)s, %(now)s, %(sent_at)s,
    %(correlation_id)s, %(contact_id)s, %(object_id)s, %(state)s, 0, false, 0, %(now)s, %(code)s,
    %(processed_at)s)
on conflict (dedupe_key) do nothing
returning id
"""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A webhook that is to be stored. code: why it is ignored from the start; empty: it will be processed.

    started: time.perf_counter() when the request came in.
    """

    kind: Webhook.Kind
    dedupe_key: str
    topic: str
    body: bytes
    started: float
    location_id: str = ""
    contact_id: str = ""
    object_id: str = ""
    sent_at: datetime | None = None
    code: str = ""


def keep(arrival: Arrival, *, now: datetime) -> bool:
    """Store a webhook; return whether it was new.

    Raises django.db.OperationalError where it cannot be stored now.
    """
    correlation_id = correlation.current() or correlation.new()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_BOUNDS, [f"{LOCK_TIMEOUT_MS}ms", f"{STATEMENT_TIMEOUT_MS}ms"])
            cursor.execute(
                _INSERT,
                {
                    "dedupe_key": arrival.dedupe_key,
                    "location_id": arrival.location_id or None,
                    "kind": arrival.kind.value,
                    "topic": arrival.topic,
                    "body": arrival.body,
                    "now": now,
                    "sent_at": arrival.sent_at,
                    "correlation_id": correlation_id,
                    "contact_id": arrival.contact_id,
                    "object_id": arrival.object_id,
                    "state": (Webhook.State.IGNORED if arrival.code else Webhook.State.WAITING).value,
                    "code": arrival.code,
                    "processed_at": now if arrival.code else None,
                },
            )
            is_new = cursor.fetchone() is not None
        # What is of no location known here is nobody's event.
        if is_new and arrival.location_id:
            _tell(arrival, correlation_id, now=now)
    return is_new


def _tell(arrival: Arrival, correlation_id: str, *, now: datetime) -> None:
    stored = WebhookStored(
        webhook_id=arrival.dedupe_key,
        location_id=arrival.location_id,
        topic=arrival.topic,
        contact_id=arrival.contact_id or None,
        received_at=now,
        duration_ms=round((time.perf_counter() - arrival.started) * 1e3, 3),
        correlation_id=correlation_id,
    )
    signals.webhooks_stored.send(sender=None, webhooks=[stored])
