"""Webhooks as GoHighLevel would post them: the least valid one of a kind, signed by a key of the tests."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from sync.webhooks.signature import HEADER
from trainu.demo.ghl.signing import Signer

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SIGNER = Signer("tests")
LOCATION = "ve9EPM428h8vShlRW1KT"


def number(count: int) -> str:
    """Return a webhookId that is the same for the same number."""
    return str(UUID(int=count, version=4))


def contact(webhook_id: str = number(1), **overrides: Any) -> dict[str, Any]:
    return {
        "type": "ContactCreate",
        "locationId": LOCATION,
        "id": "nmFmQEsNgz6AVpgLVUJ0",
        "email": "mira.stone@example.org",
        "firstName": "Mira",
        "source": "Trial form",
        "dateAdded": "2026-11-23T11:58:00.193Z",
        "timestamp": "2026-11-23T11:59:00.000Z",
        "appId": "appOfTheTests",
        "webhookId": webhook_id,
    } | overrides


def appointment(webhook_id: str = number(2), **overrides: Any) -> dict[str, Any]:
    about = {
        "id": "0007BWpSzSwfiuSl0tR2",
        "calendarId": "BqTwX8QFwXzpegMve9EQ",
        "contactId": "9NkT25Vor1v4aQatFsv2",
        "appointmentStatus": "confirmed",
        "assignedUserId": "YlWd2wuCAZQzh2cH1fVZ",
        "title": "First session with Mira",
        "source": "booking_widget",
        "startTime": "2026-12-01T16:00:00+05:30",
        "endTime": "2026-12-01T17:00:00+05:30",
        "dateAdded": "2026-11-23T17:00:00+05:30",
        "dateUpdated": "2026-11-23T17:05:00+05:30",
    }
    return {
        "type": overrides.pop("type", "AppointmentUpdate"),
        "locationId": LOCATION,
        "appointment": about | overrides,
        "timestamp": "2026-11-23T11:59:00.000Z",
        "webhookId": webhook_id,
    }


def workflow(**overrides: Any) -> dict[str, Any]:
    """Return what a workflow's webhook action posts: flat, misspelled, its times without an offset."""
    return {
        "contact_id": "9NkT25Vor1v4aQatFsv2",
        "first_name": "Mira",
        "email": "mira.stone@example.org",
        "contact_source": "calendar",
        "date_created": "2026-11-20T09:00:00.000Z",
        "location": {"id": LOCATION, "name": "Studio"},
        "workflow": {"id": "w-1", "name": "Tell TrainU"},
        "customData": {"goal": "Run ten kilometres"},
        "calendar": {
            "id": "BqTwX8QFwXzpegMve9EQ",
            "appointmentId": "0007BWpSzSwfiuSl0tR2",
            "selectedTimezone": "Europe/Berlin",
            "startTime": "2026-12-01T16:00:00",
            "endTime": "2026-12-01T17:00:00",
            "status": "booked",
            "appoinmentStatus": "cancelled",
        },
    } | overrides


def signed(document: Any) -> tuple[bytes, dict[str, str]]:
    """Return the raw body and the headers of a delivery. Bytes are sent as they are."""
    raw = document if isinstance(document, bytes) else orjson.dumps(document)
    return raw, {HEADER: SIGNER.sign(raw)}
