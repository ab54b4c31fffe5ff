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


class SyncQuarter(models.Model):
    """Ends of attempts, and webhooks, in a quarter of an hour.

    outcome: ok, retry, dropped or webhook. operation: of a webhook, its topic. code: why it failed, or empty.
    """

    pk = models.CompositePrimaryKey("quarter", "location_id", "operation", "outcome", "code")
    quarter = models.DateTimeField()
    location_id = models.CharField(max_length=64)
    operation = models.CharField(max_length=64)
    outcome = models.CharField(max_length=8)
    code = models.CharField(max_length=64)
    count = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["location_id", "quarter"], name="sync_quarter_by_location")]

    def __str__(self) -> str:
        return f"{self.location_id} {self.quarter:%Y-%m-%d %H:%M}"


class LatencyQuarter(models.Model):
    """A histogram of a quarter of an hour, with buckets as `DurationMinute` has them.

    metric: settled (enqueueing to success), ghl (an attempt), webhook (first byte to stored).
    """

    pk = models.CompositePrimaryKey("quarter", "metric", "bucket")
    quarter = models.DateTimeField()
    metric = models.CharField(max_length=8)
    bucket = models.SmallIntegerField()
    observations = models.BigIntegerField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.metric} {self.quarter:%Y-%m-%d %H:%M}"


class RollupRebuild(models.Model):
    """Roll-ups made anew from stored events. below_xid: events of older transactions are read day by day.

    reached: the last day that is done. An unfinished one is gone on with.
    """

    since = models.DateField()
    below_xid = models.BigIntegerField()
    reached = models.DateField(null=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["finished_at"],
                nulls_distinct=False,
                name="one_rebuild_at_a_time",
                condition=models.Q(finished_at=None),
            )
        ]

    def __str__(self) -> str:
        return f"since {self.since}"
