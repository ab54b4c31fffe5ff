"""What sync tells the rest of the house. Sync never learns who listens.

The rule: payloads are frozen dataclasses of plain values, sent inside the transaction that changes the
state, so that outcome and event commit together. One signal a batch: its argument is always a sequence.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.dispatch import Signal


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """An attempt of a job, and what became of the job by it.

    kind: send or lookup. outcome, code: see `sync.ghl.errors`. state: of the job now. number: of the attempt,
    from 1. retry_at: for a job that waits. cause: why a job is dead: refused, exhausted, check_by_hand.
    """

    job_id: UUID
    location_id: str
    operation: str
    kind: Literal["send", "lookup"]
    number: int
    outcome: str
    code: str
    state: str
    cause: str
    started_at: datetime
    duration_ms: float
    ended_at: datetime
    created_at: datetime
    retry_at: datetime | None
    correlation_id: str


@dataclass(frozen=True, slots=True)
class WebhookStored:
    """A webhook of GoHighLevel was verified and stored for the first time. topic: in snake case."""

    webhook_id: str
    location_id: str
    topic: str
    contact_id: str | None
    received_at: datetime
    duration_ms: float
    correlation_id: str


@dataclass(frozen=True, slots=True)
class LeadAppeared:
    """A contact was seen for the first time that we have not made ourselves. at: when it was added there."""

    location_id: str
    contact_id: str
    source: str | None
    at: datetime
    correlation_id: str


@dataclass(frozen=True, slots=True)
class BookingChanged:
    """A transition of an appointment, told once whatever the order and number of deliveries.

    identity: the same for the same transition, whoever saw it. at: when it happened there.
    previous_starts_at: of a rescheduled one. reason: of a canceled one (canceled, invalid, deleted).
    """

    change: Literal["scheduled", "confirmed", "rescheduled", "no_show", "canceled"]
    identity: UUID
    location_id: str
    appointment_id: str
    contact_id: str
    assigned_user_id: str
    starts_at: datetime
    ends_at: datetime | None
    previous_starts_at: datetime | None
    reason: str | None
    source: str | None
    at: datetime
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Act:
    """Something a person or a program did to jobs, letters or locations, for the audit log.

    action: a word of the audit's vocabulary, such as dead_letter.redrive. actor: who; None: whoever works.
    changes: by field, (before, after).
    """

    action: str
    target_kind: str
    target_id: str
    reason: str = ""
    actor: str | None = None
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something is wrong that blames no job: a SEV2; where data is lost, or a mass of messages goes, a SEV1.

    code: a word of `trainu.faults`: SyncCode, WebhookCode, DataLossCode or MassSendCode. location_id:
    empty where it is about all of them. words: for staff, nothing personal.
    """

    kind: Literal["sync", "webhook", "data_loss", "mass_send"]
    code: str
    location_id: str
    words: str


# Telemetry: attempts=[AttemptEnded], webhooks=[WebhookStored], leads=[LeadAppeared],
# bookings=[BookingChanged], troubles=[Trouble]. A receiver that breaks is logged, and undoes nothing.
attempts_ended = Signal()
webhooks_stored = Signal()
leads_appeared = Signal()
bookings_changed = Signal()
troubled = Signal()

# acts=[Act]. Its receivers raise: no entry, no act.
acted = Signal()
