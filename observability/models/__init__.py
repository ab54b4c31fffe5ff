"""The observer's rows, one noun a file. Whatever the database can hold as a constraint stands in Meta."""

from observability.models.alert import AlertRule, Evaluation, MeasureMinute, RuleState
from observability.models.api_key import ApiKey
from observability.models.audit import AuditCheckpoint, AuditEntry, AuditLink, AuditVerification
from observability.models.counter import CounterMinute, Reading, RunningTotal
from observability.models.days import CountedDay, CountedZone, DayCell, TouchedDay
from observability.models.erasure import Erasure
from observability.models.error import ErrorMinute
from observability.models.event import BackfilledDay, Event, SeenUuid
from observability.models.event_definition import EventDefinition
from observability.models.forwarding import Forwarder, ForwardRejection
from observability.models.heartbeat import Heartbeat
from observability.models.incident import Channel, Incident, IncidentMoment, Notification, Silence
from observability.models.journey import Booking, DraftedMessage, InboundMessage
from observability.models.log import LogLine
from observability.models.people import ActiveDay, PeopleQuarter, Person, SampleLevel
from observability.models.quarantine import QuarantinedEvent, QuarantineGroup
from observability.models.retention import PurgeRun, RetentionPolicy
from observability.models.rollup import (
    DurationMinute,
    EventHour,
    EventMinute,
    LatencyQuarter,
    RollupRebuild,
    SyncQuarter,
    Watermark,
)

__all__ = [
    "ActiveDay",
    "AlertRule",
    "ApiKey",
    "AuditCheckpoint",
    "AuditEntry",
    "AuditLink",
    "AuditVerification",
    "BackfilledDay",
    "Booking",
    "Channel",
    "CountedDay",
    "CountedZone",
    "CounterMinute",
    "DayCell",
    "DraftedMessage",
    "DurationMinute",
    "Erasure",
    "ErrorMinute",
    "Evaluation",
    "Event",
    "EventDefinition",
    "EventHour",
    "EventMinute",
    "ForwardRejection",
    "Forwarder",
    "Heartbeat",
    "InboundMessage",
    "Incident",
    "IncidentMoment",
    "LatencyQuarter",
    "LogLine",
    "MeasureMinute",
    "Notification",
    "PeopleQuarter",
    "Person",
    "PurgeRun",
    "QuarantineGroup",
    "QuarantinedEvent",
    "Reading",
    "RetentionPolicy",
    "RollupRebuild",
    "RuleState",
    "RunningTotal",
    "SampleLevel",
    "SeenUuid",
    "Silence",
    "SyncQuarter",
    "TouchedDay",
    "Watermark",
]
