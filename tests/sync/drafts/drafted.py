"""The least valid draft, as it stands in one state or another; whatever a test is about, it says itself."""

from datetime import UTC, datetime
from typing import Any

from sync.models import Draft, Location
from tests import make

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HERE = "loc-1"


def place(pk: str = HERE) -> Location:
    """Return a location, made where it is not there yet."""
    return Location.objects.get_or_create(pk=pk, defaults={"name": "Studio", "created_at": NOW})[0]


def draft(state: str = "review", **fields: Any) -> Draft:
    """Return a stored draft in a state, with what that state demands."""
    text = "How was your week?"
    given: dict[str, Any] = {
        "text": text,
        "written_text": text,
        "correlation_id": "journey-of-a-draft",
        "location": place(),
    }
    if state in ("scheduled", "sent", "undelivered"):
        given["approved_by"] = "user:1"
    return make.draft(state, now=NOW, **(given | fields))
