"""A webhook of GoHighLevel as it came in, and how far its processing is. The rows are the queue.

The rule: what was answered with 200 stands here, its bytes as they were received. `next_at` is when a
waiting one is due, and when the lease of a leased one runs out; whoever claims one counts `fence` up.
"""

from django.db import models
from django.db.models import F, Func, Q
from django.db.models.lookups import LessThanOrEqual

from sync.models.location import Location

MAX_BYTES = 1024 * 1024


class Webhook(models.Model):
    class Kind(models.TextChoices):
        MARKETPLACE = "marketplace", "Of the app, signed"
        WORKFLOW = "workflow", "Of a workflow, at a secret address"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        LEASED = "leased", "In hand"
        DONE = "done", "Done"
        DEAD = "dead", "Dead letter"
        IGNORED = "ignored", "Ignored"

    dedupe_key = models.CharField(
        max_length=100, help_text="Their webhookId, or a digest where there is none."
    )
    location = models.ForeignKey(
        Location, null=True, on_delete=models.PROTECT, related_name="webhooks", db_index=False
    )
    kind = models.CharField(max_length=12, choices=Kind.choices)
    topic = models.CharField(max_length=64, help_text="Their type in snake case, such as contact_create.")
    body = models.BinaryField(help_text="As received. Personal: never shown whole. Empty once it was erased.")
    received_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, help_text="As they say.")
    correlation_id = models.CharField(max_length=64)
    contact_id = models.CharField(max_length=100, blank=True)
    object_id = models.CharField(max_length=100, blank=True, help_text="Of what it is about.")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    is_redrive = models.BooleanField(default=False, help_text="A person has given it one more try.")
    fence = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField()
    code = models.CharField(max_length=32, blank=True, help_text="Why it was ignored, or failed last.")
    processed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-received_at", "-id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["next_at", "id"], condition=Q(state="waiting"), name="webhook_due"),
            models.Index(fields=["next_at"], condition=Q(state="leased"), name="webhook_lease_ends"),
            models.Index(fields=["received_at"], condition=Q(state="dead"), name="webhook_dead"),
            models.Index(fields=["location", "received_at"], name="webhook_by_location"),
            models.Index(fields=["received_at", "id"], name="webhook_by_time"),
            models.Index(fields=["correlation_id"], name="webhook_by_correlation_id"),
            models.Index(fields=["contact_id"], condition=~Q(contact_id=""), name="webhook_by_contact"),
            models.Index(fields=["object_id"], condition=~Q(object_id=""), name="webhook_by_object"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["dedupe_key"], name="a_webhook_is_stored_once"),
            models.CheckConstraint(
                condition=Q(kind__in=["marketplace", "workflow"]), name="webhook_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "leased"], processed_at__isnull=True)
                | Q(state__in=["done", "dead", "ignored"], processed_at__isnull=False),
                name="webhook_is_processed_when_it_ended",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["dead", "ignored"]) | ~Q(code=""), name="a_dropped_webhook_says_why"
            ),
            models.CheckConstraint(condition=Q(tries__lte=6), name="webhook_has_at_most_six_tries"),
            models.CheckConstraint(
                condition=LessThanOrEqual(
                    Func(F("body"), function="octet_length", output_field=models.IntegerField()),
                    MAX_BYTES,
                ),
                name="webhook_body_is_bounded",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.pk}"
