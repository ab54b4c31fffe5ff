"""The queue of webhooks: claiming due ones under a lease, giving dead ones another try.

The rules: a webhook is in one hand at a time, and who holds an old fence changes nothing. One whose
worker was lost is taken alone, so that one that kills its process takes no neighbour with it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F

from sync import backoff
from sync.models import Webhook

# A batch's processing takes a second or two; a statement is given up after a minute.
LEASE = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A webhook in hand. fence: what settles it. is_lost: it was in a hand before that never settled it."""

    id: int
    fence: int
    topic: str
    correlation_id: str
    is_lost: bool = False


_CLAIM = """
update sync_webhook set state = 'leased', fence = fence + 1, next_at = %(lease)s
where id = any(array(
    select id from sync_webhook where state = 'waiting' and next_at <= %(now)s
    order by next_at, id limit %(most)s for update skip locked
))
returning id, fence, topic, correlation_id
"""
_CLAIM_LOST = """
update sync_webhook set fence = fence + 1, next_at = %(lease)s
where id = any(array(
    select id from sync_webhook where state = 'leased' and next_at <= %(now)s
    order by next_at, id limit 1 for update skip locked
))
returning id, fence, topic, correlation_id
"""


def claim(*, now: datetime, most: int, lease: timedelta = LEASE) -> list[Claimed]:
    """Take up to `most` due webhooks in hand until now + lease, in the order of their turn."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"now": now, "lease": now + lease, "most": most})
        return sorted((Claimed(*row) for row in cursor.fetchall()), key=lambda one: one.id)


def claim_lost(*, now: datetime, lease: timedelta = LEASE) -> Claimed | None:
    """Take one webhook in hand whose lease has run out, if there is one."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM_LOST, {"now": now, "lease": now + lease})
        row = cursor.fetchone()
        if row is None:
            return None
        id, fence, topic, correlation_id = row
        return Claimed(id, fence, topic, correlation_id, is_lost=True)


@transaction.atomic
def revive(ids: Iterable[int], *, now: datetime) -> set[int]:
    """Let dead webhooks wait for one more try; return those that do.

    Others are not dead any more, or their body was erased and there is nothing left to process.
    """
    dead = Webhook.objects.filter(pk__in=list(ids), state=Webhook.State.DEAD).exclude(body=b"")
    chosen = list(dead.order_by("pk").select_for_update().values_list("pk", flat=True))
    Webhook.objects.filter(pk__in=chosen).update(
        state=Webhook.State.WAITING,
        is_redrive=True,
        tries=backoff.MOST_TRIES - 1,
        fence=F("fence") + 1,
        next_at=now,
        processed_at=None,
    )
    return set(chosen)
