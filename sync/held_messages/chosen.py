"""Which held messages are meant, by location, text or number: the same for lists and for verbs.

The rules: held is what waits to be sent and nobody has released since the switch was turned on; a lookup
sends nothing and is none of it. A set ends with what was there when it was shown: what comes later is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from sync.models import SyncJob

# In the place of a text: every message that says what no other of its location does.
ALONE = "alone"

# In the words of its index, message_waiting.
HELD = """
state = 'waiting' and operation = 'message.send' and not is_lookup
and (released_at is null or released_at < %(since)s)
"""
_OF_LOCATION = "location_id = %(location_id)s"
_OF_TEXT = "text_key = %(text_key)s"
_ALONE = f"""
(text_key is null or (location_id, text_key) in (
    select location_id, text_key from sync_syncjob
    where {HELD} {{and_location}} and position <= %(until)s
    group by location_id, text_key having count(*) = 1))
"""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Empty texts and None choose nothing in particular. text: a number of `mass_send.text`, or ALONE.

    until: the position of the last that was there. ids: of jobs, instead of all. Raises ValueError for a text
    that is neither.
    """

    location_id: str = ""
    text: str = ""
    until: int | None = None
    ids: tuple[UUID, ...] = ()

    def __post_init__(self) -> None:
        if self.text and self.text != ALONE and not -(2**63) <= int(self.text) < 2**63:
            raise ValueError("No text has this number.")

    def where(self, since: datetime) -> tuple[str, dict[str, Any]]:
        """Return the condition on jobs, and its parameters. since: the switch's last turn."""
        until = 2**63 - 1 if self.until is None else self.until
        given: dict[str, Any] = {"since": since, "until": until}
        parts = [HELD, "position <= %(until)s"]
        if self.location_id:
            parts.append(_OF_LOCATION)
            given["location_id"] = self.location_id
        if self.text == ALONE:
            parts.append(_ALONE.format(and_location=f"and {_OF_LOCATION}" if self.location_id else ""))
        elif self.text:
            parts.append(_OF_TEXT)
            given["text_key"] = int(self.text)
        if self.ids:
            parts.append("id = any(%(ids)s::uuid[])")
            given["ids"] = list(self.ids)
        return " and ".join(parts), given

    def count(self, since: datetime, most: int) -> int:
        """Return how many are chosen, counted no further than `most`."""
        where, given = self.where(since)
        with connection.cursor() as cursor:
            cursor.execute(
                f"select count(*) from (select from sync_syncjob where {where} limit %(most)s) counted",
                given | {"most": most},
            )
            return int(cursor.fetchone()[0])

    def page(self, since: datetime, *, after: int, most: int) -> Sequence[SyncJob]:
        """Return some of them, the oldest first, behind a position."""
        where, given = self.where(since)
        statement = f"""
            select * from sync_syncjob where {where} and position > %(after)s
            order by position limit %(most)s
        """
        found = SyncJob.objects.raw(statement, given | {"after": after, "most": most})
        return list(found.prefetch_related("location"))


def last_position() -> int:
    """Return the position up to which jobs are there now: where a set ends that is shown."""
    return SyncJob.objects.order_by("-position").values_list("position", flat=True).first() or 0
