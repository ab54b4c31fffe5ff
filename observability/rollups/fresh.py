"""The events of one step, in a temporary table that every room reads.

The rule: the table belongs to the connection and is empty again after the transaction. It is made once a
connection: to make one each second would bloat PostgreSQL's own catalog.
"""

from datetime import datetime

from django.db.backends.utils import CursorWrapper

_MAKE = """
create temporary table if not exists fresh_event (
    uuid uuid not null, timestamp timestamptz not null, event text not null, distinct_id text not null,
    properties jsonb not null, quarter timestamptz not null
) on commit delete rows
"""
_COLUMNS = """
uuid, timestamp, event, distinct_id, properties, date_bin('15 minutes', timestamp, '2000-01-01T00:00:00Z')
"""
_TAKE = f"""
insert into fresh_event
select {_COLUMNS} from observability_event
where xid >= %(low)s and xid < %(high)s and timestamp >= %(since)s
"""
_TAKE_AGAIN = f"""
insert into fresh_event
select {_COLUMNS} from observability_event
where timestamp >= %(since)s and timestamp < %(until)s and xid < %(below)s
"""


def take(cursor: CursorWrapper, *, low: int, high: int, since: datetime) -> int:
    """Take the events of transactions in [low, high) that happened at `since` or later; return how many."""
    cursor.execute(_MAKE)
    cursor.execute(_TAKE, {"low": low, "high": high, "since": since})
    return int(cursor.rowcount)


def take_again(cursor: CursorWrapper, *, since: datetime, until: datetime, below_xid: int) -> int:
    """Take the events that happened in [since, until), of transactions below an id; return how many."""
    cursor.execute(_MAKE)
    cursor.execute(_TAKE_AGAIN, {"since": since, "until": until, "below": below_xid})
    return int(cursor.rowcount)
