"""A sub-account of GoHighLevel: whether it is worked for, how fast, and whether it answers.

The rule: limits and breaker are shared by all hosts, so they live in this row and change under its lock.
"""

from django.db import models
from django.db.models import Q


class Location(models.Model):
    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"
        MISCONFIGURED = "misconfigured", "Misconfigured"

    id = models.CharField(max_length=64, primary_key=True, help_text="GoHighLevel's own id.")
    name = models.CharField(max_length=120)
    timezone = models.CharField(max_length=64, default="UTC")
    state = models.CharField(max_length=16, choices=State.choices, default=State.ACTIVE)
    state_reason = models.CharField(max_length=300, blank=True)
    paused_until = models.DateTimeField(null=True, blank=True, help_text="Empty: until somebody resumes it.")
    held_since = models.DateTimeField(
        null=True, editable=False, help_text="Since when it is paused or misconfigured."
    )
    burst_limit = models.PositiveIntegerField(
        default=95, help_text="Requests in any ten seconds; theirs is 100."
    )
    daily_limit = models.PositiveIntegerField(default=190_000, help_text="Requests a day; theirs is 200,000.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        permissions = [("pause_location", "Can pause and resume locations")]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["active", "paused", "misconfigured"]), name="location_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(burst_limit__gte=1) & Q(daily_limit__gte=1),
                name="location_limits_let_something_by",
            ),
            models.CheckConstraint(
                condition=Q(state="active") | ~Q(state_reason=""), name="a_held_location_says_why"
            ),
        ]

    def __str__(self) -> str:
        return self.name
