"""The observer in the admin, one noun a file. Pages parse, call one verb, and render."""

from observability.admin import (
    accounts,
    api_key,
    audit,
    erasure,
    errors,
    event_definition,
    events,
    forward_rejection,
    forwarding,
    logs,
    needs,
    overview,
    quarantine,
    retention,
    tasks,
    trace,
)

__all__ = [
    "accounts",
    "api_key",
    "audit",
    "erasure",
    "errors",
    "event_definition",
    "events",
    "forward_rejection",
    "forwarding",
    "logs",
    "needs",
    "overview",
    "quarantine",
    "retention",
    "tasks",
    "trace",
]
