"""The AI agent: what it drafts and finds out, what trainers approve, and what reaches a client.

What the agent or the sync engine does is not made by a person, and does not make the client active
whom it is about: only approving a draft and reading a digest count as activity.
"""

from typing import ClassVar, Literal

from pydantic import Field

from observability.catalog.event import Event
from observability.catalog.properties import Id, Milliseconds, Word

DraftKind = Literal[
    "booking_confirmation",
    "booking_reminder",
    "booking_reschedule",
    "no_show_recovery",
    "progress_celebration",
    "weekly_checkin",
    "at_risk_outreach",
    "general_reply",
]


class AgentEvent(Event):
    category: ClassVar[str] = "AI agent"


class DraftEvent(AgentEvent):
    # Said again, for it is what makes this class a base: the part that all events of one draft share.
    category: ClassVar[str] = "AI agent"

    draft_id: Id = Field(description="The draft, the same from drafting to sending.")
    client_id: Id = Field(description="The client the message is for.")
    trainer_id: Id = Field(description="The trainer in whose name it is written.")
    kind: DraftKind = Field(description="What the message is for.")
    channel: Literal["sms", "email"] = Field(description="How it is to be sent.")


class MessageDrafted(DraftEvent):
    """The AI agent has written a message, which now waits for its trainer's approval."""

    human: ClassVar[bool] = False

    duration_ms: Milliseconds = Field(description="Time the model took for the attempt that succeeded.")
    model: Word | None = Field(default=None, description="Name of the model, in lower case.")


class TrainerApproved(DraftEvent):
    """A trainer has approved a draft, as it was or after changing it; its sending is queued."""

    edited: bool = Field(description="Whether the trainer has changed the text.")


class MessageSent(DraftEvent):
    """GoHighLevel has accepted an approved message for sending."""

    human: ClassVar[bool] = False

    job_id: Id | None = Field(default=None, description="The sync job that handed it over.")
    location_id: Id | None = Field(default=None, description="The GoHighLevel location it was sent from.")


class InsightCreated(AgentEvent):
    """The AI agent has found something out about a client, and shows it to the trainer."""

    human: ClassVar[bool] = False

    insight_id: Id = Field(description="The insight.")
    client_id: Id = Field(description="The client it is about.")
    trainer_id: Id = Field(description="The trainer it is for.")
    kind: Word = Field(description="What it is about: attendance, progress, risk.")


class WeeklyDigestViewed(AgentEvent):
    """A trainer has opened a weekly digest; every opening counts."""

    digest_id: Id = Field(description="The digest, one a trainer and week.")
    trainer_id: Id = Field(description="The trainer.")
    surface: Literal["email", "admin"] = Field(description="Where it was opened.")
