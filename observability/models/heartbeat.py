"""Signs of life: a lane writes one every few seconds while it runs. A missing one is a dead worker."""

from django.db import models


class Heartbeat(models.Model):
    name = models.CharField(max_length=64, primary_key=True, help_text="roll_up, forward, cluster.")
    beat_at = models.DateTimeField()
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ["name"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.name
