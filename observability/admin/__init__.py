"""The observer in the admin, one noun a file. Pages parse, call one verb, and render."""

from observability.admin import (
    api_key,
    event_definition,
    events,
    forward_rejection,
    forwarding,
    overview,
    quarantine,
    tasks,
)

__all__ = [
    "api_key",
    "event_definition",
    "events",
    "forward_rejection",
    "forwarding",
    "overview",
    "quarantine",
    "tasks",
]
