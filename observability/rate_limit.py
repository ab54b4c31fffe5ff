"""A limit per key, shared by all processes and hosts: a bucket that refills evenly over a minute.

The bucket is one number in the key's row (generic cell rate algorithm). A process takes a fiftieth of
a minute's allowance at a time, so a busy key costs the database one update per many requests, and a
small limit is still exact.
"""

import threading
import time
from dataclasses import dataclass

from django.db import connection

from observability import api_keys
from observability.api_keys import Caller
from trainu.problem import Problem

# What a process has taken may lie unused for so long; then it is void.
_GRANT_S = 5.0
# A batch must fit into the bucket, however small the limit.
_SMALLEST_BUCKET = 1_000


@dataclass(slots=True)
class _Grant:
    left: int
    until: float


_grants: dict[int, _Grant] = {}
_lock = threading.Lock()

# full_at is when the bucket would be full again: it moves ahead with what is taken, and the bucket is
# empty when it lies a whole bucket ahead of now.
_TAKE = """
update observability_apikey
set full_at = greatest(full_at, now()) + %(cost)s * interval '1 minute' / %(limit)s
where id = %(id)s
  and greatest(full_at, now()) + %(cost)s * interval '1 minute' / %(limit)s
      <= now() + %(bucket)s * interval '1 minute' / %(limit)s
"""
_WAIT = """
select extract(epoch from greatest(full_at, now()) - now()
    + (%(cost)s - %(bucket)s) * interval '1 minute' / %(limit)s)
from observability_apikey where id = %(id)s
"""


def spend(caller: Caller, cost: int) -> None:
    """Take `cost` (events, or 1 for any other request) from the caller's allowance.

    Raises Problem 429 with the seconds after which the same request will fit.
    """
    limit = caller.limit_per_minute
    if not limit or not cost:
        return
    with _lock:
        grant = _grants.get(caller.id)
        if grant and grant.until > time.monotonic() and grant.left >= cost:
            grant.left -= cost
            return
    bucket = max(limit, _SMALLEST_BUCKET if cost > 1 else limit)
    chunk = max(cost, limit // 50)
    if _take(caller.id, limit, bucket, chunk):
        with _lock:
            _grants[caller.id] = _Grant(chunk - cost, time.monotonic() + _GRANT_S)
        return
    # Near the end of the allowance the whole chunk may not fit where the request itself still does.
    if chunk > cost and _take(caller.id, limit, bucket, cost):
        return
    wait = _wait(caller.id, limit, bucket, cost)
    what = f"This key may send {limit} events or requests a minute. Wait, then retry."
    raise Problem(429, "rate_limited", what, retry_after=wait)


def admit(key: str | None, scope: str, *, cost: int) -> Caller:
    """Return who calls, for `trainu.scopes`; raises Problem 401, 403, and 429 as `spend` does."""
    caller = api_keys.require(key, scope)
    spend(caller, cost)
    return caller


def _take(key: int, limit: int, bucket: int, cost: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"id": key, "limit": limit, "bucket": bucket, "cost": cost})
        return bool(cursor.rowcount)


def _wait(key: int, limit: int, bucket: int, cost: int) -> float:
    with connection.cursor() as cursor:
        cursor.execute(_WAIT, {"id": key, "limit": limit, "bucket": bucket, "cost": cost})
        row = cursor.fetchone()
    return max(1.0, float(row[0])) if row else 1.0


def forget() -> None:
    """Give back nothing and hold nothing: the next request asks the database."""
    with _lock:
        _grants.clear()
