"""The least valid thing of each kind; whatever a test is about, it says itself."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone
from uuid_utils.compat import uuid7

from sync.models import Draft, Location


def event(**overrides: Any) -> dict[str, Any]:
    """Return an event as an app would send it."""
    return {
        "event": "user_logged_in",
        "distinct_id": "client:c-1",
        "properties": {"user_id": "c-1", "role": "client"},
        "uuid": str(uuid7()),
    } | overrides


def events(count: int) -> list[dict[str, Any]]:
    """Return so many events, each with a uuid of its own."""
    return [event(distinct_id=f"client:c-{number}") for number in range(count)]


def id() -> UUID:
    """Return an id as our rows have them."""
    return uuid7()


def draft(state: str = "review", *, now: datetime | None = None, **overrides: Any) -> Draft:
    """Store a draft as it stands in a state, of trainer t-1 in location loc-1. now: when all of it was."""
    at = now or timezone.now()
    place, _ = Location.objects.get_or_create(pk="loc-1", defaults={"name": "Studio", "created_at": at})
    is_written = state not in {"waiting", "writing", "failed"}
    is_approved = state in {"scheduled", "sent", "undelivered"}
    text = "How was your week?" if is_written else ""
    given = {
        "id": uuid7(),
        "trainer_id": "t-1",
        "client_id": "c-1",
        "contact_id": "contact-1",
        "location": place,
        "channel": "sms",
        "kind": "weekly_checkin",
        "context": {"client": {"first_name": "Mira"}},
        "state": state,
        "impact": 50,
        "next_at": at,
        "code": "timeout" if state == "failed" else "",
        "text": text,
        "written_text": text,
        "written_at": at if is_written else None,
        "based_at": at,
        "approvals": int(is_approved),
        "approved_by": "staff:1" if is_approved else "",
        "approved_at": at if is_approved else None,
        "send_at": at if is_approved else None,
        "sent_at": at if state == "sent" else None,
        "ended_at": at if state in {"sent", "dismissed"} else None,
        "correlation_id": "c",
        "created_at": at,
    }
    return Draft.objects.create(**given | overrides)
