"""Counts by the minute that `observability.counters` carries here."""

from django.db import models


class CounterMinute(models.Model):
    """How often something happened in a minute. label: which kind of it, from a closed vocabulary."""

    pk = models.CompositePrimaryKey("name", "label", "minute")
    name = models.CharField(max_length=32)
    label = models.CharField(max_length=64)
    minute = models.DateTimeField()
    count = models.BigIntegerField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name} {self.label} {self.minute:%Y-%m-%d %H:%M}"
