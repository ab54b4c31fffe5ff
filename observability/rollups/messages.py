"""Drafts on their way to a client, and what clients write back. It merges: earliest times, sets of answers.

The rule: the days noted are those of the draft, of its sending, and of any message that an answer may answer.
"""

from django.db.backends.utils import CursorWrapper

from observability.rollups.touched import Subject, note

# A client who writes within so long after a message has answered it.
ANSWERED_WITHIN_HOURS = 48

_MERGE_DRAFTS = """
with merged as materialized (
    select properties->>'draft_id' as draft_id, max(properties->>'client_id') as client_id,
           max(properties->>'trainer_id') as trainer_id, max(properties->>'kind') as kind,
           max(properties->>'channel') as channel,
           min(timestamp) filter (where event = 'message_drafted') as drafted_at,
           min(timestamp) filter (where event = 'trainer_approved') as approved_at,
           coalesce(bool_or((properties->>'edited')::boolean), false) as edited,
           min(timestamp) filter (where event = 'message_sent') as sent_at
    from fresh_event where event in ('message_drafted', 'trainer_approved', 'message_sent')
    group by 1
), stood as materialized (
    select d.* from observability_draftedmessage d join merged using (draft_id)
), saved as (
    insert into observability_draftedmessage as d
        (draft_id, client_id, trainer_id, kind, channel, drafted_at, approved_at, edited, sent_at)
    select * from merged
    on conflict (draft_id) do update set
        drafted_at = least(d.drafted_at, excluded.drafted_at),
        approved_at = least(d.approved_at, excluded.approved_at),
        edited = d.edited or excluded.edited,
        sent_at = least(d.sent_at, excluded.sent_at)
)
"""
_DRAFTED = """
select (drafted_at at time zone 'utc')::date from merged
union all select (drafted_at at time zone 'utc')::date from stood
"""
_SENT = """
select (sent_at at time zone 'utc')::date from merged
union all select (sent_at at time zone 'utc')::date from stood
"""
_MERGE_ANSWERS = """
with told as (
    select timestamp, properties->>'client_id' as client_id, properties->>'contact_id' as contact_id
    from fresh_event where event = 'webhook_received' and properties->>'topic' = 'inbound_message'
), saved as (
    insert into observability_inboundmessage (client_id, received_at)
    select client_id, timestamp from told where client_id is not null
    union
    select contact_id, timestamp from told where contact_id is not null
    on conflict do nothing
    returning received_at
)
"""
_ANSWERABLE = f"""
select generate_series((received_at - interval '{ANSWERED_WITHIN_HOURS} hours') at time zone 'utc',
                       received_at at time zone 'utc' + interval '1 day', interval '1 day')::date
from saved
"""


def merge(cursor: CursorWrapper, version: int) -> None:
    """Merge the drafts and answers at hand."""
    noted = f"{_MERGE_DRAFTS}, drafted as ({note(Subject.DRAFTS, _DRAFTED)}) {note(Subject.REPLIES, _SENT)}"
    cursor.execute(noted, {"version": version})
    cursor.execute(_MERGE_ANSWERS + note(Subject.REPLIES, _ANSWERABLE), {"version": version})
