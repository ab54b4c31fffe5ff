"""What must not go yet: events that the counts or PostHog do not have.

The rule: nothing accepted is lost, so there is no way to force it. Who gives up on PostHog unsets its
key; then only the counts hold events back.
"""

from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Q

from observability import forwarder, watermark
from observability.models import Watermark
from observability.rollups import CONSUMER

# Nobody acts differently for more.
_COUNTED = 10_000
_FIRST_TIME = datetime(1, 1, 2, tzinfo=UTC)


def events(partition: str) -> str:
    """Return why a partition of the events must stay, or an empty text."""
    if watermark.positions_ahead():
        return "held back: restored from a dump; run manage.py reset_watermarks first"
    for words, position in _positions():
        waiting = _waiting(partition, *position)
        if waiting:
            more = "+" if waiting == _COUNTED else ""
            return f"held back: {waiting:,}{more} events not yet {words}"
    return ""


def backfilled_days() -> Q:
    """Return which notes of backfilled days no consumer needs any more."""
    return Q(xid__lt=min(xid for _, (xid, _, _) in _positions()))


def _positions() -> list[tuple[str, tuple[int, datetime, UUID]]]:
    """Return up to where each consumer has got: done with everything up to (xid, timestamp, uuid)."""
    counted = Watermark.objects.filter(consumer=CONSUMER).values_list("xid", flat=True).first() or 0
    positions = [("counted", (counted, _FIRST_TIME, UUID(int=0)))]
    if settings.POSTHOG_API_KEY:
        state = forwarder.look()
        reached = (state.position_timestamp or _FIRST_TIME, state.position_uuid or UUID(int=0))
        positions.append(("forwarded to PostHog", (state.position_xid, *reached)))
    return positions


def _waiting(partition: str, xid: int, timestamp: datetime, uuid: UUID) -> int:
    """Return how many events of a partition lie behind a position, counted no further than _COUNTED."""
    with connection.cursor() as cursor:
        # The partition's name is the table's and a date's digits. The index on xid answers.
        cursor.execute(
            f"select count(*) from (select from {partition} where xid >= %s"
            " and (xid, timestamp, uuid) > (%s, %s, %s) limit %s) few",
            [xid, xid, timestamp, uuid, _COUNTED],
        )
        return int(cursor.fetchone()[0])
