"""How long webhooks take to be processed, from when they came in.

The rule: the newest are looked at by the index of when they came in, and no further back than LOOKED_AT: what
waits is passed over, but not without end.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection

MOST = 1_000
LOOKED_AT = 5_000


@dataclass(frozen=True, slots=True)
class Took:
    """p95: within which 95 of 100 of these webhooks were processed; None where there are none."""

    p95: timedelta | None
    webhooks: int


# What a person has tried again was not slow: somebody had to come first.
_NEWEST = """
select percentile_disc(0.95) within group (order by took), count(*)
from (
    select greatest(processed_at - received_at, interval '0') as took
    from (
        select received_at, processed_at, state, is_redrive from sync_webhook {where}
        order by {order} limit %(looked_at)s
    ) newest
    where state in ('done', 'ignored') and not is_redrive
    limit %(most)s
) processed
"""
_OF_ALL = _NEWEST.format(where="", order="received_at desc, id desc")
# Said as a range: for one location, PostgreSQL might follow the index of times through all webhooks.
_OF_ONE = _NEWEST.format(
    where="where location_id between %(location_id)s and %(location_id)s",
    order="location_id desc, received_at desc",
)


def took(location_id: str = "") -> Took:
    """Return how long the newest MOST processed webhooks took, of one location or of all."""
    given: dict[str, Any] = {"most": MOST, "looked_at": LOOKED_AT, "location_id": location_id}
    with connection.cursor() as cursor:
        cursor.execute(_OF_ONE if location_id else _OF_ALL, given)
        p95, webhooks = cursor.fetchone()
    return Took(p95, webhooks)
