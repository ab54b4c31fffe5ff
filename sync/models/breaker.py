"""Whether a location's GoHighLevel answers: one row each, decided by `sync.breaker`."""

from django.db import models
from django.db.models import Q

from sync.models.location import Location


class Breaker(models.Model):
    class State(models.TextChoices):
        CLOSED = "closed", "Answers"
        OPEN = "open", "Does not answer: jobs are held"
        RAMPING = "ramping", "Answers again: jobs are let by in steps"

    location = models.OneToOneField(Location, on_delete=models.CASCADE, primary_key=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.CLOSED)
    failures = models.PositiveIntegerField(default=0, help_text="In a row, since counted_from.")
    counted_from = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)
    probe_at = models.DateTimeField(null=True, help_text="When to ask GoHighLevel whether it answers.")
    pause_s = models.PositiveIntegerField(default=0, help_text="Between the last two questions.")
    step = models.PositiveIntegerField(default=0, help_text="Jobs of the ramp's step.")
    allowance = models.PositiveIntegerField(default=0, help_text="Those of them that may still go.")
    answered = models.PositiveIntegerField(default=0, help_text="Those of them that were answered.")

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                condition=Q(state="closed") | Q(state__in=["open", "ramping"], probe_at__isnull=False),
                name="an_open_breaker_asks_again",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.location_id}: {self.get_state_display()}"
