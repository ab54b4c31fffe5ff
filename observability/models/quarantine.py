"""Refused events, kept: nothing that a client reported is thrown away because it was wrong.

Grouped by event, reason and property, so that staff read one line a mistake and not one an event.
"""

from django.db import models
from django.db.models import Q


class QuarantineGroup(models.Model):
    class State(models.TextChoices):
        OPEN = "open", "Open"
        REINGESTING = "reingesting", "Re-ingesting"
        EMPTY = "empty", "Empty"

    event = models.CharField(max_length=200, help_text="The name as it was sent.")
    code = models.CharField(max_length=32, help_text="Why it was refused.")
    property = models.CharField(max_length=200, blank=True, help_text="The property at fault, if one is.")
    message = models.TextField(help_text="The newest message to the client.")
    suggestion = models.CharField(max_length=200, blank=True, help_text="Did you mean.")
    state = models.CharField(max_length=12, choices=State, default=State.OPEN)
    refused = models.BigIntegerField(default=0, help_text="Events refused for this reason, ever.")
    reingested = models.BigIntegerField(default=0, help_text="Events of this group accepted since.")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        ordering = ["-last_seen_at"]
        permissions = [("reingest_quarantinegroup", "Can re-ingest quarantined events")]
        constraints = [
            models.UniqueConstraint(fields=["event", "code", "property"], name="one_group_per_mistake"),
            models.CheckConstraint(
                condition=Q(state__in=["open", "reingesting", "empty"]),
                name="quarantine_group_state_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event}: {self.code} {self.property}".rstrip()


class QuarantinedEvent(models.Model):
    uuid = models.UUIDField(primary_key=True, help_text="The client's uuid, or ours where it gave none.")
    group = models.ForeignKey(QuarantineGroup, on_delete=models.CASCADE, related_name="events")
    # Text, not jsonb: what is wrong with it may be the very thing that jsonb refuses (a NUL).
    payload = models.TextField(help_text="The item as it was sent, as JSON text.")
    message = models.TextField()
    source = models.CharField(max_length=16)
    api_key_id = models.BigIntegerField(null=True)
    correlation_id = models.CharField(max_length=64)
    received_at = models.DateTimeField()

    class Meta:
        ordering = ["received_at", "uuid"]
        indexes = [models.Index(fields=["group", "received_at"], name="quarantined_by_group")]

    def __str__(self) -> str:
        return str(self.uuid)
