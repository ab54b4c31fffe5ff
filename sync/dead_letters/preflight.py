"""What is known of dead letters before anybody asks GoHighLevel: overtaken, deleted since, held.

The rule: only the database is asked. Staff see it before they confirm, and it is looked at again when a
letter is about to be sent. GoHighLevel itself is asked by the engine, which looks before it sends.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from django.db import connection

from sync import superseding
from sync.models import DeadLetter

OVERTAKEN = "A newer job that is done has set everything again that this one sets. It will not be sent."
PARTLY = (
    "Part of what this job sets was set again by a newer job that is done. Redrive it with only those fields"
    " that are still wanted, or discard it."
)
DELETED = (
    "What this job is about was deleted by a later job. Discard it, or redrive it alone if it exists again."
)
HELD = "Its location is held back or GoHighLevel does not answer. It will wait until that is over."
KILLED = "The kill switch is on, so no message goes out. It will wait until somebody turns that off."

# What only adds is overtaken by nothing, but what it would be added to may be gone.
_DELETED = """
select older.id from sync_syncjob older
where older.id = any(%s::uuid[]) and older.ordering_key <> '' and older.writes = '{}'
  and exists (
      select from sync_syncjob newer
      where newer.location_id = older.location_id and newer.ordering_key = older.ordering_key
        and newer.position > older.position and newer.state = 'succeeded'
        and newer.ordering_key <> '' and newer.writes <> '{}' and newer.operation like '%%.delete'
  )
"""
_HELD = """
select location.id from sync_location location join sync_breaker breaker on breaker.location_id = location.id
where location.id = any(%s) and (location.state <> 'active' or breaker.state = 'open')
union all
select id::text from sync_syncjob
where id = any(%s::uuid[]) and operation = 'message.send'
  and exists (select from sync_killswitch where is_on)
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """What stands in a letter's way. words: for staff."""

    kind: Literal["overtaken", "partly_overtaken", "deleted", "held"]
    words: str


def of_jobs(ids: Collection[UUID]) -> dict[UUID, Finding]:
    """Return what newer jobs have made of these."""
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_DELETED, [list(ids)])
        found = {id: Finding("deleted", DELETED) for (id,) in cursor.fetchall()}
    for id, wholly in superseding.by_done(ids).items():
        found[id] = Finding("overtaken", OVERTAKEN) if wholly else Finding("partly_overtaken", PARTLY)
    return found


def held(location_ids: Iterable[str | None]) -> set[str]:
    """Return those of the locations that nothing is sent for now."""
    return _held(location_ids, ())


def _held(location_ids: Iterable[str | None], jobs: Iterable[UUID]) -> set[str]:
    """Return ids of locations that are held, and of messages that the kill switch holds."""
    wanted, messages = sorted({id for id in location_ids if id}), list(jobs)
    if not wanted and not messages:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_HELD, [wanted, messages])
        return {id for (id,) in cursor.fetchall()}


def of(letters: Collection[DeadLetter]) -> dict[int, Finding]:
    """Return for each letter the worst that is known; those that nothing is known of are left out."""
    jobs = [letter.job_id for letter in letters if letter.job_id]
    by_job = of_jobs(jobs)
    waiting = _held((letter.location_id for letter in letters if letter.job_id), jobs)
    found: dict[int, Finding] = {}
    for letter in letters:
        if letter.job_id in by_job:
            found[letter.pk] = by_job[letter.job_id]
        elif str(letter.job_id) in waiting:
            found[letter.pk] = Finding("held", KILLED)
        elif letter.job_id and letter.location_id in waiting:
            found[letter.pk] = Finding("held", HELD)
    return found
