"""Counts of errors by the minute, which `observability.errors.counts` writes: what Sentry loses is here."""

from django.db import models
from django.db.models import Q


class ErrorMinute(models.Model):
    """How many errors of a kind there were in a minute. code: a word from a closed vocabulary."""

    pk = models.CompositePrimaryKey("minute", "severity", "category", "code")
    minute = models.DateTimeField()
    severity = models.CharField(max_length=4)
    category = models.CharField(max_length=32)
    code = models.CharField(max_length=64)
    errors = models.BigIntegerField()

    class Meta:
        default_permissions = ("view",)
        verbose_name = "error count"
        constraints = [
            models.CheckConstraint(
                condition=Q(severity__in=["SEV1", "SEV2", "SEV3"]), name="error_severity_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.severity} {self.category} {self.code} {self.minute:%Y-%m-%d %H:%M}"
