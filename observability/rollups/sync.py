"""Ends of attempts, webhooks and how long they took, by the quarter of an hour. It adds: each event once."""

from django.db.backends.utils import CursorWrapper

from observability.rollups.touched import Subject, note
from observability.timings import GAMMA

EVENTS = ["sync_ok", "sync_retry", "sync_dropped", "webhook_received"]

# As `observability.timings.bucket_of`: n for (1.05**(n-1), 1.05**n] microseconds, 0 below one.
_BUCKET = f"case when us > 1 then ceil(ln(us) / ln({GAMMA}))::int else 0 end"
_ADD = f"""
with told as materialized (
    select quarter, event, properties->>'location_id' as location_id,
           coalesce(properties->>'operation', properties->>'topic', '') as operation,
           coalesce(properties->>'code', '') as code,
           (properties->>'duration_ms')::float8 * 1e3 as took_us,
           (properties->>'settled_after_s')::float8 * 1e6 as settled_us
    from fresh_event where event = any(%(events)s)
), counts as (
    insert into observability_syncquarter as s (quarter, location_id, operation, outcome, code, count)
    select quarter, location_id, operation,
           case event when 'webhook_received' then 'webhook' else substr(event, 6) end, code, count(*)
    from told group by 1, 2, 3, 4, 5
    on conflict (quarter, location_id, operation, outcome, code)
    do update set count = s.count + excluded.count
), measured as (
    select quarter, case event when 'webhook_received' then 'webhook' else 'ghl' end as metric, took_us as us
    from told
    union all
    select quarter, 'settled', settled_us from told where event = 'sync_ok'
), latencies as (
    insert into observability_latencyquarter as l (quarter, metric, bucket, observations)
    select quarter, metric, {_BUCKET}, count(*) from measured group by 1, 2, 3
    on conflict (quarter, metric, bucket) do update set observations = l.observations + excluded.observations
)
{note(Subject.SYNC, "select (quarter at time zone 'utc')::date from told")}
"""


def add(cursor: CursorWrapper, version: int) -> None:
    """Add the attempts and webhooks at hand."""
    cursor.execute(_ADD, {"events": EVENTS, "version": version})
