"""The proof that a person was erased: what was found where, and what is left. Never who it was.

Written only by `observability.erasure`. The id stands in `subject` while the work is under way, for a
worker to go on with, and a constraint holds that it is gone when the work is done.
"""

from django.db import models
from django.db.models import Q


class Erasure(models.Model):
    """One request to forget one person. findings: place → found, erased, left, in rows."""

    pseudonym = models.CharField(max_length=64, help_text="A keyed hash: the same person, the same word.")
    subject = models.CharField(max_length=64, blank=True, editable=False)
    requested_at = models.DateTimeField()
    requested_by = models.CharField(max_length=80)
    reason = models.CharField(max_length=200)
    findings = models.JSONField(default=dict)
    reached = models.CharField(max_length=120, blank=True, help_text="The last place that is done with.")
    elsewhere = models.JSONField(default=list, help_text="What the erasure does not reach, in sentences.")
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-requested_at", "-id"]
        default_permissions = ("view",)
        permissions = [("forget_contact", "Can erase a person")]
        constraints = [
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True, subject__gt="")
                | Q(finished_at__isnull=False, subject=""),
                name="erasure_keeps_no_subject",
            ),
            models.UniqueConstraint(
                fields=["pseudonym"],
                condition=Q(finished_at__isnull=True),
                name="one_erasure_of_a_person_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pseudonym} {self.requested_at:%Y-%m-%d}"

    def total(self, figure: str) -> int:
        """Return the sum over all places. figure: found, erased or left."""
        return sum(place[figure] for place in self.findings.values())
