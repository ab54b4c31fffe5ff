"""How many requests a location may send now, shared by all lanes of all hosts.

The rule: in any ten seconds at most the location's burst limit goes out, and in a day (UTC) at most its
daily limit. A fifth of the burst may go at once; the rest flows evenly, so that both together stay below.
A location has its budget from its first moment on: a trigger sees to that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

WINDOW_S = 10.0
AT_ONCE = 0.2


@dataclass(frozen=True, slots=True)
class Grant:
    """What a location may send. requests: how many now. again_at: when to ask for more, if that was less."""

    requests: int
    again_at: datetime


# Locked in the order of their ids, so that two lanes cannot deadlock.
_TAKE = """
with wanted as (
    select * from unnest(%(ids)s::text[], %(counts)s::int[]) as w(location_id, count)
), present as (
    select b.location_id, b.used_today * (b.day = %(day)s)::int as used, b.held_until,
           greatest(1, l.burst_limit * %(at_once)s) as most,
           greatest(0.1, l.burst_limit * (1 - %(at_once)s) / %(window)s) as per_s,
           l.daily_limit,
           b.tokens, greatest(0, extract(epoch from %(now)s - b.refilled_at)) as idle_s, w.count
    from wanted w join sync_budget b using (location_id) join sync_location l on l.id = b.location_id
    order by b.location_id for update of b
), refilled as (
    select *, least(most, tokens + idle_s * per_s) as filled from present
), granted as (
    select *, case when held_until > %(now)s then 0
                   else least(count, floor(filled), greatest(0, daily_limit - used))::int end as requests
    from refilled
), written as (
    update sync_budget b set tokens = g.filled - g.requests, used_today = g.used + g.requests,
           day = %(day)s, refilled_at = greatest(b.refilled_at, %(now)s)
    from granted g where b.location_id = g.location_id
)
select location_id, requests,
       case when held_until > %(now)s then held_until
            when used + requests >= daily_limit then %(tomorrow)s
            else %(now)s + make_interval(secs => greatest(0, 1 - (filled - requests)) / per_s) end
from granted
"""


def take(wanted: Mapping[str, int], *, now: datetime) -> dict[str, Grant]:
    """Take requests out of locations' budgets; return what each got, at most what it wanted.

    wanted: requests by location id. A location without a budget gets none, and is not in the answer.
    """
    if not wanted:
        return {}
    ids = sorted(wanted)
    parameters: dict[str, Any] = {
        "ids": ids,
        "counts": [wanted[id] for id in ids],
        "now": now,
        "day": now.date(),
        "tomorrow": datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), now.tzinfo),
        "at_once": AT_ONCE,
        "window": WINDOW_S,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, parameters)
        return {
            location_id: Grant(requests, again_at) for location_id, requests, again_at in cursor.fetchall()
        }


def charge(requests: Mapping[str, int], *, now: datetime) -> None:
    """Take requests out of locations' budgets that were sent already: a lookup's second, third and so on."""
    if not requests:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "update sync_budget budget set tokens = greatest(0, budget.tokens - spent.count),"
            " used_today = budget.used_today * (budget.day = %s)::int + spent.count, day = %s"
            " from unnest(%s::text[], %s::int[]) as spent(location_id, count)"
            " where budget.location_id = spent.location_id",
            [now.date(), now.date(), list(requests), list(requests.values())],
        )


def hold(location_id: str, until: datetime) -> None:
    """Send nothing for a location until then, because GoHighLevel said so; never shortens a rest."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update sync_budget set held_until = greatest(held_until, %s) where location_id = %s",
            [until, location_id],
        )
