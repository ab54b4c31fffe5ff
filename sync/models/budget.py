"""What a location may still ask of GoHighLevel: one row each, changed under its lock by `sync.budgets`."""

from django.db import models
from django.db.models import Q

from sync.models.location import Location


class Budget(models.Model):
    location = models.OneToOneField(Location, on_delete=models.CASCADE, primary_key=True)
    tokens = models.FloatField(help_text="Requests that may go at once, as of refilled_at.")
    refilled_at = models.DateTimeField()
    day = models.DateField(help_text="The day, UTC, that used_today counts.")
    used_today = models.PositiveIntegerField(default=0)
    held_until = models.DateTimeField(null=True, help_text="GoHighLevel has asked for a rest until then.")

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(tokens__gte=0), name="budget_is_not_overdrawn")]

    def __str__(self) -> str:
        return str(self.location_id)
