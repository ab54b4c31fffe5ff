"""The event catalog: every event of TrainU declared once, as a typed class, in the file of its group.

`CATALOG` holds them all by name. API page, validation, definitions in the database and the demo are
made from the classes, so that a new event is one new class and nothing else.
"""

from observability.catalog import (
    agent,
    booking,
    directory,
    files,
    goals,
    onboarding,
    performance,
    sync,
)
from observability.catalog.event import CATALOG, Event

__all__ = [
    "CATALOG",
    "Event",
    "agent",
    "booking",
    "directory",
    "files",
    "goals",
    "onboarding",
    "performance",
    "sync",
]
