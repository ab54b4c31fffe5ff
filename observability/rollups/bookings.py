"""Bookings as their last change says. It merges: the greatest (time, uuid) wins, whenever it comes in.

The rule: a booking's days are noted on both sides of a change, and with them the days of no-shows that a
booking anew may have recovered.
"""

from django.db.backends.utils import CursorWrapper

from observability.rollups.people import BOOKING
from observability.rollups.touched import Subject, note

# A client who books again within so long after a missed start has been recovered.
RECOVERED_WITHIN_DAYS = 7

_IS_NEWER = "(excluded.changed_at, excluded.changed_by) > (b.changed_at, b.changed_by)"
_NAMES_SEGMENT = """excluded.segment_named_at is not null and (b.segment_named_at is null or
    (excluded.segment_named_at, excluded.segment_named_by) > (b.segment_named_at, b.segment_named_by))"""
_MERGE = f"""
with told as materialized (
    select uuid, timestamp, event, properties->>'booking_id' as booking_id,
           properties->>'client_id' as client_id, properties->>'trainer_id' as trainer_id,
           properties->>'segment' as segment, (properties->>'starts_at')::timestamptz as starts_at
    from fresh_event where event = any(%(booking)s)
), latest as (
    select distinct on (booking_id) * from told order by booking_id, timestamp desc, uuid desc
), named as (
    select distinct on (booking_id) booking_id, segment, timestamp, uuid from told
    where segment is not null order by booking_id, timestamp desc, uuid desc
), scheduled as (
    select booking_id, min(timestamp) as scheduled_at from told where event = 'booking_scheduled' group by 1
), merged as materialized (
    select l.booking_id, l.client_id, l.trainer_id, coalesce(n.segment, 'unknown') as segment,
           n.timestamp as segment_named_at, n.uuid as segment_named_by, l.starts_at,
           case l.event when 'booking_canceled' then 'canceled' when 'no_show' then 'no_show'
                else 'booked' end as state,
           l.timestamp as changed_at, l.uuid as changed_by, s.scheduled_at
    from latest l left join named n using (booking_id) left join scheduled s using (booking_id)
), stood as materialized (
    select b.* from observability_booking b join merged using (booking_id)
), saved as (
    insert into observability_booking as b
        (booking_id, client_id, trainer_id, segment, segment_named_at, segment_named_by, starts_at, state,
         changed_at, changed_by, scheduled_at)
    select * from merged
    on conflict (booking_id) do update set
        client_id = case when {_IS_NEWER} then excluded.client_id else b.client_id end,
        trainer_id = case when {_IS_NEWER} then excluded.trainer_id else b.trainer_id end,
        starts_at = case when {_IS_NEWER} then excluded.starts_at else b.starts_at end,
        state = case when {_IS_NEWER} then excluded.state else b.state end,
        changed_at = case when {_IS_NEWER} then excluded.changed_at else b.changed_at end,
        changed_by = case when {_IS_NEWER} then excluded.changed_by else b.changed_by end,
        segment = case when {_NAMES_SEGMENT} then excluded.segment else b.segment end,
        segment_named_at = case when {_NAMES_SEGMENT} then excluded.segment_named_at
                                else b.segment_named_at end,
        segment_named_by = case when {_NAMES_SEGMENT} then excluded.segment_named_by
                                else b.segment_named_by end,
        scheduled_at = least(b.scheduled_at, excluded.scheduled_at)
), anew as (
    -- A client who turns out to be another one takes the booking along, so both are asked.
    select client.id as client_id, moment.at
    from (select booking_id, m.client_id, s.client_id as client_before, m.scheduled_at,
                 s.scheduled_at as scheduled_before
          from merged m left join stood s using (booking_id)) pairs
    cross join lateral (values (client_id), (client_before)) client (id)
    cross join lateral (values (scheduled_at), (scheduled_before)) moment (at)
    where client.id is not null and moment.at is not null
)
"""
_DAYS = f"""
select (starts_at at time zone 'utc')::date from merged
union all select (starts_at at time zone 'utc')::date from stood
union all
select (b.starts_at at time zone 'utc')::date
from anew join observability_booking b on b.client_id = anew.client_id
    and b.starts_at >= anew.at - interval '{RECOVERED_WITHIN_DAYS} days' and b.starts_at < anew.at
"""


def merge(cursor: CursorWrapper, version: int) -> None:
    """Merge the changes of bookings at hand."""
    cursor.execute(_MERGE + note(Subject.BOOKINGS, _DAYS), {"booking": BOOKING, "version": version})
