"""A secret address to which one location's workflows post their unsigned webhooks.

The rule: the secret is shown once, when it is issued; only its digest is kept. A revoked one stays, so
that it can be told when the address was in use.
"""

from django.db import models
from django.db.models import Q

from sync.models.location import Location


class WorkflowAddress(models.Model):
    location = models.ForeignKey(Location, on_delete=models.CASCADE, related_name="workflow_addresses")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the secret, in hex.")
    issued_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-issued_at"]
        verbose_name_plural = "workflow addresses"
        default_permissions = ("view", "add", "change")
        constraints = [
            models.UniqueConstraint(fields=["digest"], name="a_workflow_address_leads_to_one_location"),
            models.CheckConstraint(
                condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="workflow_address_is_a_digest"
            ),
        ]

    def __str__(self) -> str:
        return f"Workflow address {self.pk}"
