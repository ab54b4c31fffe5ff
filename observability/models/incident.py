"""Incidents, what was told about them, and what is told to nobody for a while.

The rule: one incident a rule and group that is not resolved; whatever changes one writes a line of its
timeline and, in the same transaction, what is to be told.
"""

from django.db import models
from django.db.models import F, Q

from observability.models.alert import AlertRule, Severity


class Incident(models.Model):
    """Something that somebody must see to. dedup_key: what PagerDuty knows it by, one an incident.

    group: of what, such as a location; empty for all. value: of the measure when it fired. episode: how often
    it was opened; a reopened one is the same.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        RESOLVED = "resolved", "Resolved"

    # Rules are disabled, never deleted.
    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE)
    group = models.CharField(max_length=64, blank=True)
    dedup_key = models.CharField(max_length=120, unique=True)
    severity = models.CharField(max_length=4, choices=Severity)
    state = models.CharField(max_length=12, choices=State, default=State.OPEN)
    title = models.CharField(max_length=160)
    value = models.FloatField(null=True)
    episode = models.PositiveIntegerField(default=1)
    opened_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=80, blank=True)
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.CharField(max_length=80, blank=True, help_text="Who, or recovery.")
    first_report_at = models.DateTimeField(
        null=True, help_text="When it was reported first; SEV1 within a day."
    )
    final_report_at = models.DateTimeField(null=True, help_text="When it was reported in full; within three.")
    owner = models.CharField(max_length=80, blank=True)
    told_at = models.DateTimeField(null=True, help_text="When somebody was told last.")

    class Meta:
        ordering = ["-opened_at", "-id"]
        default_permissions = ("view",)
        permissions = [("work_incident", "Can acknowledge, resolve, note and own incidents")]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "group"],
                condition=~Q(state="resolved"),
                name="one_incident_a_rule_and_group",
            ),
            models.CheckConstraint(
                condition=Q(state="resolved", resolved_at__isnull=False)
                | (~Q(state="resolved") & Q(resolved_at__isnull=True)),
                name="incident_resolved_has_a_time",
            ),
            models.CheckConstraint(
                condition=~Q(state="acknowledged") | Q(acknowledged_at__isnull=False),
                name="incident_acknowledged_has_a_time",
            ),
        ]
        indexes = [models.Index(fields=["state", "-opened_at"], name="incident_by_state")]

    def __str__(self) -> str:
        return self.title


class IncidentMoment(models.Model):
    """A line of an incident's timeline. by: who, as the audit log names actors; empty for the service."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="moments")
    at = models.DateTimeField()
    kind = models.CharField(max_length=16)
    by = models.CharField(max_length=80, blank=True)
    words = models.CharField(max_length=500)

    class Meta:
        ordering = ["at", "id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.incident_id}"


class Silence(models.Model):
    """While it holds, incidents of a rule (or of all), and of a group (or of all), are told to nobody."""

    rule = models.ForeignKey(AlertRule, null=True, blank=True, on_delete=models.CASCADE)
    group = models.CharField(max_length=64, blank=True, help_text="Empty: of every group.")
    reason = models.CharField(max_length=300)
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    by = models.CharField(max_length=80)
    ended_by = models.CharField(max_length=80, blank=True, help_text="Who has ended it early.")

    class Meta:
        ordering = ["-ends_at"]
        default_permissions = ("view", "add")
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("begins_at")), name="silence_ends_after_it_begins"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="silence_has_a_reason"),
        ]

    def __str__(self) -> str:
        return self.reason


class Notification(models.Model):
    """Something that is to be told on a channel: the outbox. Never changed but by who delivers it.

    key: the same for the same act, so that it is written once. of an incident, those of one channel go in the
    order of `id`. code: why the last try failed. body: what is told, ids and words of ours only.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENT = "sent", "Sent"
        DEAD = "dead", "Given up"
        SILENCED = "silenced", "Silenced"

    key = models.CharField(max_length=200, unique=True)
    incident = models.ForeignKey(Incident, null=True, on_delete=models.CASCADE, related_name="notifications")
    channel = models.CharField(max_length=16)
    act = models.CharField(
        max_length=16, help_text="trigger, acknowledge, resolve, repeat, report or digest."
    )
    body = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    tries = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0, help_text="Number of the lease: an older one is void.")
    code = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view",)
        permissions = [("resend_notification", "Can send notifications again")]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state="waiting"), name="notification_due"),
            models.Index(fields=["incident", "channel", "id"], name="notification_of_incident"),
            models.Index(fields=["created_at"], condition=Q(state="dead"), name="notification_dead"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "sent", "dead", "silenced"]),
                name="notification_state_is_known",
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.act}"


class Channel(models.Model):
    """A way to tell people. secret: encrypted: an address or key that lets others write there.

    rests_until: by the other side's word. recipients: of email.
    """

    kind = models.CharField(max_length=16, primary_key=True)
    is_enabled = models.BooleanField(default=False)
    secret = models.BinaryField(default=b"", editable=False)
    recipients = models.TextField(blank=True, help_text="Addresses, one a line.")
    rests_until = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True, help_text="When something was last delivered.")
    failed_at = models.DateTimeField(null=True)
    code = models.CharField(
        max_length=64, blank=True, help_text="Why the last try failed; empty: it did not."
    )
    changed_at = models.DateTimeField(null=True)
    changed_by = models.CharField(max_length=80, blank=True)

    class Meta:
        ordering = ["kind"]
        default_permissions = ("view", "change")
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["slack", "pagerduty", "email"]), name="channel_kind_is_known"
            )
        ]

    def __str__(self) -> str:
        return self.kind
