"""A sync job: the intent to do one thing in GoHighLevel. The rows are the queue.

The rule: `next_at` is when a waiting job is due, and when the lease of a leased one runs out. Whoever
claims a job counts `fence` up; whoever settles it must still hold that number.
"""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Func, Q, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce
from django.db.models.lookups import IsNull

from sync.models.location import Location

# Whom and what a job is about: as it was asked for, or as GoHighLevel has called what it made. Ids of theirs
# are short where we let them in, so they fit into an index.
CONTACT = Coalesce(KT("payload__contact_id"), KT("result__contact_id"))
APPOINTMENT = Coalesce(KT("payload__appointment_id"), KT("result__appointment_id"))


class SyncJob(models.Model):
    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        LEASED = "leased", "In hand"
        SUCCEEDED = "succeeded", "Done"
        DEAD = "dead", "Dead letter"
        SUPERSEDED = "superseded", "Superseded"

    id = models.UUIDField(primary_key=True, help_text="UUIDv7; also what a lookup recognises our work by.")
    # Jobs with one ordering key run in this order. A UUIDv7 of two hosts would not tell which came first.
    position = models.BigIntegerField(
        unique=True, db_default=Func(Value("sync_job_position"), function="nextval")
    )
    location = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="jobs", db_index=False)
    operation = models.CharField(max_length=48)
    payload = models.JSONField(help_text="As the operation's schema has it. Personal: never shown whole.")
    idempotency_key = models.CharField(max_length=200, blank=True)
    ordering_key = models.CharField(max_length=160, blank=True)
    # The fields it sets on the object of its ordering key; {"*"} for all of them, empty where it only adds.
    writes = ArrayField(models.TextField(), default=list)
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    cause = models.CharField(max_length=16, blank=True, help_text="Why it is dead.")
    code = models.CharField(max_length=32, blank=True, help_text="Of its last attempt.")
    is_lookup = models.BooleanField(default=False, help_text="Its next attempt asks instead of sending.")
    is_redrive = models.BooleanField(default=False, help_text="A person has given it one more try.")
    # It was in hand when a process died, and may be why: it is tried alone, by the recovery lane.
    is_suspect = models.BooleanField(default=False)
    replaces = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="replaced_by", db_index=False
    )
    tries = models.PositiveSmallIntegerField(default=0)
    lookups = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField()
    result = models.JSONField(default=dict, help_text="Ids that GoHighLevel gave.")
    # Of a message: what equal texts have in common, and nobody can read. See `mass_send.text`.
    text_key = models.BigIntegerField(null=True)
    released_at = models.DateTimeField(
        null=True, help_text="When a person let this message go although the kill switch is on."
    )
    correlation_id = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        permissions = [("retry_syncjob", "Can try waiting jobs now")]
        indexes = [
            models.Index(
                fields=["location", "next_at"], condition=Q(state="waiting", is_suspect=False), name="job_due"
            ),
            # While the kill switch is on, what may go is not behind a hundred thousand messages.
            models.Index(
                fields=["location", "next_at"],
                condition=Q(state="waiting", is_suspect=False)
                & (~Q(operation="message.send") | Q(released_at__isnull=False)),
                name="job_due_unheld",
            ),
            # What comes in, for whoever watches for a mass of it; nothing but this index is read.
            models.Index(
                fields=["created_at"],
                include=["location", "text_key"],
                condition=Q(operation="message.send"),
                name="message_by_time",
            ),
            # What the kill switch holds, in groups; lookups send nothing.
            models.Index(
                fields=["location", "text_key", "position"],
                include=["created_at", "released_at"],
                condition=Q(state="waiting", operation="message.send", is_lookup=False),
                name="message_waiting",
            ),
            # What will die unless something is done; see `sync.dying`.
            models.Index(
                fields=["tries", "next_at"], condition=Q(state="waiting", tries__gt=0), name="job_dying"
            ),
            # The list of those, which is in the order of all lists of jobs.
            models.Index(
                fields=["-position"], condition=Q(state="waiting", tries__gt=0), name="job_tried_before"
            ),
            # Only what is dead is searched by its payload, so only that is paid for.
            GinIndex(
                fields=["payload"],
                opclasses=["jsonb_path_ops"],
                condition=Q(state="dead"),
                name="job_dead_payload",
            ),
            models.Index(
                fields=["next_at"], condition=Q(state="waiting", is_suspect=True), name="job_suspect_due"
            ),
            models.Index(fields=["next_at"], condition=Q(state="leased"), name="job_lease_ends"),
            models.Index(
                fields=["location", "ordering_key", "position"],
                condition=Q(state__in=["waiting", "leased"]) & ~Q(ordering_key=""),
                name="job_order",
            ),
            models.Index(
                fields=["location", "ordering_key", "position"],
                condition=Q(state="succeeded") & ~Q(ordering_key="") & ~Q(writes=[]),
                name="job_order_done",
            ),
            models.Index(
                fields=["location", "created_at"],
                condition=Q(operation="contact.upsert", state__in=["waiting", "leased"], fence__gt=0),
                name="job_making_a_contact",
            ),
            models.Index(fields=["settled_at"], condition=Q(state="dead"), name="job_dead"),
            models.Index(fields=["location", "position"], name="job_by_location"),
            models.Index(fields=["correlation_id"], name="job_by_correlation_id"),
            models.Index(CONTACT, "position", condition=Q(IsNull(CONTACT, False)), name="job_by_contact"),
            models.Index(
                APPOINTMENT, "position", condition=Q(IsNull(APPOINTMENT, False)), name="job_by_appointment"
            ),
            models.Index(fields=["replaces"], condition=Q(replaces__isnull=False), name="job_by_replaced"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["location", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                name="one_job_an_idempotency_key",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "leased", "succeeded", "dead", "superseded"]),
                name="job_state_is_known",
            ),
            models.CheckConstraint(condition=Q(tries__lte=6), name="job_has_at_most_six_tries"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "leased"], settled_at__isnull=True)
                | Q(state__in=["succeeded", "dead", "superseded"], settled_at__isnull=False),
                name="job_is_settled_when_it_ended",
            ),
            models.CheckConstraint(
                condition=Q(state="dead") & ~Q(cause="") | ~Q(state="dead") & Q(cause=""),
                name="job_says_why_it_is_dead",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.id}"
