"""Bookings, drafts and answers as they stand, one row each, merged by `observability.rollups`.

The rule: what a row says depends on which events there are, never on the order they came in or how often.
"""

from django.db import models
from django.db.models import Q


class Booking(models.Model):
    """A booking as its last change says. changed_at, changed_by: time and uuid of that event.

    segment: of the last event that named one. scheduled_at: of its first booking_scheduled.
    """

    class State(models.TextChoices):
        BOOKED = "booked", "Booked"
        CANCELED = "canceled", "Canceled"
        NO_SHOW = "no_show", "No-show"

    booking_id = models.CharField(max_length=64, primary_key=True)
    client_id = models.CharField(max_length=64)
    trainer_id = models.CharField(max_length=64)
    segment = models.CharField(max_length=64)
    segment_named_at = models.DateTimeField(null=True)
    segment_named_by = models.UUIDField(null=True)
    starts_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State)
    changed_at = models.DateTimeField()
    changed_by = models.UUIDField()
    scheduled_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["starts_at"], name="booking_by_start"),
            models.Index(fields=["trainer_id", "starts_at"], name="booking_by_trainer"),
            models.Index(fields=["client_id", "starts_at"], name="booking_by_client"),
            models.Index(fields=["client_id", "scheduled_at"], name="booking_by_client_scheduled"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["booked", "canceled", "no_show"]), name="booking_state_is_known"
            )
        ]

    def __str__(self) -> str:
        return self.booking_id


class DraftedMessage(models.Model):
    """A message of the agent on its way: when it was drafted, approved and sent for the first time."""

    draft_id = models.CharField(max_length=64, primary_key=True)
    client_id = models.CharField(max_length=64)
    trainer_id = models.CharField(max_length=64)
    kind = models.CharField(max_length=32)
    channel = models.CharField(max_length=8)
    drafted_at = models.DateTimeField(null=True)
    approved_at = models.DateTimeField(null=True)
    edited = models.BooleanField(default=False)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["drafted_at"], name="drafted_message_by_drafted"),
            models.Index(fields=["sent_at"], name="drafted_message_by_sent"),
            models.Index(fields=["client_id"], name="drafted_message_by_client"),
        ]

    def __str__(self) -> str:
        return self.draft_id


class InboundMessage(models.Model):
    """A client has written, by an inbound-message webhook.

    client_id: TrainU's, or the contact's; where the webhook names both, there are two rows.
    """

    pk = models.CompositePrimaryKey("client_id", "received_at")
    client_id = models.CharField(max_length=64)
    received_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["received_at"], name="inbound_message_by_time")]

    def __str__(self) -> str:
        return f"{self.client_id} {self.received_at:%Y-%m-%d %H:%M}"
