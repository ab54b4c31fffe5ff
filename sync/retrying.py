"""Jobs that wait for their next try, tried now: for a location that is back, or a cause that was mended.

The rule: they come due one after another, slower than the location may be asked, so that what is new does
not stand behind them. A lookup keeps its time, for GoHighLevel needs it to show its work.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from sync import budgets, signals
from sync.signals import Act

MOST = 10_000
# Of the location's rate: the rest is left to what is new.
SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Retried:
    """How many jobs come due earlier now. is_more: others still wait for longer; call again."""

    jobs: int
    is_more: bool


_PLACED = """
    select chosen.id,
           %(now)s + (row_number() over (partition by chosen.location_id order by chosen.position) - 1)
           * make_interval(secs => %(window)s / (location.burst_limit * %(share)s)) as due_at
    from chosen join sync_location location on location.id = chosen.location_id
"""
_SPREAD = f"""
with chosen as (
    select id, location_id, position from sync_syncjob where id = any(%(ids)s::uuid[])
), placed as ({_PLACED})
update sync_syncjob job set next_at = placed.due_at from placed where job.id = placed.id
"""
_WAITS = """
state = 'waiting' and not is_suspect and not is_lookup and tries > 0 and next_at > %(now)s
and {which}
"""
# The furthest first, so that another call takes up those that this one has left.
_RETRY = f"""
with chosen as materialized (
    select id, location_id, position from sync_syncjob where {_WAITS}
    order by next_at desc limit %(most)s for update skip locked
), placed as ({_PLACED}), moved as (
    update sync_syncjob job set next_at = placed.due_at
    from placed where job.id = placed.id and job.state = 'waiting' and job.next_at > placed.due_at
    returning placed.due_at
)
select count(*), max(due_at) from moved
"""
_LATER = f"select exists (select from sync_syncjob where {_WAITS} and next_at > %(last)s)"


def spread(ids: Collection[UUID], *, now: datetime, share: float = SHARE) -> None:
    """Let waiting jobs come due one after another, from now on. share: of their location's rate."""
    with connection.cursor() as cursor:
        cursor.execute(_SPREAD, _given(now, share) | {"ids": list(ids)})


@transaction.atomic
def retry_now(
    *, location_id: str = "", code: str = "", by: str | None, reason: str = "", now: datetime
) -> Retried:
    """Try the waiting jobs of a location, or those that failed with a code, from now on; at most MOST.

    by: who asked for it, None: whoever works now. Raises ValueError unless one of both is given.
    """
    if bool(location_id) == bool(code):
        raise ValueError("Give a location or a code.")
    which = "location_id = %(value)s" if location_id else "code = %(value)s"
    given = _given(now, SHARE) | {"value": location_id or code, "most": MOST}
    with connection.cursor() as cursor:
        cursor.execute(_RETRY.format(which=which), given)
        jobs, last = cursor.fetchone()
        is_more = False
        if jobs:
            cursor.execute(_LATER.format(which=which), given | {"last": last})
            [is_more] = cursor.fetchone()
    if jobs:
        target = ("sync.location", location_id) if location_id else ("sync.code", code)
        act = Act("job.retry_now", *target, reason=reason, actor=by, changes={"jobs": (None, jobs)})
        signals.acted.send(sender=None, acts=[act])
    return Retried(jobs, is_more)


def _given(now: datetime, share: float) -> dict[str, Any]:
    return {"now": now, "share": share, "window": budgets.WINDOW_S}
