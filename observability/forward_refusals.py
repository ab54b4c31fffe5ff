"""Events that PostHog refused on their own: noted with the reason, and sent again when asked to."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from observability.models import ForwardRejection
from observability.posthog import COLUMNS, Refused, Sends, StoredEvent, Unavailable


def keep(event: StoredEvent, status: int, reason: str, *, now: datetime) -> None:
    """Note that PostHog refuses an event; it stays stored here, and can be sent again."""
    ForwardRejection.objects.update_or_create(
        uuid=event.uuid,
        defaults={
            "timestamp": event.timestamp,
            "event": event.event,
            "status": status,
            "reason": reason[:200],
            "state": ForwardRejection.State.OPEN,
            "refused_at": now,
        },
    )


def resend(rejections: Sequence[ForwardRejection], sender: Sends, *, now: datetime) -> tuple[int, int]:
    """Send events once more that PostHog had refused; return (sent, refused again).

    Raises Unavailable or Misconfigured where PostHog cannot take them now.
    """
    sent = refused = 0
    for rejection in rejections:
        event = _stored(rejection)
        if event is None:
            refused += 1
            _note(rejection, "not stored any more", now=now)
            continue
        try:
            outcome = sender.deliver([event])
            if outcome.again:
                raise Unavailable("PostHog asked to send it again")
            reason = outcome.refused.get(event.uuid)
        except Refused as refusal:
            reason = refusal.reason
        if reason:
            refused += 1
            _note(rejection, reason, now=now)
        else:
            sent += 1
            ForwardRejection.objects.filter(pk=rejection.pk).update(state=ForwardRejection.State.SENT)
    return sent, refused


def _note(rejection: ForwardRejection, reason: str, *, now: datetime) -> None:
    ForwardRejection.objects.filter(pk=rejection.pk).update(reason=reason[:200], refused_at=now)


def _stored(rejection: ForwardRejection) -> StoredEvent | None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"select {COLUMNS} from observability_event where timestamp = %s and uuid = %s",
            [rejection.timestamp, rejection.uuid],
        )
        row = cursor.fetchone()
    return StoredEvent.from_row(row) if row else None
