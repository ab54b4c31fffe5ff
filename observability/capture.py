"""Every event of every door ends here: API, PostHog door, Python, signals. One function stores them.

The rule: what leaves this room for the store is safe to keep and to forward. Redaction stands in
`_row`, the one place that turns an event into what is stored, whichever door it came through.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone
from pydantic_core import from_json, to_json
from uuid_utils.compat import uuid7

from observability import store
from observability.catalog import Event
from observability.custom_events import CustomEvent
from observability.redaction import redact
from observability.redaction.screen import may_hold
from observability.store import Origin, Row
from trainu import correlation, known_names


# Not frozen, and so not three times as slow to make: there is one for each event of a batch.
@dataclass(slots=True)
class Occurrence:
    """One event that happened. timestamp: aware, when it happened. uuid: its identity for ever.

    correlation_id: of the work that it belongs to, where that is not its batch's.
    """

    event: Event | CustomEvent
    distinct_id: str
    timestamp: datetime
    uuid: UUID
    correlation_id: str | None = None


def capture(
    event: Event, *, distinct_id: str, timestamp: datetime | None = None, uuid: UUID | None = None
) -> UUID:
    """Store one event from Python code and return its uuid.

    Inside a transaction the event commits with it, and vanishes with it. timestamp: aware, default
    now. uuid: give one where the same fact could be reported twice. Raises ValueError for a naive
    timestamp, and django.db.Error when the database refuses.
    """
    happened = timestamp or timezone.now()
    if happened.tzinfo is None:
        raise ValueError("timestamp must be aware: give it an offset")
    occurrence = Occurrence(event, distinct_id, happened, uuid or uuid7())
    persist([occurrence], Origin("python", correlation.current()))
    return occurrence.uuid


def persist(occurrences: Sequence[Occurrence], origin: Origin) -> int:
    """Store a batch of checked events; return how many were new (the others were duplicates)."""
    return store.insert([_row(occurrence) for occurrence in occurrences], origin)


def _row(occurrence: Occurrence) -> Row:
    event, distinct_id, names = occurrence.event, occurrence.distinct_id, known_names.current()
    if isinstance(event, Event):
        properties = event.__pydantic_serializer__.to_json(event, exclude_none=True).decode()
        is_doubtful = bool(names) or may_hold(properties, distinct_id)
    else:
        # Names of properties that staff chose say what their values are; the quick look reads no names.
        properties, is_doubtful = to_json(event.properties).decode(), True
    if is_doubtful:
        properties = to_json(redact(from_json(properties), names)).decode()
        # Under a name of its own: a bare text has no key that says it is an id.
        distinct_id = redact({"distinct_id": distinct_id}, names)["distinct_id"]
    return Row(
        uuid=occurrence.uuid,
        timestamp=occurrence.timestamp,
        event=event.name,
        distinct_id=distinct_id,
        properties=properties,
        correlation_id=occurrence.correlation_id,
    )
