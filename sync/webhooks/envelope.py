"""What a webhook says of itself: its type, whose it is, when it was sent, and what it is about.

The rule: tolerant. Only what storing needs is read here; the rest of the body waits for processing.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import orjson

from sync.webhooks.fields import Document, child, identifier, moment

# Of the app, not of a location: INSTALL and UNINSTALL of an agency name a company only.
APP_TOPICS = frozenset({"install", "uninstall", "update"})
UNKNOWN_TOPIC = "unknown"
# Nested deeper than any real one: orjson itself gives up at 1024.
_TYPE = re.compile(r"[A-Za-z][A-Za-z_]{0,47}", re.ASCII)
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What stands on a webhook. Empty texts: not said. topic: the type in snake case."""

    webhook_id: str
    topic: str
    location_id: str
    app_id: str
    contact_id: str
    object_id: str
    sent_at: datetime | None


def document_of(raw: bytes) -> Document | None:
    """Return the JSON object in a body, or None where there is none."""
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def read(document: Document) -> Envelope:
    """Return what a marketplace webhook says of itself."""
    topic = topic_of(document.get("type"))
    nested = child(document, "appointment")
    about_location = topic.startswith("location_")
    is_contact = topic.startswith("contact_")
    return Envelope(
        webhook_id=identifier(document, "webhookId"),
        topic=topic,
        # LocationCreate and LocationUpdate are about a location, and name it by `id` alone.
        location_id=identifier(document, "locationId", *(("id",) if about_location else ())),
        app_id=identifier(document, "appId"),
        contact_id=identifier(document, "contactId", *(("id",) if is_contact else ()))
        or identifier(nested, "contactId"),
        object_id=identifier(nested, "id") or identifier(document, "id", "messageId", "appointmentId"),
        sent_at=moment(document, "timestamp"),
    )


def topic_of(kind: object) -> str:
    """Return GoHighLevel's name of an event in snake case: AppointmentCreate, PLAN_CHANGE, LCEmailStats."""
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind):
        return UNKNOWN_TOPIC
    return kind.lower() if kind.isupper() else _HUMPS.sub("_", kind).lower()


def event_type(topic: str) -> str:
    """Return a topic as faults name it: in letters only."""
    return topic.title().replace("_", "")


def digest(*parts: bytes) -> str:
    """Return what names a body that has no id of its own."""
    return sha256(b"\x00".join(parts)).hexdigest()
