"""A bulk operation: one verb for a set of letters that was frozen when somebody confirmed it.

The rule: an item is in one place of the ramp, and says how it ended. The operation's counters are kept by
triggers on the items' table, so they commit with whatever moves an item.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from sync.models.dead_letter import CauseGroup, DeadLetter

COUNTED = (
    "pending",
    "sent",
    "recovered",
    "failed_same_cause",
    "failed_new_cause",
    "superseded",
    "skipped",
    "canceled",
    "needs_decision",
    "done",
)
_ENDED = COUNTED[2:]


class BulkOperation(models.Model):
    class Kind(models.TextChoices):
        REDRIVE = "redrive", "Redrive"
        DISCARD = "discard", "Discard"
        RESTORE = "restore", "Restore"
        ASSIGN = "assign", "Assign"

    class State(models.TextChoices):
        PROPOSED = "proposed", "Waits for a second person"
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        STOPPED = "stopped", "Stopped by itself"
        CANCELED = "canceled", "Canceled"
        DONE = "done", "Done"

    kind = models.CharField(max_length=8, choices=Kind.choices)
    state = models.CharField(max_length=8, choices=State.choices, default=State.RUNNING)
    state_reason = models.CharField(max_length=300, blank=True, help_text="Why it was stopped.")
    chosen = models.JSONField(help_text="The filter as it was given.")
    group = models.ForeignKey(
        CauseGroup,
        null=True,
        on_delete=models.SET_NULL,
        related_name="operations",
        db_index=False,
        help_text="Where all its letters are of one cause.",
    )
    messages = models.PositiveIntegerField(default=0, help_text="How many of its letters send a message.")
    approved_by = models.CharField(
        max_length=100, blank=True, help_text="The second person, if one is needed."
    )
    reason = models.CharField(max_length=300)
    by = models.CharField(max_length=100)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    look_first = models.BooleanField(default=True, help_text="Ask GoHighLevel before sending again.")
    step = models.PositiveIntegerField(default=0, help_text="How many steps there were.")
    step_size = models.PositiveIntegerField(default=0, help_text="Of the last of them: 1, 10, 100, 500.")
    total = models.PositiveIntegerField(default=0)
    pending = models.PositiveIntegerField(default=0)
    sent = models.PositiveIntegerField(default=0)
    recovered = models.PositiveIntegerField(default=0)
    failed_same_cause = models.PositiveIntegerField(default=0)
    failed_new_cause = models.PositiveIntegerField(default=0)
    superseded = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    canceled = models.PositiveIntegerField(default=0)
    needs_decision = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0, help_text="Of kinds other than redrive.")
    started_at = models.DateTimeField()
    looked_at = models.DateTimeField(help_text="When its items were looked at last.")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view",)
        permissions = [("run_bulkoperation", "Can start, approve, pause, resume and cancel bulk operations")]
        indexes = [
            models.Index(
                fields=["looked_at"], condition=Q(state="running") | Q(sent__gt=0), name="bulk_under_way"
            ),
            models.Index(fields=["group", "-id"], condition=Q(group__isnull=False), name="bulk_by_group"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["redrive", "discard", "restore", "assign"]), name="bulk_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["proposed", "running", "paused", "stopped", "canceled", "done"]),
                name="bulk_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["canceled", "done"], ended_at__isnull=False)
                | Q(state__in=["proposed", "running", "paused", "stopped"], ended_at__isnull=True),
                name="bulk_ends_when_it_is_over",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="bulk_says_why"),
            models.CheckConstraint(
                condition=~Q(approved_by=F("by")), name="a_bulk_is_approved_by_somebody_else"
            ),
            models.CheckConstraint(
                condition=Q(messages__lte=1_000) | Q(state__in=["proposed", "canceled"]) | ~Q(approved_by=""),
                name="many_messages_take_a_second_person",
            ),
            models.CheckConstraint(
                condition=~Q(state="proposed") | Q(pending=F("total")),
                name="a_proposed_bulk_has_begun_nothing",
            ),
            models.CheckConstraint(
                condition=~Q(state="stopped") | ~Q(state_reason=""), name="a_stopped_bulk_says_why"
            ),
            models.CheckConstraint(
                condition=Q(
                    total=F("pending")
                    + F("sent")
                    + F("recovered")
                    + F("failed_same_cause")
                    + F("failed_new_cause")
                    + F("superseded")
                    + F("skipped")
                    + F("canceled")
                    + F("needs_decision")
                    + F("done")
                ),
                name="bulk_loses_no_item",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"


class BulkItem(models.Model):
    class State(models.TextChoices):
        PENDING = "pending", "Not begun"
        SENT = "sent", "Under way"
        RECOVERED = "recovered", "Recovered"
        FAILED_SAME_CAUSE = "failed_same_cause", "Failed again, same cause"
        FAILED_NEW_CAUSE = "failed_new_cause", "Failed again, new cause"
        SUPERSEDED = "superseded", "Superseded"
        SKIPPED = "skipped", "Skipped"
        CANCELED = "canceled", "Canceled"
        NEEDS_DECISION = "needs_decision", "Needs a decision"
        DONE = "done", "Done"

    operation = models.ForeignKey(
        BulkOperation, on_delete=models.CASCADE, related_name="items", db_index=False
    )
    letter = models.ForeignKey(DeadLetter, on_delete=models.CASCADE, related_name="bulk_items")
    # As it was when the set was frozen: what tells the same cause from a new one.
    group = models.ForeignKey(CauseGroup, on_delete=models.PROTECT, related_name="+", db_index=False)
    state = models.CharField(max_length=18, choices=State.choices, default=State.PENDING)
    words = models.CharField(max_length=200, blank=True, help_text="Why it was left out.")
    step = models.PositiveIntegerField(null=True)
    deaths = models.PositiveIntegerField(null=True, help_text="How often the letter had died when it went.")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        default_permissions = ()
        indexes = [
            models.Index(fields=["operation", "state", "id"], name="bulk_item_by_state"),
            models.Index(
                fields=["operation", "step"], condition=Q(step__isnull=False), name="bulk_item_of_step"
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["operation", "letter"], name="a_letter_is_once_in_a_bulk"),
            models.CheckConstraint(condition=Q(state__in=COUNTED), name="bulk_item_state_is_known"),
            models.CheckConstraint(
                condition=Q(state__in=COUNTED[:2], ended_at__isnull=True)
                | Q(state__in=_ENDED, ended_at__isnull=False),
                name="bulk_item_ends_when_it_is_over",
            ),
            models.CheckConstraint(
                condition=~Q(state="sent") | Q(step__isnull=False, deaths__isnull=False),
                name="a_sent_bulk_item_knows_its_step",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.letter_id} in {self.operation_id}"
