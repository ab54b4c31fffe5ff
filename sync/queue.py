"""The queue: claiming due jobs under a lease, and settling them by fence. Two statements a batch.

The rules: a job is in one hand at a time; whoever's lease ran out changes nothing any more; a job waits
for those before it in its order. A claim counts the fence, so no crash leaves a job without a next try.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from sync.transitions import Next, State

# Longer than an attempt may take, with its lookup's requests, and the settling of its batch.
LEASE = timedelta(seconds=45)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job in hand. fence: what settles it."""

    id: UUID
    fence: int
    location_id: str
    operation: str
    payload: dict[str, Any]
    is_lookup: bool
    tries: int
    lookups: int
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Settled:
    """How a claimed job goes on. result: ids that GoHighLevel gave, added to those it had."""

    id: UUID
    fence: int
    next: Next
    code: str
    result: dict[str, str]


# `id = any(array(…))`, for with a join the planner may choose a nested loop over the whole queue.
_CLAIM = """
update sync_syncjob set state = 'leased', fence = fence + 1, next_at = %(lease)s
where id = any(array(
    select job.id from sync_syncjob job
    where job.state = 'waiting' and job.next_at <= %(now)s
      and job.location_id = any(array(
          select location.id from sync_location location
          where location.state = 'active' or (location.state = 'paused' and location.paused_until <= %(now)s)
      ))
      and (job.ordering_key = '' or not exists (
          select from sync_syncjob earlier
          where earlier.location_id = job.location_id and earlier.ordering_key = job.ordering_key
            and earlier.position < job.position and earlier.state in ('waiting', 'leased')
      ))
    order by job.next_at limit %(most)s
    for update of job skip locked
))
returning id, fence, location_id, operation, payload, is_lookup, tries, lookups, correlation_id
"""

# A job that kills its process takes no neighbour with it: lost ones are taken one at a time.
_CLAIM_LOST = """
update sync_syncjob set fence = fence + 1, next_at = %(lease)s
where id = any(array(
    select id from sync_syncjob where state = 'leased' and next_at <= %(now)s
    order by next_at limit 1 for update skip locked
))
returning id, fence, location_id, operation, payload, is_lookup, tries, lookups, correlation_id
"""

_SETTLE = """
update sync_syncjob job
set state = s.state, cause = s.cause, code = s.code, is_lookup = s.is_lookup, tries = s.tries,
    lookups = s.lookups, next_at = s.next_at, result = job.result || s.result, settled_at = s.settled_at
from unnest(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::text[], %s::bool[], %s::int[], %s::int[],
            %s::timestamptz[], %s::jsonb[], %s::timestamptz[])
    as s(id, fence, state, cause, code, is_lookup, tries, lookups, next_at, result, settled_at)
where job.id = any(%s::uuid[]) and job.id = s.id and job.fence = s.fence and job.state = 'leased'
returning job.id
"""


def claim(*, now: datetime, most: int, lease: timedelta = LEASE) -> list[Claimed]:
    """Take up to `most` due jobs in hand until now + lease; those of held locations stay."""
    return _claimed(_CLAIM, {"now": now, "lease": now + lease, "most": most})


def claim_lost(*, now: datetime, lease: timedelta = LEASE) -> list[Claimed]:
    """Take one job in hand whose lease has run out."""
    return _claimed(_CLAIM_LOST, {"now": now, "lease": now + lease})


def settle(ended: Sequence[Settled], *, now: datetime) -> set[UUID]:
    """Write how claimed jobs go on; return those that were still ours.

    A job whose lease ran out and that somebody else has claimed since is left to them.
    """
    if not ended:
        return set()
    rows = [
        (
            one.id,
            one.fence,
            one.next.state.value,
            one.next.cause.value if one.next.cause else "",
            one.code,
            one.next.look_up,
            one.next.tries,
            one.next.lookups,
            now + one.next.wait,
            json.dumps(one.result),
            None if one.next.state is State.WAITING else now,
        )
        for one in ended
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE, [*columns, columns[0]])
        return {id for (id,) in cursor.fetchall()}


def _claimed(statement: str, parameters: dict[str, Any]) -> list[Claimed]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [
            Claimed(id, fence, location_id, operation, _document(payload), *rest)
            for id, fence, location_id, operation, payload, *rest in cursor.fetchall()
        ]


def _document(payload: Any) -> dict[str, Any]:
    """Django's cursors hand jsonb over as text."""
    document: dict[str, Any] = json.loads(payload) if isinstance(payload, str) else payload
    return document
