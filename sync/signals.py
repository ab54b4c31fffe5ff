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
class DraftMoved:
    """What all that is told of a draft has in common. kind, channel: words of the catalog. at: when."""

    draft_id: UUID
    trainer_id: str
    client_id: str
    kind: str
    channel: str
    at: datetime
    correlation_id: str


@dataclass(frozen=True, slots=True)
class DraftWritten(DraftMoved):
    """The language model has written a draft. round: a person may have asked for more than one."""

    round: int
    duration_ms: float
    model: str


@dataclass(frozen=True, slots=True)
class DraftApproved(DraftMoved):
    """A person has approved a draft; its message is a job now. approval: which one of this draft, from 1."""

    approval: int
    edited: bool


@dataclass(frozen=True, slots=True)
class DraftSent(DraftMoved):
    """GoHighLevel has taken the message of a draft."""

    job_id: UUID
    location_id: str


@dataclass(frozen=True, slots=True)
class InsightAdded:
    """The agent has found something out about a client. kind: a word."""

    insight_id: UUID
    trainer_id: str
    client_id: str
    kind: str
    at: datetime
    correlation_id: str


@dataclass(frozen=True, slots=True)
class DigestOpened:
    """A trainer has opened a weekly digest."""

    digest_id: UUID
    trainer_id: str
    surface: Literal["email", "admin"]
    at: datetime


@dataclass(frozen=True, slots=True)
class ModelFailed:
    """A call of the language model failed. provider: a word of `trainu.faults.Provider`; code: of LLMCode."""

    draft_id: UUID
    provider: str
    code: str
    at: datetime


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
# Telemetry too: written=[DraftWritten], approved=[DraftApproved], sent=[DraftSent],
# insights=[InsightAdded], digests=[DigestOpened], failures=[ModelFailed].
drafts_written = Signal()
drafts_approved = Signal()
drafts_sent = Signal()
insights_added = Signal()
digests_opened = Signal()
models_failed = Signal()

# acts=[Act]. Its receivers raise: no entry, no act.
acted = Signal()
