"""Whom a cause is about: people and locations of its open letters, and since when the oldest waits.

The rules: counted now and then beside the pages, which read the group's row alone. A group that is too large
to be counted in time keeps no figure: pages then say that it is not counted, and nobody waits for it.
"""

import time
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connection
from django.db.models import F, Q

from sync.models import CauseGroup
from trainu.bounded_query import TooBroad, bounded

log = structlog.get_logger(__name__)

# For one group, and for all of a call: bulk operations wait behind it.
TIME_LIMIT_MS = 2_000
BUDGET_S = 5.0
# A death is noticed at once, an end by this: letters that recover leave no mark on their group.
AGAIN = timedelta(minutes=10)
MOST = 200

# A contact's order is its own, messages have one of their contact, an upsert has a digest of its person. What
# is about an appointment or a task names its contact in its payload, if at all.
_COUNT = """
select count(distinct case
           when job.ordering_key like 'contact:%%' then substr(job.ordering_key, 9)
           when job.ordering_key like 'messages:%%' then substr(job.ordering_key, 10)
           when job.ordering_key like 'person:%%' then job.ordering_key
           else coalesce(job.payload ->> 'contact_id', nullif(webhook.contact_id, '')) end),
       count(distinct letter.location_id), min(letter.first_died_at)
from sync_deadletter letter
left join sync_syncjob job on job.id = letter.job_id
left join sync_webhook webhook on webhook.id = letter.webhook_id
where letter.group_id = %s and letter.state = 'open'
"""


def count(*, now: datetime, budget_s: float = BUDGET_S) -> int:
    """Count for groups whose open letters may be others than before; return how many were looked at.

    budget_s: seconds after which the rest is left to the next call.
    """
    ends = time.monotonic() + budget_s
    looked_at = 0
    for group_id in _due(now):
        if time.monotonic() > ends:
            break
        CauseGroup.objects.filter(pk=group_id).update(counted_at=now, **_counted(group_id))
        looked_at += 1
    return looked_at


def _due(now: datetime) -> list[int]:
    """Return groups to count, those that were never counted first. What was too large waits its time."""
    has_died = Q(last_seen_at__gte=F("counted_at"), people__isnull=False)
    due = Q(counted_at=None) | has_died | Q(counted_at__lte=now - AGAIN)
    is_open = ~Q(state=CauseGroup.State.RESOLVED)
    # Of one that was resolved the figures have to go, once.
    is_over = Q(state=CauseGroup.State.RESOLVED) & (Q(people__gt=0) | Q(locations__gt=0))
    found = CauseGroup.objects.filter(is_open & due | is_over)
    return list(
        found.order_by(F("counted_at").asc(nulls_first=True), "pk").values_list("pk", flat=True)[:MOST]
    )


def _counted(group_id: int) -> dict[str, Any]:
    try:
        with bounded(TIME_LIMIT_MS), connection.cursor() as cursor:
            cursor.execute(_COUNT, [group_id])
            people, locations, oldest_at = cursor.fetchone()
    except TooBroad:
        log.info("impact_not_counted", group_id=group_id)
        return {"people": None, "locations": None, "oldest_at": None}
    return {"people": people, "locations": locations, "oldest_at": oldest_at}
