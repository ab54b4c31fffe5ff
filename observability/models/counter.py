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
        indexes = [models.Index(fields=["minute"], name="counter_minute_by_time")]

    def __str__(self) -> str:
        return f"{self.name} {self.label} {self.minute:%Y-%m-%d %H:%M}"


class RunningTotal(models.Model):
    """A count that only grows, of all minutes up to where the reading `running_totals` stands.

    series: errors, a counter's name, an event's, or a metric of durations. label: severity and category, or
    the bucket as `observability.timings` has it; empty where there is none.
    """

    pk = models.CompositePrimaryKey("series", "label")
    series = models.CharField(max_length=32)
    label = models.CharField(max_length=64)
    count = models.BigIntegerField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.series} {self.label}"


class Reading(models.Model):
    """Where a count stood that somebody else keeps, when it was last read."""

    name = models.CharField(max_length=32, primary_key=True)
    value = models.BigIntegerField()
    read_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
