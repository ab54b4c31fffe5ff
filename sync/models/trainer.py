"""Trainers: who logs in as which, what the agent has found out for them, and their weekly digests.

The rule: a login is one trainer and a trainer one login. A digest is what it said when it was made: one a
trainer and week.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q

from sync.models.location import Location


class TrainerLogin(models.Model):
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="trainer_login"
    )
    trainer_id = models.CharField(max_length=64, unique=True, help_text="As TrainU's apps call the trainer.")

    class Meta:
        ordering = ["trainer_id"]
        constraints = [
            models.CheckConstraint(condition=~Q(trainer_id=""), name="trainer_login_has_a_trainer")
        ]

    def __str__(self) -> str:
        return self.trainer_id


class Insight(models.Model):
    """Something the agent has found out about a client, for the trainer."""

    id = models.UUIDField(primary_key=True, help_text="UUIDv7.")
    trainer_id = models.CharField(max_length=64)
    client_id = models.CharField(max_length=64)
    contact_id = models.CharField(max_length=64, blank=True)
    location = models.ForeignKey(
        Location, null=True, on_delete=models.PROTECT, related_name="insights", db_index=False
    )
    kind = models.CharField(max_length=40, help_text="A word: attendance, progress, risk.")
    text = models.CharField(max_length=500, blank=True, help_text="In a sentence. Personal.")
    impact = models.PositiveSmallIntegerField(default=50, help_text="0 to 100.")
    idempotency_key = models.CharField(max_length=200, blank=True)
    asked_digest = models.CharField(max_length=64, blank=True)
    correlation_id = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-id"]
        default_permissions = ()
        indexes = [
            models.Index(fields=["trainer_id", "-created_at"], name="insight_of_trainer"),
            models.Index(fields=["client_id", "-created_at"], name="insight_of_client"),
            models.Index(fields=["contact_id"], condition=~Q(contact_id=""), name="insight_by_contact"),
            models.Index(fields=["created_at"], name="insight_by_age"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["trainer_id", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                name="one_insight_an_idempotency_key",
            ),
            models.CheckConstraint(condition=Q(impact__lte=100), name="insight_impact_is_a_percentage"),
        ]

    def __str__(self) -> str:
        return f"Insight {self.id}"


class TrainerDigest(models.Model):
    id = models.UUIDField(primary_key=True, help_text="UUIDv7.")
    trainer_id = models.CharField(max_length=64)
    week = models.DateField(help_text="The Monday of the week that it tells of.")
    content = models.JSONField(default=dict, help_text="What it says, as it was then. Ids, kinds, figures.")
    created_at = models.DateTimeField()
    next_at = models.DateTimeField(null=True, help_text="When its email is due, or its lease ends.")
    tries = models.PositiveSmallIntegerField(default=0)
    emailed_at = models.DateTimeField(null=True)
    code = models.CharField(max_length=32, blank=True, help_text="Why it was not mailed.")
    viewed_at = models.DateTimeField(null=True, help_text="When the trainer opened it first.")

    class Meta:
        ordering = ["-week", "trainer_id"]
        default_permissions = ()
        indexes = [
            models.Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="trainer_digest_due"),
            models.Index(fields=["created_at"], name="trainer_digest_by_age"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["trainer_id", "week"], name="one_digest_a_trainer_and_week")
        ]

    def __str__(self) -> str:
        return f"Digest of {self.trainer_id}, {self.week}"
