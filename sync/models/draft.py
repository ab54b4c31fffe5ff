"""A draft: a message that the AI agent writes for a trainer, from being asked for to being sent.

The rules: `next_at` is when a waiting draft is due, and when the lease of one in hand runs out; whoever
claims one counts `fence` up. A try is counted when it begins, so that a killed one is one of the three.
Nothing is sent that nobody has approved: a draft with a job has an approval.
"""

from django.db import models
from django.db.models import Q

from sync.models.job import SyncJob
from sync.models.location import Location

# What may be in hand at a time for one round: the first try and two more.
MOST_TRIES = 3


class Draft(models.Model):
    class Kind(models.TextChoices):
        BOOKING_CONFIRMATION = "booking_confirmation", "Booking confirmation"
        BOOKING_REMINDER = "booking_reminder", "Booking reminder"
        BOOKING_RESCHEDULE = "booking_reschedule", "Booking moved"
        NO_SHOW_RECOVERY = "no_show_recovery", "After a no-show"
        PROGRESS_CELEBRATION = "progress_celebration", "Progress to celebrate"
        WEEKLY_CHECKIN = "weekly_checkin", "Weekly check-in"
        AT_RISK_OUTREACH = "at_risk_outreach", "Client at risk"
        GENERAL_REPLY = "general_reply", "Reply"

    class Channel(models.TextChoices):
        SMS = "sms", "SMS"
        EMAIL = "email", "Email"

    class State(models.TextChoices):
        WAITING = "waiting", "To be written"
        WRITING = "writing", "Being written"
        REVIEW = "review", "Needs review"
        FAILED = "failed", "Could not be written"
        SCHEDULED = "scheduled", "Approved, to be sent"
        SENT = "sent", "Sent"
        UNDELIVERED = "undelivered", "Could not be sent"
        DISMISSED = "dismissed", "Dismissed"

    class ClientAct(models.TextChoices):
        WROTE = "wrote", "has written"
        BOOKED = "booked", "has booked, moved or cancelled"

    id = models.UUIDField(primary_key=True, help_text="UUIDv7.")
    trainer_id = models.CharField(max_length=64)
    client_id = models.CharField(max_length=64)
    contact_id = models.CharField(max_length=64, help_text="The client, as GoHighLevel calls it.")
    location = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="drafts", db_index=False)
    channel = models.CharField(max_length=5, choices=Channel.choices)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    context = models.JSONField(default=dict, help_text="What the app knows. Personal: never shown whole.")
    idempotency_key = models.CharField(max_length=200, blank=True)
    # What the app said first, to tell a repeat from a reuse of its key; erasure empties it.
    asked_digest = models.CharField(max_length=64, blank=True)

    state = models.CharField(max_length=11, choices=State.choices, default=State.WAITING)
    impact = models.PositiveSmallIntegerField(default=0, help_text="0 to 100: how much depends on it.")
    why = models.CharField(max_length=300, blank=True, help_text="Why it was suggested, in plain words.")
    round = models.PositiveSmallIntegerField(default=1, help_text="Counts up each time a person asks again.")
    tries = models.PositiveSmallIntegerField(default=0, help_text="Of this round, begun ones.")
    fence = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField()
    code = models.CharField(max_length=32, blank=True, help_text="Why its last try failed.")
    hint = models.CharField(max_length=300, blank=True, help_text="What a person asks to be different.")

    subject = models.CharField(max_length=200, blank=True, help_text="Of an email.")
    text = models.TextField(blank=True, help_text="As it would be, or was, sent. Personal.")
    # As the model wrote them: with the text above, what the trainer has changed.
    written_subject = models.CharField(max_length=200, blank=True)
    written_text = models.TextField(blank=True)
    written_at = models.DateTimeField(null=True, help_text="When the text was there.")
    # What the client has done before is in the text; what is done later makes it stale.
    based_at = models.DateTimeField(help_text="When the try began that wrote the text; at first, when asked.")
    client_acted_at = models.DateTimeField(null=True, help_text="What the client did last, when.")
    client_act = models.CharField(max_length=6, choices=ClientAct.choices, blank=True)

    snoozed_until = models.DateTimeField(null=True)
    approvals = models.PositiveSmallIntegerField(default=0)
    approved_by = models.CharField(max_length=100, blank=True, help_text="As the audit log names people.")
    approved_at = models.DateTimeField(null=True)
    edited = models.BooleanField(default=False, help_text="Whether a person has changed the text.")
    job = models.OneToOneField(SyncJob, null=True, on_delete=models.SET_NULL, related_name="draft")
    send_at = models.DateTimeField(null=True, help_text="When it may be sent first.")
    held_by = models.CharField(max_length=16, blank=True, help_text="Why it waits: quiet_hours, daily_cap.")
    sent_at = models.DateTimeField(null=True)
    # The client's own day on which it went, by which the cap counts.
    sent_on = models.DateField(null=True)
    dismissed_reason = models.CharField(max_length=300, blank=True)
    ended_at = models.DateTimeField(null=True, help_text="When it was sent or dismissed.")

    correlation_id = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-id"]
        default_permissions = ("view",)
        permissions = [
            ("open_inbox", "Can open the AI Inbox: own drafts"),
            ("work_draft", "Can approve, edit, snooze and dismiss the drafts that are visible to them"),
        ]
        indexes = [
            models.Index(fields=["next_at", "id"], condition=Q(state="waiting"), name="draft_due"),
            models.Index(fields=["next_at"], condition=Q(state="writing"), name="draft_lease_ends"),
            # The inbox: of one trainer, and of all.
            models.Index(
                fields=["trainer_id", "state", "-impact", "created_at", "id"], name="draft_of_trainer"
            ),
            models.Index(fields=["state", "-impact", "created_at", "id"], name="draft_by_state"),
            models.Index(
                fields=["snoozed_until"], condition=Q(snoozed_until__isnull=False), name="draft_snoozed"
            ),
            models.Index(fields=["contact_id", "location", "-created_at"], name="draft_by_contact"),
            models.Index(fields=["client_id", "sent_on"], name="draft_by_client_day"),
            models.Index(fields=["correlation_id"], name="draft_by_correlation_id"),
            models.Index(fields=["ended_at"], condition=Q(ended_at__isnull=False), name="draft_ended"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["location", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                name="one_draft_an_idempotency_key",
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        "waiting",
                        "writing",
                        "review",
                        "failed",
                        "scheduled",
                        "sent",
                        "undelivered",
                        "dismissed",
                    ]
                ),
                name="draft_state_is_known",
            ),
            models.CheckConstraint(condition=Q(tries__lte=MOST_TRIES), name="draft_has_at_most_three_tries"),
            models.CheckConstraint(condition=Q(impact__lte=100), name="draft_impact_is_a_percentage"),
            # Approval is always required.
            models.CheckConstraint(
                condition=~Q(state__in=["scheduled", "sent", "undelivered"])
                | Q(approved_at__isnull=False) & ~Q(approved_by=""),
                name="no_draft_goes_unapproved",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["sent", "dismissed"], ended_at__isnull=False)
                | ~Q(state__in=["sent", "dismissed"]) & Q(ended_at__isnull=True),
                name="draft_ended_when_sent_or_dismissed",
            ),
            models.CheckConstraint(
                condition=~Q(state="sent") | Q(sent_at__isnull=False), name="a_sent_draft_says_when"
            ),
            models.CheckConstraint(
                condition=~Q(state="failed") | ~Q(code=""), name="a_failed_draft_says_why"
            ),
        ]

    def __str__(self) -> str:
        return f"Draft {self.id}"

    @property
    def is_stale(self) -> bool:
        """Whether the client has written or booked since the text was begun."""
        return self.client_acted_at is not None and self.client_acted_at > self.based_at


class DraftAttempt(models.Model):
    """One call of the language model, whatever came of it. Nothing of what was said."""

    draft = models.ForeignKey(Draft, on_delete=models.CASCADE, related_name="attempts", db_index=False)
    round = models.PositiveSmallIntegerField()
    number = models.PositiveSmallIntegerField(help_text="Within its round, from 1.")
    began_at = models.DateTimeField()
    duration_ms = models.FloatField(null=True, help_text="Empty while it goes on, and where it was lost.")
    outcome = models.CharField(
        max_length=10,
        choices=[
            ("begun", "Begun"),
            ("ok", "Written"),
            ("transient", "Failed, may be tried again"),
            ("permanent", "Failed"),
            ("lost", "Its process ended"),
        ],
        default="begun",
    )
    code = models.CharField(max_length=32, blank=True)
    model = models.CharField(max_length=64, blank=True)
    prompt_tokens = models.PositiveIntegerField(null=True)
    answer_tokens = models.PositiveIntegerField(null=True)

    class Meta:
        ordering = ["draft_id", "round", "number"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["draft", "round", "number"], name="one_row_a_call_of_the_language_model"
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=["begun", "ok", "transient", "permanent", "lost"]),
                name="draft_attempt_outcome_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"Attempt {self.round}.{self.number}"
