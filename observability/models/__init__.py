"""The observer's rows, one noun a file. Whatever the database can hold as a constraint stands in Meta."""

from observability.models.api_key import ApiKey
from observability.models.counter import CounterMinute, Reading
from observability.models.event import BackfilledDay, Event, SeenUuid
from observability.models.event_definition import EventDefinition
from observability.models.forwarding import Forwarder, ForwardRejection
from observability.models.heartbeat import Heartbeat
from observability.models.quarantine import QuarantinedEvent, QuarantineGroup
from observability.models.rollup import DurationMinute, EventHour, EventMinute, Watermark

__all__ = [
    "ApiKey",
    "BackfilledDay",
    "CounterMinute",
    "DurationMinute",
    "Event",
    "EventDefinition",
    "EventHour",
    "EventMinute",
    "ForwardRejection",
    "Forwarder",
    "Heartbeat",
    "QuarantineGroup",
    "QuarantinedEvent",
    "Reading",
    "SeenUuid",
    "Watermark",
]
