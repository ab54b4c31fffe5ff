"""People as events tell of them: a number each, milestones, and whose client somebody is.

The rule: earliest milestones, latest names; ties go to the greater word. So order and repetition of events
change nothing. Ids come from properties where an event has them, so that it does not matter who reported it.
"""

from django.db.backends.utils import CursorWrapper

from observability.catalog import CATALOG
from observability.catalog.booking import BookingEvent
from observability.rollups.touched import Subject, note

HUMAN = sorted(name for name, event in CATALOG.items() if event.human)
BOOKING = sorted(name for name, event in CATALOG.items() if issubclass(event, BookingEvent))
# Of a client: who is the trainer, and which is the segment.
NAMING = [*BOOKING, "client_onboarded"]
MILESTONES = [
    *NAMING,
    "user_registered",
    "trainer_onboarded",
    "insight_created",
    "onboarding_step_completed",
]

# Whom a milestone is about.
_SUBJECT = """
case when event in ('user_registered', 'onboarding_step_completed')
     then (properties->>'role') || ':' || (properties->>'user_id')
     when event = 'trainer_onboarded' then 'trainer:' || (properties->>'trainer_id')
     else 'client:' || (properties->>'client_id') end
"""
_NUMBER = f"""
insert into observability_person
    (distinct_id, role, trainer_id, segment, step, step_position)
select distinct_id,
       case when split_part(distinct_id, ':', 1) in ('client', 'trainer', 'staff')
            then split_part(distinct_id, ':', 1) else 'other' end,
       case when distinct_id like 'trainer:%%' then left(substr(distinct_id, 9), 64) else '' end,
       'unknown', '', 0
from (select distinct_id from fresh_event where event = any(%(human)s)
      union
      select {_SUBJECT} from fresh_event where event = any(%(milestones)s)) told
where not exists (select from observability_person p where p.distinct_id = told.distinct_id)
on conflict do nothing
"""
_MERGE = f"""
with told as materialized (
    select {_SUBJECT} as distinct_id, event, timestamp, event = any(%(naming)s) as is_naming,
           properties->>'trainer_id' as trainer_id, properties->>'segment' as segment,
           properties->>'step' as step, (properties->>'position')::numeric::bigint as position
    from fresh_event where event = any(%(milestones)s)
), merged as (
    select distinct_id,
           min(timestamp) filter (where event = 'user_registered') as signed_up_at,
           min(timestamp) filter (where event in ('client_onboarded', 'trainer_onboarded')) as onboarded_at,
           min(timestamp) filter (where event = 'booking_scheduled') as first_booking_at,
           min(timestamp) filter (where event = 'insight_created') as first_insight_at,
           max(timestamp) filter (where is_naming) as trainer_named_at,
           (array_agg(trainer_id order by timestamp desc, trainer_id collate "C" desc)
            filter (where is_naming))[1] as trainer_id,
           max(timestamp) filter (where is_naming and segment is not null) as segment_named_at,
           (array_agg(segment order by timestamp desc, segment collate "C" desc)
            filter (where is_naming and segment is not null))[1] as segment,
           (array_agg(step order by position desc, step collate "C" desc)
            filter (where event = 'onboarding_step_completed'))[1] as step,
           max(position) filter (where event = 'onboarding_step_completed') as step_position
    from told group by 1
), newer as (
    select m.*,
           m.trainer_named_at is not null and (p.trainer_named_at is null
               or (m.trainer_named_at, m.trainer_id collate "C") > (p.trainer_named_at, p.trainer_id))
               as names_trainer,
           m.segment_named_at is not null and (p.segment_named_at is null
               or (m.segment_named_at, m.segment collate "C") > (p.segment_named_at, p.segment))
               as names_segment,
           m.step is not null and (m.step_position, m.step collate "C") > (p.step_position, p.step)
               as is_further,
           p.segment as segment_before
    from merged m join observability_person p using (distinct_id)
), saved as (
    update observability_person p
    set signed_up_at = least(p.signed_up_at, n.signed_up_at),
        onboarded_at = least(p.onboarded_at, n.onboarded_at),
        first_booking_at = least(p.first_booking_at, n.first_booking_at),
        first_insight_at = least(p.first_insight_at, n.first_insight_at),
        trainer_id = case when names_trainer then n.trainer_id else p.trainer_id end,
        trainer_named_at = case when names_trainer then n.trainer_named_at else p.trainer_named_at end,
        segment = case when names_segment then n.segment else p.segment end,
        segment_named_at = case when names_segment then n.segment_named_at else p.segment_named_at end,
        step = case when is_further then n.step else p.step end,
        step_position = case when is_further then n.step_position else p.step_position end
    from newer n
    where p.distinct_id = n.distinct_id and (
        names_trainer or names_segment or is_further
        or n.signed_up_at < coalesce(p.signed_up_at, 'infinity')
        or n.onboarded_at < coalesce(p.onboarded_at, 'infinity')
        or n.first_booking_at < coalesce(p.first_booking_at, 'infinity')
        or n.first_insight_at < coalesce(p.first_insight_at, 'infinity'))
), moved as materialized (
    select substr(distinct_id, 8) as client_id from newer
    where names_segment and segment is distinct from segment_before
)
"""
# Messages are counted by the segment that their client has now.
_OF_MOVED = "from observability_draftedmessage d join moved using (client_id)"
_NOTE_DRAFTS = note(Subject.DRAFTS, f"select (d.drafted_at at time zone 'utc')::date {_OF_MOVED}")
_NOTE_REPLIES = note(Subject.REPLIES, f"select (d.sent_at at time zone 'utc')::date {_OF_MOVED}")


def number(cursor: CursorWrapper) -> None:
    """Give everybody a number whom the events at hand tell of for the first time."""
    cursor.execute(_NUMBER, {"human": HUMAN, "milestones": MILESTONES})


def merge(cursor: CursorWrapper, version: int) -> None:
    """Merge the milestones at hand; everybody has a number already."""
    cursor.execute(
        f"{_MERGE}, drafts as ({_NOTE_DRAFTS}) {_NOTE_REPLIES}",
        {"milestones": MILESTONES, "naming": NAMING, "version": version},
    )
