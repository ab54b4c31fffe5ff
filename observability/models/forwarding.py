"""How far PostHog has got: one cursor over the stored events, and the rows that PostHog refused.

The cursor moves only after PostHog has acknowledged; a crash in between sends the same uuids again.
"""

from django.db import models
from django.db.models import Q


class Forwarder(models.Model):
    """The forwarder's one row. Position: everything before (xid, timestamp, uuid) is done with."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    position_xid = models.BigIntegerField(default=0)
    position_timestamp = models.DateTimeField(null=True)
    position_uuid = models.UUIDField(null=True)
    sent = models.BigIntegerField(default=0)
    skipped = models.BigIntegerField(default=0, help_text="Passed over because forwarding was off.")
    refused = models.BigIntegerField(default=0)
    acknowledged_at = models.DateTimeField(null=True)
    # Oldest stored event that PostHog does not have yet, by the time it was stored; null: none.
    oldest_waiting_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    next_attempt_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=200, blank=True)
    last_error_at = models.DateTimeField(null=True)
    paused_at = models.DateTimeField(null=True)
    paused_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        permissions = [("pause_forwarder", "Can pause and resume the forwarder")]
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="one_forwarder"),
            models.CheckConstraint(
                condition=Q(position_timestamp__isnull=True, position_uuid__isnull=True)
                | Q(position_timestamp__isnull=False, position_uuid__isnull=False),
                name="forwarder_position_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return "PostHog forwarder"


class ForwardRejection(models.Model):
    """An event that PostHog refused on its own: it stays stored here, and can be sent again."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        SENT = "sent", "Sent again"

    uuid = models.UUIDField(primary_key=True)
    timestamp = models.DateTimeField()
    event = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(help_text="HTTP status of the refusal.")
    reason = models.CharField(max_length=200)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    refused_at = models.DateTimeField()

    class Meta:
        ordering = ["-refused_at"]
        permissions = [("resend_forwardrejection", "Can send refused events again")]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["open", "sent"]), name="forward_rejection_state_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.uuid}"
