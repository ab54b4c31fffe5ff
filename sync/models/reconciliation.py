"""A reconciliation of one location: what it read, what it repaired, and where it goes on.

The rule: `next_at` is when a running one is due, and, while somebody has it in hand, when their turn runs
out. Whoever takes it counts `fence` up, and saves its progress only while that number stands.
"""

from django.db import models
from django.db.models import F, Q

from sync.models.location import Location


class Reconciliation(models.Model):
    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Stopped"

    location = models.ForeignKey(
        Location, on_delete=models.CASCADE, related_name="reconciliations", db_index=False
    )
    started_by = models.CharField(max_length=64, help_text="schedule, silence, command, or who asked for it.")
    reason = models.CharField(max_length=300, blank=True, help_text="Why it stopped.")
    since = models.DateTimeField()
    until = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.RUNNING)
    cursor = models.JSONField(default=dict, help_text="Where it goes on.")
    fence = models.PositiveIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(default=0, help_text="Of the request in hand, in a row.")
    next_at = models.DateTimeField()
    requests = models.PositiveIntegerField(default=0)
    contacts_read = models.PositiveIntegerField(default=0)
    appointments_read = models.PositiveIntegerField(default=0)
    missed = models.PositiveIntegerField(default=0, help_text="Contacts and appointments that were repaired.")
    told = models.PositiveIntegerField(default=0, help_text="Events that had been missed.")
    correlation_id = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        default_permissions = ("view",)
        permissions = [("start_reconciliation", "Can start reconciliations")]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(state="running"), name="reconciliation_due"),
            models.Index(fields=["location", "created_at"], name="reconciliation_by_location"),
            models.Index(fields=["ended_at"], name="reconciliation_by_end"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["location", "started_by"],
                condition=Q(state="running"),
                name="one_reconciliation_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(state="running", ended_at__isnull=True)
                | Q(state__in=["done", "failed"], ended_at__isnull=False),
                name="reconciliation_ends_once",
            ),
            models.CheckConstraint(
                condition=~Q(state="failed") | ~Q(reason=""), name="a_stopped_reconciliation_says_why"
            ),
            models.CheckConstraint(condition=Q(since__lt=F("until")), name="reconciliation_has_a_span"),
        ]

    def __str__(self) -> str:
        return f"Reconciliation {self.pk}"


class Silence(models.Model):
    """A location whose webhooks have stopped coming. The row is there as long as the silence lasts."""

    location = models.OneToOneField(Location, on_delete=models.CASCADE, primary_key=True)
    last_at = models.DateTimeField(help_text="When the last webhook came in.")
    noticed_at = models.DateTimeField()
    polled_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"Silence of {self.location_id}"
