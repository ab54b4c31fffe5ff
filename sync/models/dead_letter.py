"""Dead letters, and the groups of those that died of the same cause. Open letters never expire.

The rules: one letter a job or webhook, however often it dies. A group's counters, its state and when it was
last seen are kept by triggers on the letters' table, so they commit with whatever moves a letter.
"""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from sync.models.job import SyncJob
from sync.models.location import Location
from sync.models.webhook import Webhook

OPEN_STATES = ("open", "redriving")


class CauseGroup(models.Model):
    class Integration(models.TextChoices):
        GHL = "ghl", "GoHighLevel"
        WEBHOOK = "webhook", "Webhooks"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        RESOLVED = "resolved", "Resolved"
        REGRESSED = "regressed", "Back again"

    fingerprint = models.CharField(max_length=32)
    version = models.PositiveSmallIntegerField(help_text="Of the way the fingerprint was made.")
    integration = models.CharField(max_length=8, choices=Integration.choices)
    subject = models.CharField(max_length=64, help_text="Operation of the jobs, or topic of the webhooks.")
    code = models.CharField(max_length=32)
    cause = models.CharField(max_length=16)
    message = models.CharField(max_length=200, blank=True, help_text="What they say, without what differs.")
    state = models.CharField(max_length=9, choices=State.choices, default=State.OPEN)
    acknowledged_at = models.DateTimeField(null=True, help_text="When somebody said that it is known.")
    acknowledged_by = models.CharField(max_length=100, blank=True)
    # A letter has recovered since the group was last opened: what comes now comes back.
    is_proven = models.BooleanField(default=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    snoozed_until = models.DateTimeField(null=True)
    snoozed_to_count = models.PositiveIntegerField(null=True, help_text="Until more than so many are open.")
    open = models.PositiveIntegerField(default=0)
    redriving = models.PositiveIntegerField(default=0)
    recovered = models.PositiveIntegerField(default=0)
    discarded = models.PositiveIntegerField(default=0)
    superseded = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0, help_text="Of all letters that are kept.")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(help_text="When a letter died of it last.")
    resolved_at = models.DateTimeField(null=True, help_text="When it was resolved last.")
    # Counted now and then, for a count on every page would read every letter: see `dead_letters.impact`.
    people = models.PositiveIntegerField(null=True, help_text="Whom its open letters are about.")
    locations = models.PositiveIntegerField(null=True, help_text="Of its open letters.")
    oldest_at = models.DateTimeField(null=True, help_text="When the oldest of its open letters died first.")
    counted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-last_seen_at", "-id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(
                fields=["-last_seen_at", "-id"],
                condition=~Q(state="resolved"),
                name="cause_group_unresolved",
            ),
            models.Index(fields=["-last_seen_at", "-id"], name="cause_group_by_time"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["fingerprint", "version"], name="one_group_a_cause"),
            models.CheckConstraint(
                condition=Q(integration__in=["ghl", "webhook"]), name="cause_group_integration_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "resolved", "regressed"]), name="cause_group_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(
                    total=F("open") + F("redriving") + F("recovered") + F("discarded") + F("superseded")
                ),
                name="cause_group_loses_no_letter",
            ),
            models.CheckConstraint(
                condition=Q(acknowledged_at=None, acknowledged_by="")
                | Q(acknowledged_at__isnull=False) & ~Q(acknowledged_by=""),
                name="who_acknowledged_a_cause_group_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {self.code}"

    def is_snoozed(self, now: datetime) -> bool:
        """Whether nobody wants to see it now."""
        if self.snoozed_until is not None:
            return self.snoozed_until > now
        return self.snoozed_to_count is not None and self.open <= self.snoozed_to_count


class CauseHour(models.Model):
    """How often something died of a cause in an hour, for its trend. Kept by `burial`."""

    pk = models.CompositePrimaryKey("group_id", "hour")
    group = models.ForeignKey(CauseGroup, on_delete=models.CASCADE, related_name="hours", db_index=False)
    hour = models.DateTimeField(help_text="The hour's first moment, UTC.")
    deaths = models.PositiveIntegerField()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["hour"], name="cause_hour_by_time")]

    def __str__(self) -> str:
        return f"{self.deaths} in the hour of {self.hour:%Y-%m-%d %H:%M}"


class DeadLetter(models.Model):
    class State(models.TextChoices):
        OPEN = "open", "Open"
        REDRIVING = "redriving", "Being tried again"
        RECOVERED = "recovered", "Recovered"
        DISCARDED = "discarded", "Discarded"
        SUPERSEDED = "superseded", "Superseded"

    job = models.OneToOneField(SyncJob, null=True, on_delete=models.CASCADE, related_name="letter")
    webhook = models.OneToOneField(Webhook, null=True, on_delete=models.CASCADE, related_name="letter")
    group = models.ForeignKey(CauseGroup, on_delete=models.PROTECT, related_name="letters", db_index=False)
    location = models.ForeignKey(
        Location, null=True, on_delete=models.PROTECT, related_name="letters", db_index=False
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    code = models.CharField(max_length=32, help_text="Of its last death, as all that follows.")
    status = models.PositiveSmallIntegerField(null=True, help_text="HTTP status, if there was an answer.")
    words = models.CharField(max_length=500, blank=True, help_text="GoHighLevel's own, redacted.")
    died_at = models.DateTimeField()
    first_died_at = models.DateTimeField()
    deaths = models.PositiveIntegerField(default=1)
    resolved_at = models.DateTimeField(null=True)
    discard_reason = models.CharField(max_length=300, blank=True)
    discarded_by = models.CharField(max_length=100, blank=True)
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
    )
    snoozed_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-died_at", "-id"]
        default_permissions = ("view",)
        permissions = [
            ("redrive_deadletter", "Can redrive dead letters"),
            ("edit_deadletter", "Can redrive dead letters with changed data"),
            ("discard_deadletter", "Can discard and restore dead letters"),
            ("assign_deadletter", "Can assign, note, acknowledge and snooze dead letters and their groups"),
            ("reveal_deadletter", "Can see what is masked in dead letters and jobs"),
        ]
        indexes = [
            models.Index(fields=["state", "-died_at", "-id"], name="letter_by_state"),
            models.Index(fields=["group", "state", "-died_at", "-id"], name="letter_by_group"),
            models.Index(fields=["location", "state", "-died_at", "-id"], name="letter_by_location"),
            models.Index(fields=["-died_at", "-id"], name="letter_by_time"),
            models.Index(fields=["status", "state", "-died_at", "-id"], name="letter_by_status"),
            models.Index(
                fields=["assigned_to", "state", "-died_at", "-id"],
                condition=Q(assigned_to__isnull=False),
                name="letter_by_assignee",
            ),
            models.Index(
                fields=["state", "-died_at", "-id"], condition=Q(deaths__gt=1), name="letter_died_again"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["open", "redriving", "recovered", "discarded", "superseded"]),
                name="letter_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(job__isnull=True, webhook__isnull=False)
                | Q(job__isnull=False, webhook__isnull=True),
                name="letter_is_of_one_job_or_webhook",
            ),
            models.CheckConstraint(
                condition=Q(state__in=OPEN_STATES, resolved_at__isnull=True)
                | Q(state__in=["recovered", "discarded", "superseded"], resolved_at__isnull=False),
                name="letter_is_resolved_when_it_ended",
            ),
            models.CheckConstraint(
                condition=Q(state="discarded") & ~Q(discard_reason="") & ~Q(discarded_by="")
                | ~Q(state="discarded") & Q(discard_reason="", discarded_by=""),
                name="a_discarded_letter_says_why_and_by_whom",
            ),
            models.CheckConstraint(condition=Q(deaths__gte=1), name="letter_has_died"),
        ]

    def __str__(self) -> str:
        return f"Dead letter {self.pk}"


class LetterNote(models.Model):
    letter = models.ForeignKey(DeadLetter, on_delete=models.CASCADE, related_name="notes")
    words = models.CharField(max_length=2_000)
    by = models.CharField(max_length=100)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "-id"]
        default_permissions = ("view",)
        constraints = [models.CheckConstraint(condition=~Q(words=""), name="letter_note_says_something")]

    def __str__(self) -> str:
        return f"Note of {self.at:%Y-%m-%d %H:%M}"


class GroupNote(models.Model):
    group = models.ForeignKey(CauseGroup, on_delete=models.CASCADE, related_name="notes")
    words = models.CharField(max_length=2_000)
    by = models.CharField(max_length=100)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "-id"]
        default_permissions = ("view",)
        constraints = [models.CheckConstraint(condition=~Q(words=""), name="group_note_says_something")]

    def __str__(self) -> str:
        return f"Note of {self.at:%Y-%m-%d %H:%M}"


class LedgerCheck(models.Model):
    """What the daily comparison of letters, groups and jobs has found; one row a day."""

    day = models.DateField(primary_key=True)
    checked_at = models.DateTimeField()
    dead = models.PositiveBigIntegerField(help_text="All letters: what has died.")
    open = models.PositiveBigIntegerField()
    redriving = models.PositiveBigIntegerField()
    recovered = models.PositiveBigIntegerField()
    discarded = models.PositiveBigIntegerField()
    superseded = models.PositiveBigIntegerField()
    differences = models.JSONField(default=list, help_text="In words; empty when all is accounted for.")

    class Meta:
        ordering = ["-day"]
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    dead=F("open") + F("redriving") + F("recovered") + F("discarded") + F("superseded")
                ),
                name="ledger_adds_up",
            )
        ]

    def __str__(self) -> str:
        return f"Ledger of {self.day}"
