"""People as events tell of them, and sets of who was active when. Kept by `observability.rollups`.

The rule: a row of `Person` is merged from events by earliest and latest, so that their order and repetition
do not matter; its number is given once and never again, for sets of people are sets of these numbers.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class Person(models.Model):
    """Somebody with a distinct id of client:ID, trainer:ID, staff:ID or any other.

    role: what stands before the colon, for the three; "other" otherwise. trainer_id: of a client, the one
    named last by a booking or the end of onboarding; of a trainer, the own id. step: of onboarding, the
    furthest.
    """

    UNKNOWN = "unknown"

    number = models.AutoField(primary_key=True)
    distinct_id = models.TextField(unique=True)
    role = models.CharField(max_length=8)
    signed_up_at = models.DateTimeField(null=True)
    onboarded_at = models.DateTimeField(null=True)
    first_booking_at = models.DateTimeField(null=True)
    first_insight_at = models.DateTimeField(null=True)
    trainer_id = models.CharField(max_length=64, default="")
    trainer_named_at = models.DateTimeField(null=True)
    segment = models.CharField(max_length=64, default=UNKNOWN)
    segment_named_at = models.DateTimeField(null=True)
    step = models.CharField(max_length=64, default="")
    step_position = models.BigIntegerField(default=0)

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["role", "signed_up_at"], name="person_by_sign_up"),
            models.Index(fields=["trainer_id"], name="person_by_trainer", condition=~Q(trainer_id="")),
            models.Index(fields=["segment"], name="person_by_segment"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(role__in=["client", "trainer", "staff", "other"]), name="person_role_is_known"
            )
        ]

    def __str__(self) -> str:
        return self.distinct_id


class SampleLevel(models.Model):
    """One row: sets hold one in 2**level people, since there are more than can be kept exactly."""

    one_row = models.BooleanField(primary_key=True, default=True)
    level = models.SmallIntegerField(default=0)

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(one_row=True), name="sample_level_is_one_row")]

    def __str__(self) -> str:
        return f"one in {2**self.level}"


class PeopleQuarter(models.Model):
    """Who had an event of a kind in a quarter of an hour. people: numbers, as a serialised bitmap."""

    pk = models.CompositePrimaryKey("quarter", "event")
    quarter = models.DateTimeField()
    event = models.CharField(max_length=64)
    people = models.BinaryField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.event} {self.quarter:%Y-%m-%d %H:%M}"


class ActiveDay(models.Model):
    """Who was active on a day of a zone; derived from quarters, see `observability.dashboards.days`.

    people: anybody. hours: by hour of the day, 24 sets, and how many are in each. events, sets: who had
    which event.
    """

    pk = models.CompositePrimaryKey("zone", "day")
    zone = models.CharField(max_length=64)
    day = models.DateField()
    people = models.BinaryField()
    hours = ArrayField(models.BinaryField(), size=24)
    hour_counts = ArrayField(models.IntegerField(), size=24)
    events = ArrayField(models.CharField(max_length=64))
    sets = ArrayField(models.BinaryField())

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.day} in {self.zone}"
