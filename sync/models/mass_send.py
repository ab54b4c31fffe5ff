"""What the watch for a mass of messages remembers: how far it has looked, and how many are usual.

The rule: a level is the most messages of one kind in one span of an hour that is over, or that staff have
let go. What cannot change a limit is not written, so that small studios have no rows.
"""

from django.db import models
from django.db.models import Q


class MessageWatch(models.Model):
    """One row at most."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    looked_at = models.DateTimeField(null=True, help_text="When some lane has looked last.")
    learned_until = models.DateTimeField(null=True, help_text="What was enqueued before is in the levels.")
    accepted_until = models.DateTimeField(
        null=True, help_text="Whoever let messages go again meant all that had been enqueued before."
    )

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(id=1), name="there_is_one_message_watch")]

    def __str__(self) -> str:
        return f"Looked at {self.looked_at}"


class MessageLevel(models.Model):
    """measure: see `sync.mass_send.rule`. location_id, text_key: empty, and 0, where it is about all."""

    measure = models.CharField(max_length=16)
    location_id = models.CharField(max_length=64, blank=True)
    text_key = models.BigIntegerField(default=0)
    hour = models.DateTimeField()
    peak = models.PositiveIntegerField()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["hour"], name="message_level_by_time")]
        constraints = [
            models.UniqueConstraint(
                fields=["measure", "location_id", "text_key", "hour"], name="one_message_level_an_hour"
            )
        ]

    def __str__(self) -> str:
        return f"{self.measure}: {self.peak}"
