"""Synchronisation with GoHighLevel: how attempts end, and what comes in by webhook.

Made by the sync engine from its own outcomes, never by an app.
"""

from typing import ClassVar, Literal

from pydantic import Field

from observability.catalog.event import Event
from observability.catalog.properties import Count, Id, Milliseconds, Seconds, Word


class SyncEvent(Event):
    category: ClassVar[str] = "sync"
    human: ClassVar[bool] = False


class AttemptEvent(SyncEvent):
    # Said again, for it is what makes this class a base: the part that all outcomes of an attempt share.
    category: ClassVar[str] = "sync"

    job_id: Id = Field(description="The sync job.")
    location_id: Id = Field(description="The GoHighLevel location.")
    operation: Word = Field(description="What was to be done, such as contact.upsert or message.send.")
    attempt: Count = Field(description="Number of the attempt, from 1.")
    duration_ms: Milliseconds = Field(description="The attempt itself, from request until answer or failure.")


class SyncOk(AttemptEvent):
    """An attempt has succeeded, and its job with it."""

    settled_after_s: Seconds = Field(description="From enqueueing of the job until its success.")


class SyncRetry(AttemptEvent):
    """An attempt has failed in a way that may pass, and the job has got a time for its next attempt."""

    code: Word = Field(description="Why it failed: timeout, connection_reset, status_503.")
    retry_in_s: Seconds = Field(description="Delay until the next attempt.")


class SyncDropped(AttemptEvent):
    """A job will not be tried again by itself: it is a dead letter now, and a person decides."""

    code: Word = Field(description="Why the last attempt failed: timeout, status_422, unknown_outcome.")
    reason: Literal["exhausted", "permanent", "ambiguous", "configuration", "internal"] = Field(
        description="Why there is no further attempt."
    )
    settled_after_s: Seconds = Field(description="From enqueueing of the job until it was given up.")


class WebhookReceived(SyncEvent):
    """A webhook of GoHighLevel has been verified and stored; a resend of a stored one is not counted."""

    webhook_id: Id = Field(description="GoHighLevel's id of the webhook, or a hash of its body.")
    location_id: Id = Field(description="The GoHighLevel location it is from.")
    topic: Word = Field(description="Its type in snake case, such as appointment_update.")
    contact_id: Id | None = Field(default=None, description="The GoHighLevel contact it is about, if one.")
    client_id: Id | None = Field(default=None, description="TrainU's client behind the contact, when known.")
    duration_ms: Milliseconds = Field(description="From the first byte until it was stored.")
