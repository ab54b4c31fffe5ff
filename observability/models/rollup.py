"""Counts and histograms, kept up to date behind a watermark; pages read these, never the raw events.

`observability.rollups` writes the event counts, `observability.timings` the durations.
"""

from django.db import models


class Watermark(models.Model):
    """How far a consumer of stored events has got: every transaction below `xid` is in its result.

    moved_at: when it last had everything that was stored.
    """

    consumer = models.CharField(max_length=32, primary_key=True)
    xid = models.BigIntegerField()
    moved_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.consumer


class EventMinute(models.Model):
    pk = models.CompositePrimaryKey("event", "minute")
    event = models.CharField(max_length=64)
    minute = models.DateTimeField()
    events = models.BigIntegerField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.event} {self.minute:%Y-%m-%d %H:%M}"


class EventHour(models.Model):
    pk = models.CompositePrimaryKey("event", "hour")
    event = models.CharField(max_length=64)
    hour = models.DateTimeField()
    events = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        # What is counted of events is seen as a whole, by who may see dashboards.
        permissions = [
            ("view_dashboard", "Can view the dashboards about people"),
            ("view_sync_health", "Can view the dashboard of sync health"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.hour:%Y-%m-%d %H}h"


class DurationMinute(models.Model):
    """A mergeable histogram: how many durations of a label fell into a bucket in a minute.

    bucket: n for durations in (1.05**(n-1), 1.05**n] microseconds; a percentile read from it is off
    by at most 2.5 %.
    """

    pk = models.CompositePrimaryKey("metric", "label", "minute", "bucket")
    metric = models.CharField(max_length=32)
    label = models.CharField(max_length=120)
    minute = models.DateTimeField()
    bucket = models.SmallIntegerField()
    observations = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["metric", "minute"], name="duration_by_metric_and_minute")]

    def __str__(self) -> str:
        return f"{self.metric} {self.label}"
