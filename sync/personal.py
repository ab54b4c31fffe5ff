"""One person's data in jobs and attempts, and what erasure leaves of them: that something was done.

The rule: a job's payload is a person's data, so it goes; a job that was still to be sent is not sent any
more. Attempts are masked already; what names the person's id in them goes with it.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from sync import attempt_log
from sync.dead_letters import letters
from sync.drafts import delivery
from sync.drafts.delivery import End
from sync.transitions import State
from trainu.personal_data import Place, register

ERASED = "erased"

# The id as a whole JSON text, or as the whole end of an order: a longer id that contains it is another's.
_MENTIONS = (
    "(position(%(quoted)s in payload::text) > 0 or position(%(quoted)s in result::text) > 0"
    " or split_part(ordering_key, ':', 2) = %(id)s)"
)
_FIND = f"select count(*) from sync_syncjob where {_MENTIONS}"
# Whoever has one in hand finds its fence passed.
_ERASE = f"""
with mine as (
    select id as mine_id, state as was from sync_syncjob where {_MENTIONS} for update
)
update sync_syncjob job
set payload = '{{}}', result = '{{}}', ordering_key = '', writes = '{{}}', idempotency_key = '',
    text_key = null, fence = fence + 1, cause = '', code = %(code)s,
    state = case when state = 'succeeded' then 'succeeded' else 'superseded' end,
    settled_at = coalesce(settled_at, %(now)s)
from mine where job.id = mine_id
returning job.id, was
"""
# In paths an id stands among slashes; it is looked for as a whole word.
_ATTEMPT_MENTIONS = "(request::text ~ %s or response::text ~ %s)"


def declare() -> None:
    """Register these places; a second call changes nothing."""
    register("sync.jobs", places)


def places() -> Iterator[Place]:
    """Yield the jobs, and each day of attempts."""
    yield Place("sync_jobs", "Jobs for GoHighLevel", find, erase)
    for day, _ in attempt_log.TABLE.standing():
        yield _attempts(attempt_log.TABLE.partition(day))


def find(contact_id: str) -> int:
    """Return how many jobs are about a contact of GoHighLevel."""
    with connection.cursor() as cursor:
        cursor.execute(_FIND, _parameters(contact_id))
        return int(cursor.fetchone()[0])


def erase(contact_id: str) -> int:
    """Empty the jobs about a contact, end those that were still to be sent; return how many."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_ERASE, _parameters(contact_id) | {"now": now, "code": ERASED})
        erased: list[tuple[UUID, str]] = cursor.fetchall()
    if ended := {id: State.SUPERSEDED for id, was in erased if was != State.SUCCEEDED}:
        letters.ended(ended, now=now)
        delivery.ended({id: End(state) for id, state in ended.items()}, now=now)
    return len(erased)


def _parameters(contact_id: str) -> dict[str, str | datetime]:
    return {"id": contact_id, "quoted": f'"{contact_id}"'}


def _attempts(partition: str) -> Place:
    def run(statement: str, contact_id: str) -> Any:
        word = rf"(^|[^[:alnum:]_-]){re.escape(contact_id)}([^[:alnum:]_-]|$)"
        with connection.cursor() as cursor:
            cursor.execute(statement, [word, word])
            return cursor.fetchone()[0] if statement.startswith("select") else cursor.rowcount

    return Place(
        "sync_attempts",
        "Attempts at GoHighLevel",
        lambda id: int(run(f"select count(*) from {partition} where {_ATTEMPT_MENTIONS}", id)),
        lambda id: int(
            run(f"update {partition} set request = null, response = null where {_ATTEMPT_MENTIONS}", id)
        ),
        part=partition,
    )
