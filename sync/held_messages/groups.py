"""What the kill switch holds, in groups: by location and equal text, how many, since when, and of what shape.

The rule: so many messages are looked at and no more, by an index that holds nothing else; where there are
more, the page says so. Of a message, only what is masked is shown, and the shape of its text.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from sync import job_search
from sync.held_messages.chosen import ALONE, HELD
from sync.held_messages.shape import Shape, name_of, shape_of
from sync.models import SyncJob
from sync.stats.queues import Count

MOST_LOOKED_AT = 100_000
MOST_GROUPS = 50


@dataclass(frozen=True, slots=True)
class Group:
    """Held messages of a location with one text. texts: how many; those that nobody shares are one group.

    text: as `Chosen` takes it; name: what people call it, empty where nobody shares it. Of its oldest
    message: its shape, under which correlation id it came, and all of it that is not masked (example).
    """

    location_id: str
    location: str
    text: str
    name: str
    messages: int
    texts: int
    first_at: datetime
    last_at: datetime
    shape: Shape
    correlation_id: str
    example: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """All that is held. groups: the largest first, so many of them. released: that have not gone yet."""

    groups: list[Group]
    all_groups: int
    messages: Count
    released: Count


_GROUPS = f"""
with looked as materialized (
    select location_id, text_key, position, created_at from sync_syncjob where {HELD}
    order by location_id, text_key, position limit %(most)s + 1
), texts as (
    select location_id, text_key, count(*) as messages, min(created_at) as first_at,
           max(created_at) as last_at, min(position) as example
    from looked group by 1, 2
), grouped as (
    select location_id, case when messages > 1 then text_key end as text_key, sum(messages) as messages,
           count(*) as texts, min(first_at) as first_at, max(last_at) as last_at, min(example) as example
    from texts group by 1, 2
)
select grouped.location_id, location.name, grouped.text_key, messages::bigint, texts, first_at, last_at,
       example, count(*) over (), (select count(*) from looked)
from grouped join sync_location location on location.id = grouped.location_id
order by messages desc, grouped.location_id, grouped.text_key limit %(groups)s
"""
_RELEASED = """
select count(*) from (
    select from sync_syncjob
    where state = 'waiting' and operation = 'message.send' and not is_lookup and released_at >= %(since)s
    limit %(most)s + 1
) released
"""


def held(since: datetime) -> Held:
    """Return what is held. since: when the switch was turned on."""
    given: dict[str, Any] = {"since": since, "most": MOST_LOOKED_AT, "groups": MOST_GROUPS}
    with connection.cursor() as cursor:
        cursor.execute(_GROUPS, given)
        rows = cursor.fetchall()
        cursor.execute(_RELEASED, given)
        [released] = cursor.fetchone()
    examples = {
        job.position: (shape_of(job.payload), job.correlation_id, job_search.shown_payload(job))
        for job in SyncJob.objects.filter(position__in=[row[7] for row in rows])
    }
    groups = [
        Group(
            place,
            name,
            ALONE if key is None else str(key),
            name_of(key),
            messages,
            texts,
            first,
            last,
            *examples.get(position, (Shape(), "", {})),
        )
        # One that has gone meanwhile has no example.
        for place, name, key, messages, texts, first, last, position, _, _ in rows
    ]
    number, looked = (rows[0][8], rows[0][9]) if rows else (0, 0)
    return Held(groups, number, _count(looked), _count(released))


def _count(rows: int) -> Count:
    return Count(min(rows, MOST_LOOKED_AT), rows > MOST_LOOKED_AT)
