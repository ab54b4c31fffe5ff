"""Counts by calendar days of a zone, derived from the roll-ups' rows on demand, and kept while they hold.

The rule: a day's counts are a pure function of the rows of that day. Whoever changes these rows notes the
day in `TouchedDay` with a newer version, in the same transaction; counts of an older version are made anew.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class TouchedDay(models.Model):
    """The last time rows of a UTC day changed. version: from a sequence, ever greater."""

    pk = models.CompositePrimaryKey("subject", "day")
    subject = models.CharField(max_length=16)
    day = models.DateField()
    version = models.BigIntegerField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.subject} {self.day}"


class CountedDay(models.Model):
    """That a day of a zone was counted, up to which version of its rows."""

    pk = models.CompositePrimaryKey("zone", "subject", "day")
    zone = models.CharField(max_length=64)
    subject = models.CharField(max_length=16)
    day = models.DateField()
    version = models.BigIntegerField()
    counted_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.subject} {self.day} in {self.zone}"


class DayCell(models.Model):
    """Counts of a day. level: 0 for all, 1 by a, 2 by b, 3 by both. a, b: such as trainer and segment.

    numbers: what they count is said where the subject is declared, in `observability.dashboards.days`.
    """

    pk = models.CompositePrimaryKey("subject", "zone", "level", "day", "a", "b")
    subject = models.CharField(max_length=16)
    zone = models.CharField(max_length=64)
    level = models.SmallIntegerField()
    day = models.DateField()
    a = models.CharField(max_length=64)
    b = models.CharField(max_length=64)
    numbers = ArrayField(models.BigIntegerField())

    class Meta:
        default_permissions = ()
        # The pages of dashboards have no model of their own, and their rights must hang on something.
        permissions = [
            ("view_dashboard", "Can view product dashboards"),
            ("view_sync_health", "Can view the sync health dashboard"),
        ]
        indexes = [models.Index(fields=["subject", "zone", "level", "a", "day"], name="day_cell_by_a")]

    def __str__(self) -> str:
        return f"{self.subject} {self.day} in {self.zone}"


class CountedZone(models.Model):
    """A zone that somebody has asked a dashboard for: its days are counted ahead for a while."""

    zone = models.CharField(max_length=64, primary_key=True)
    asked_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.zone
