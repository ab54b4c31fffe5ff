"""What the database knows of each event: a mirror of the catalog, and the custom events of staff.

The schema of a catalog event is the code's; owner and forwarding are staff's; volume is the roll-up's.
"""

from django.db import models
from django.db.models import Q


class EventDefinition(models.Model):
    class Kind(models.TextChoices):
        CATALOG = "catalog", "Catalog"
        CUSTOM = "custom", "Custom"
        RETIRED = "retired", "Retired"

    name = models.CharField(max_length=64, primary_key=True)
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.CUSTOM)
    category = models.CharField(max_length=32, default="custom")
    description = models.TextField(blank=True)
    schema = models.JSONField(
        default=dict,
        help_text="JSON Schema of the properties. Of catalog events it is the code's and cannot be edited.",
    )
    owner = models.CharField(max_length=80, blank=True, help_text="Team that answers for this event.")
    forwarded = models.BooleanField(
        default=True,
        help_text="Off: stored here as always, but not sent to PostHog, nor later when switched on again.",
    )
    volume = models.BigIntegerField(default=0, editable=False)
    first_seen_at = models.DateTimeField(null=True, editable=False)
    last_seen_at = models.DateTimeField(null=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["category", "name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["catalog", "custom", "retired"]), name="event_definition_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(name__regex=r"^[a-z][a-z0-9_]{1,63}$"), name="event_definition_name_is_snake_case"
            ),
        ]

    def __str__(self) -> str:
        return self.name
