"""What is known of a contact in GoHighLevel: its id and times, and whether it was told as a lead.

The rule: one row a contact, changed under its lock by `sync.mirror.contacts`. Nothing personal but the id.
"""

from django.db import models
from django.db.models import Q

from sync.models.location import Location


class ContactState(models.Model):
    class Lead(models.TextChoices):
        OPEN = "open", "Not decided"
        TOLD = "told", "Told as a lead"
        OURS = "ours", "Made by us"
        OLD = "old", "There before we looked"

    location = models.ForeignKey(
        Location, on_delete=models.CASCADE, related_name="contact_states", db_index=False
    )
    contact_id = models.CharField(max_length=100)
    added_at = models.DateTimeField(null=True, help_text="When it was made there, as they say.")
    updated_at = models.DateTimeField(null=True, help_text="Of what was seen last, as they say.")
    first_seen_at = models.DateTimeField()
    is_deleted = models.BooleanField(default=False)
    ours_since = models.DateTimeField(
        null=True, help_text="A job of ours, taken in then, has written this contact."
    )
    lead = models.CharField(max_length=4, choices=Lead.choices, default=Lead.OPEN)
    # While one of our jobs in hand may turn out to have made it: told at this time at the latest.
    decide_at = models.DateTimeField(null=True)
    # Only while it is undecided: what the lead is then told with.
    lead_source = models.CharField(max_length=64, blank=True)
    correlation_id = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(
                fields=["decide_at"], condition=Q(decide_at__isnull=False), name="contact_undecided"
            ),
            models.Index(fields=["first_seen_at"], name="contact_by_age"),
        ]
        constraints = [
            # The id first: erasure looks for it alone.
            models.UniqueConstraint(fields=["contact_id", "location"], name="one_state_a_contact"),
            models.CheckConstraint(condition=~Q(contact_id=""), name="contact_state_has_an_id"),
            models.CheckConstraint(
                condition=Q(lead__in=["open", "told", "ours", "old"]), name="contact_lead_is_known"
            ),
            models.CheckConstraint(
                condition=Q(lead="open") | Q(decide_at__isnull=True), name="contact_is_decided_once"
            ),
        ]

    def __str__(self) -> str:
        return f"Contact {self.contact_id}"
