"""What newer jobs make needless: an older update whose every field a newer one sets again is not sent.

The rule: only a job that waits can be overtaken, never one in hand, and never one that may have been done
already and is being looked up. What adds (a tag, a note, a message) is overtaken by nothing. A job that
comes back from the dead letters never overwrites what was sent after it.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

# `newer.ordering_key <> ''`, though it follows, lets the planner use the partial indexes.
_OVERTAKEN = """
update sync_syncjob older
set state = 'superseded', settled_at = %(now)s, is_redrive = false, is_suspect = false
where older.id = any(array(
    select older.id from sync_syncjob older
    where {which} and older.ordering_key <> '' and older.state = 'waiting' and not older.is_lookup
      and not older.is_redrive
      and older.writes <> '{{}}'
      and exists (
          select from sync_syncjob newer
          where newer.location_id = older.location_id and newer.ordering_key = older.ordering_key
            and newer.ordering_key <> '' and newer.position > older.position and newer.state = 'waiting'
            and (newer.writes = '{{*}}' or (newer.writes @> older.writes and not older.writes @> '{{*}}'))
      )
    for update of older skip locked
)) and older.state = 'waiting'
returning older.id
"""
# A redriven job is in hand, alone of its order, when this is asked: nothing can come in between.
_BY_DONE = """
select older.id, bool_or(newer.writes = '{*}' or newer.writes @> older.writes)
from sync_syncjob older join sync_syncjob newer
    on newer.location_id = older.location_id and newer.ordering_key = older.ordering_key
   and newer.position > older.position and newer.state = 'succeeded'
   and newer.ordering_key <> '' and newer.writes <> '{}'
   and (newer.writes && older.writes or newer.writes @> '{*}' or older.writes @> '{*}')
where older.id = any(%s::uuid[]) and older.ordering_key <> '' and older.writes <> '{}'
group by older.id
"""
_IN_ORDER = _OVERTAKEN.format(which="older.location_id = %(location)s and older.ordering_key = %(order)s")
_AMONG = _OVERTAKEN.format(which="older.id = any(%(ids)s::uuid[])")


def in_order(location_id: str, ordering_key: str, *, now: datetime) -> set[UUID]:
    """End the waiting jobs of one order that a newer waiting one has overtaken; return them."""
    return _run(_IN_ORDER, {"location": location_id, "order": ordering_key, "now": now})


def among(ids: Collection[UUID], *, now: datetime) -> set[UUID]:
    """End those of these jobs that wait and that a newer waiting one has overtaken; return them."""
    return _run(_AMONG, {"ids": list(ids), "now": now}) if ids else set()


def by_done(ids: Collection[UUID]) -> dict[UUID, bool]:
    """Return which of these jobs would overwrite newer data that was sent; True: with every field."""
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_BY_DONE, [list(ids)])
        return dict(cursor.fetchall())


def _run(statement: str, parameters: dict[str, Any]) -> set[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return {id for (id,) in cursor.fetchall()}
