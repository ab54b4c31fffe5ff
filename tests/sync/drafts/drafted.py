"""The least valid draft, as it stands in one state or another; whatever a test is about, it says itself."""

from datetime import UTC, datetime
from typing import Any

from uuid_utils.compat import uuid7

from sync.models import Draft, Location

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HERE = "loc-1"


def place(pk: str = HERE) -> Location:
    """Return a location, made where it is not there yet."""
    return Location.objects.get_or_create(pk=pk, defaults={"name": "Studio", "created_at": NOW})[0]


def draft(state: str = "review", **fields: Any) -> Draft:
    """Return a stored draft in a state, with what that state demands."""
    demanded: dict[str, Any] = {}
    if state in ("scheduled", "sent", "undelivered"):
        demanded |= {"approved_by": "user:1", "approved_at": NOW, "approvals": 1}
    if state in ("sent", "dismissed"):
        demanded["ended_at"] = NOW
    if state == "sent":
        demanded["sent_at"] = NOW
    if state == "failed":
        demanded["code"] = "timeout"
    given = {
        "trainer_id": "t-1",
        "client_id": "c-1",
        "contact_id": "contact-1",
        "channel": "sms",
        "kind": "weekly_checkin",
        "state": state,
        "text": "How was your week?",
        "written_text": "How was your week?",
        "next_at": NOW,
        "based_at": NOW,
        "created_at": NOW,
        "correlation_id": "journey-of-a-draft",
    }
    return Draft.objects.create(id=uuid7(), location=place(), **(given | demanded | fields))
