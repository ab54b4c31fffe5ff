"""The least valid thing of each kind; whatever a test is about, it says itself."""

from typing import Any

from uuid_utils.compat import uuid7


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
