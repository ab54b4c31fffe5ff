"""Whether GoHighLevel answered when it was last asked for want of traffic. One row at most."""

from django.db import models
from django.db.models import Q


class IdleProbe(models.Model):
    """code: why it did not answer, of `sync.ghl.errors`; empty where it did."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    asked_at = models.DateTimeField()
    answers = models.BooleanField()
    code = models.CharField(max_length=32, blank=True)
    took_ms = models.FloatField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="there_is_one_idle_probe"),
            models.CheckConstraint(
                condition=Q(answers=True, code="") | Q(answers=False) & ~Q(code=""),
                name="an_idle_probe_says_why_not",
            ),
        ]

    def __str__(self) -> str:
        return f"Asked {self.asked_at:%Y-%m-%d %H:%M}"
