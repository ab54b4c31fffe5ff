"""From lead to appointment: each change of a booking's state, once.

Which bookings are due, shown or recovered is derived from these events and stored in none of them.
"""

from typing import ClassVar

from pydantic import Field

from observability.catalog.event import Event
from observability.catalog.properties import Id, Minutes, Moment, Word


class BookingGroupEvent(Event):
    category: ClassVar[str] = "booking"


class BookingEvent(BookingGroupEvent):
    # Said again, for it is what makes this class a base: the part that all events of one booking share.
    category: ClassVar[str] = "booking"

    booking_id: Id = Field(description="The booking, the same through all its changes.")
    client_id: Id = Field(description="The client: TrainU's id, or the contact's where TrainU has none yet.")
    trainer_id: Id = Field(description="The trainer who is booked.")
    starts_at: Moment = Field(description="Start of the appointment as it stands after this event.")
    segment: Word | None = Field(default=None, description="Client segment, such as new or regular.")
    location_id: Id | None = Field(default=None, description="The GoHighLevel location of the calendar.")


class LeadCreated(BookingGroupEvent):
    """A person has become known as a possible client, in TrainU or in GoHighLevel, for the first time."""

    client_id: Id = Field(description="The lead, who keeps this id as a client.")
    trainer_id: Id | None = Field(default=None, description="The trainer the lead is for, when there is one.")
    location_id: Id | None = Field(default=None, description="The GoHighLevel location of the contact.")
    source: Word | None = Field(default=None, description="Where it came from: directory, form, import.")


class BookingScheduled(BookingEvent):
    """An appointment has been booked; it may still wait for its confirmation."""

    duration_min: Minutes | None = Field(default=None, description="Planned length of the appointment.")
    source: Word | None = Field(default=None, description="Where it was booked: directory, app, ghl.")


class BookingConfirmed(BookingEvent):
    """A booked appointment has been confirmed, by a person or by the calendar's own rule."""


class BookingRescheduled(BookingEvent):
    """An appointment that stays booked has been moved to another time."""

    previous_starts_at: Moment = Field(description="Start of the appointment before it was moved.")


class NoShow(BookingEvent):
    """The client has not come to an appointment whose start has passed, and it has been marked so."""

    # Whom it is about did nothing: it must not count as that client's activity.
    human: ClassVar[bool] = False


class BookingCanceled(BookingEvent):
    """An appointment has been called off, or deleted from the calendar."""

    reason: Word | None = Field(default=None, description="Why: client, trainer, invalid, deleted.")
