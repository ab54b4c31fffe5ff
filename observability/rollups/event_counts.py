"""How many events of a kind there were, by the minute, by the hour and ever. It adds: each event once."""

from datetime import datetime, timedelta

from django.db.backends.utils import CursorWrapper

MINUTES_KEPT = timedelta(days=14)

_ADD = """
with counted as materialized (
    select event, date_trunc('minute', timestamp) as minute, count(*) as events,
           min(timestamp) as first_at, max(timestamp) as last_at
    from fresh_event
    group by 1, 2
), minutes as (
    insert into observability_eventminute as m (event, minute, events)
    select event, minute, events from counted where minute >= %(kept)s
    on conflict (event, minute) do update set events = m.events + excluded.events
), hours as (
    insert into observability_eventhour as h (event, hour, events)
    select event, date_trunc('hour', minute), sum(events) from counted group by 1, 2
    on conflict (event, hour) do update set events = h.events + excluded.events
)
update observability_eventdefinition d
set volume = d.volume + f.events,
    first_seen_at = least(d.first_seen_at, f.first_at),
    last_seen_at = greatest(d.last_seen_at, f.last_at)
from (select event, sum(events) as events, min(first_at) as first_at, max(last_at) as last_at
      from counted group by 1) f
where d.name = f.event
"""


def add(cursor: CursorWrapper, *, now: datetime) -> None:
    """Add the events at hand to minutes, hours and volumes."""
    cursor.execute(_ADD, {"kept": now - MINUTES_KEPT})
