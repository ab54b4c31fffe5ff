"""The queue: claiming due jobs under a lease, and settling them by fence. Two statements a batch.

The rules: a job is in one hand at a time; whoever's lease ran out changes nothing any more; of one order
only the first is in hand, and it alone. A claim takes its requests out of the location's budget and its
breaker's ramp in the same statement, so that nothing is claimed that may not be sent; and it looks at the
kill switch there: while that is on, no message is taken in hand that nobody has released, nor what stands
behind one in its order.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from sync import budgets
from sync.transitions import Next, State
from trainu import statements

# Longer than an attempt may take, with its lookup's requests, and the settling of its batch.
LEASE = timedelta(seconds=45)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job in hand. fence: what settles it. payload: JSON, as it is stored."""

    id: UUID
    fence: int
    location_id: str
    operation: str
    payload: str
    is_lookup: bool
    tries: int
    lookups: int
    correlation_id: str
    is_redrive: bool
    created_at: datetime
    ordering_key: str
    released_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """How a claimed job goes on. result: ids that GoHighLevel gave, added to those it had.

    is_suspect: its process died with it in hand, so the recovery lane shall try it alone.
    """

    id: UUID
    fence: int
    next: Next
    code: str
    result: dict[str, str]
    is_suspect: bool = False


_COLUMNS = """id, fence, location_id, operation, payload::text, is_lookup, tries, lookups, correlation_id,
    is_redrive, created_at, ordering_key, released_at"""

# The first of a location that is due, and those that may be taken. Written out, for with a parameter in their
# place a prepared statement cannot count on the partial indexes.
_FIRST = """
          select job.location_id from sync_syncjob job
          where job.location_id = location.id and job.state = 'waiting' and {which}
            and job.next_at <= %(now)s
          order by job.next_at limit 1
"""
_NEXT = """
        select job.id from sync_syncjob job
        where job.location_id = granted.location_id and job.state = 'waiting'
          and {which} and job.next_at <= %(now)s
          and (job.ordering_key = '' or not exists (
              select from sync_syncjob other
              where other.location_id = job.location_id and other.ordering_key = job.ordering_key
                and other.ordering_key <> '' and other.id <> job.id and other.state in ('waiting', 'leased')
                and (other.state = 'leased' or other.position < job.position)
          ))
        order by job.next_at limit granted.requests
        for update of job skip locked
"""
# A release is for the time for which the switch is on now; one of an earlier time lets nothing go.
_UNHELD = """
 and (job.operation <> 'message.send' or job.released_at >= (select changed_at from switch))
"""

# Locations take turns: each gives as many jobs as an even share, its tokens and its ramp allow. One whose
# budget another lane has in hand is left to that lane. Locks are taken in the order budget, jobs, breaker;
# the jobs' and the budget's without waiting. Measured, before there are statistics and after: `exists`
# instead of the ordered sub-select reads all that is due; a join instead of `id = any(array(…))` may become a
# nested loop over the whole queue; without `ordering_key <> ''`, which follows, no partial index is used.
# Of what stands there twice, for the two ways of the kill switch, one is never executed: a condition
# `not is_on or operation <> …` in one of them would read through all the messages that are held.
_CLAIM = """
with switch as materialized (
    select coalesce(bool_or(is_on), false) as is_on, max(changed_at) as changed_at from sync_killswitch
), present as materialized (
    select budget.location_id, budget.used_today * (budget.day = %(day)s)::int as used, location.daily_limit,
           least(greatest(1, location.burst_limit * %(at_once)s),
                 budget.tokens + greatest(0, extract(epoch from %(now)s - budget.refilled_at))
                 * greatest(0.1, location.burst_limit * (1 - %(at_once)s) / %(window)s)) as filled,
           case breaker.state when 'ramping' then breaker.allowance end as ramp
    from sync_location location
    join sync_budget budget on budget.location_id = location.id
    join sync_breaker breaker on breaker.location_id = location.id
    where (location.state = 'active' or (location.state = 'paused' and location.paused_until <= %(now)s))
      and (budget.held_until is null or budget.held_until <= %(now)s)
      and (breaker.state = 'closed' or (breaker.state = 'ramping' and breaker.allowance > 0))
      and location.id = case when (select is_on from switch) then ({first_unheld}) else ({first}) end
    order by random() limit %(most)s for update of budget skip locked
), granted as (
    select location_id, used, filled,
           least(floor(filled), daily_limit - used, ramp,
                 ceil(%(most)s::numeric / greatest(1, count(*) over ())))::int as requests
    from present
), picked as materialized (
    select job.id, granted.location_id
    from granted cross join lateral (
        select unheld.id from ({next_unheld}) unheld where (select is_on from switch)
        union all
        select free.id from ({next}) free where not (select is_on from switch)
    ) job
    where granted.requests > 0
    limit %(most)s
), counted as (
    select location_id, count(*) as picked from picked group by location_id
), paid as (
    update sync_budget budget
    set tokens = greatest(0, granted.filled - counted.picked), used_today = granted.used + counted.picked,
        day = %(day)s, refilled_at = greatest(budget.refilled_at, %(now)s)
    from counted join granted using (location_id) where budget.location_id = counted.location_id
), stepped as (
    update sync_breaker breaker set allowance = greatest(0, breaker.allowance - counted.picked)
    from counted where breaker.location_id = counted.location_id and breaker.state = 'ramping'
)
update sync_syncjob set state = 'leased', fence = fence + 1, next_at = %(lease)s
where id = any(array(select id from picked))
returning {columns}
"""


def _claim(which: LiteralString) -> LiteralString:
    """Return the statement that claims some of the jobs, whichever way the kill switch stands."""
    unheld: LiteralString = which + _UNHELD
    return _CLAIM.format(
        first=_FIRST.format(which=which),
        first_unheld=_FIRST.format(which=unheld),
        next=_NEXT.format(which=which),
        next_unheld=_NEXT.format(which=unheld),
        columns=_COLUMNS,
    )


_CLAIM_OTHERS = _claim("not job.is_suspect")
_CLAIM_SUSPECTS = _claim("job.is_suspect")

# A job that kills its process takes no neighbour with it: lost ones are taken one at a time.
_CLAIM_LOST = f"""
with lost as materialized (
    select id as lost_id, next_at as ended_at from sync_syncjob where state = 'leased' and next_at <= %(now)s
    order by next_at, position limit 1 for update skip locked
)
update sync_syncjob set fence = fence + 1, next_at = %(lease)s
from lost where id = lost_id
returning {_COLUMNS}, lost.ended_at
"""

# `job.state || ''`: by the bare column the planner goes through the index of leases, dead entries and all.
_SETTLE = """
update sync_syncjob job
set state = s.state, cause = s.cause, code = s.code, is_lookup = s.is_lookup, tries = s.tries,
    lookups = s.lookups, next_at = s.next_at, result = job.result || s.result::jsonb,
    settled_at = s.settled_at, is_suspect = s.is_suspect, is_redrive = job.is_redrive and s.settled_at is null
from unnest(%b::uuid[], %b::int[], %b::text[], %b::text[], %b::text[], %b::bool[], %b::int[], %b::int[],
            %b::timestamptz[], %b::text[], %b::timestamptz[], %b::bool[])
    as s(id, fence, state, cause, code, is_lookup, tries, lookups, next_at, result, settled_at, is_suspect)
where job.id = s.id and job.fence = s.fence and job.state || '' = 'leased'
returning job.id
"""


def claim(*, now: datetime, most: int, suspects: bool = False) -> list[Claimed]:
    """Take up to `most` due jobs in hand until now + LEASE, with a request of its location's budget each.

    Those of held locations stay, and messages while the kill switch is on. suspects: take those that a
    process died with, instead of the others.
    """
    parameters = {
        "now": now,
        "lease": now + LEASE,
        "most": most,
        "day": now.astimezone(UTC).date(),
        "at_once": budgets.AT_ONCE,
        "window": budgets.WINDOW_S,
    }
    return [_job(row) for row in statements.rows(_CLAIM_SUSPECTS if suspects else _CLAIM_OTHERS, parameters)]


def claim_lost(*, now: datetime) -> tuple[Claimed, datetime] | None:
    """Take one job in hand whose lease has run out; return it and when that lease had begun."""
    for row in statements.rows(_CLAIM_LOST, {"now": now, "lease": now + LEASE}):
        return _job(row[:-1]), row[-1] - LEASE
    return None


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
            one.is_suspect,
        )
        for one in ended
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    return {id for (id,) in statements.rows(_SETTLE, columns)}


def _job(row: Sequence[Any]) -> Claimed:
    return Claimed(*row)
