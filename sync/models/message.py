"""Messages as GoHighLevel tells of them, and what a contact has said about getting any.

The rules: a message is one row, by GoHighLevel's id. A contact that nobody has heard of may be written to;
what was said last about a channel holds.
"""

from django.db import models
from django.db.models import Q

from sync.models.location import Location


class Message(models.Model):
    class Direction(models.TextChoices):
        INBOUND = "inbound", "From the client"
        OUTBOUND = "outbound", "To the client"

    location = models.ForeignKey(Location, on_delete=models.CASCADE, related_name="messages", db_index=False)
    message_id = models.CharField(max_length=100)
    contact_id = models.CharField(max_length=64)
    direction = models.CharField(max_length=8, choices=Direction.choices)
    channel = models.CharField(max_length=16, help_text="sms, email, or what else they call it.")
    text = models.TextField(blank=True, help_text="Personal. Without formatting, cut where it is long.")
    at = models.DateTimeField(help_text="As they say, else when it came in.")

    class Meta:
        ordering = ["-at", "-id"]
        default_permissions = ()
        indexes = [
            models.Index(fields=["contact_id", "location", "-at"], name="message_of_contact"),
            models.Index(fields=["at"], name="message_by_age"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["location", "message_id"], name="one_row_a_message"),
            models.CheckConstraint(
                condition=Q(direction__in=["inbound", "outbound"]), name="message_direction_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"Message {self.message_id}"


class Consent(models.Model):
    """Whether a contact wants messages on a channel. Without a row: nobody has said that they do not."""

    class Source(models.TextChoices):
        MESSAGE = "message", "They wrote it"
        DND = "dnd", "Do not disturb, in GoHighLevel"

    location = models.ForeignKey(Location, on_delete=models.CASCADE, related_name="consents", db_index=False)
    contact_id = models.CharField(max_length=64)
    channel = models.CharField(max_length=5, choices=[("sms", "SMS"), ("email", "Email")])
    source = models.CharField(max_length=7, choices=Source.choices)
    may_be_sent = models.BooleanField()
    at = models.DateTimeField(help_text="When it was said, as they say.")

    class Meta:
        ordering = ["-at", "-id"]
        default_permissions = ()
        constraints = [
            # STOP holds although do-not-disturb was lifted for another reason, and the other way round.
            models.UniqueConstraint(
                fields=["contact_id", "location", "channel", "source"],
                name="one_consent_a_channel_and_source",
            ),
            models.CheckConstraint(
                condition=Q(channel__in=["sms", "email"]), name="consent_channel_is_known"
            ),
            models.CheckConstraint(
                condition=Q(source__in=["message", "dnd"]), name="consent_source_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"Consent of {self.contact_id}"
