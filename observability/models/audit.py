"""The audit log: one entry an act, chained by hash, signed by a key that the database does not have.

Written only by `observability.audit`. The rule: nothing here is changed, deleted or emptied; triggers refuse
it (see migration 0005), and whoever goes past them is found by `observability.audit.chain.verify`.
"""

from django.db import models
from django.db.models import Q


class AuditEntry(models.Model):
    """Who did what to what, partitioned by day. Chained when its transaction commits."""

    class ActorKind(models.TextChoices):
        STAFF = "staff", "Staff"
        KEY = "key", "API key"
        COMMAND = "command", "Command"
        SYSTEM = "system", "The service itself"
        ANONYMOUS = "anonymous", "Not signed in"

    pk = models.CompositePrimaryKey("recorded_at", "id")
    recorded_at = models.DateTimeField(help_text="When it was done, UTC; decides the partition.")
    id = models.UUIDField()
    actor_kind = models.TextField(choices=ActorKind.choices)
    actor_id = models.TextField(help_text="staff:12, key:3, command:purge, system or anonymous.")
    action = models.TextField(help_text="A word of observability.audit.actions.")
    target_type = models.TextField(help_text="Model of what it was done to; may be empty.")
    target_id = models.TextField(help_text="Its id; may be empty.")
    reason = models.TextField(help_text="What the actor gave as the reason, redacted.")
    correlation_id = models.TextField(help_text="The unit of work in which it was done.")
    changes = models.JSONField(
        help_text="By field: [before, after], or null where the values are not for showing."
    )

    class Meta:
        db_table = "observability_auditentry"
        default_permissions = ("view",)
        permissions = [("export_auditentry", "Can export the audit log")]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.action} {self.id}"


class AuditLink(models.Model):
    """An entry's place in the chain. hash: SHA-256 over place, previous hash and the entry's every column."""

    seq = models.BigIntegerField(primary_key=True)
    entry_id = models.UUIDField(unique=True)
    recorded_at = models.DateTimeField(help_text="The entry's own, which decides its partition.")
    previous = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.seq)


class AuditCheckpoint(models.Model):
    """The chain's state at some time, signed. A cut signs where the chain now begins."""

    class Reason(models.TextChoices):
        DAILY = "daily", "Daily"
        RETENTION = "retention", "Retention"

    number = models.BigIntegerField(primary_key=True, help_text="Counted without gaps.")
    created_at = models.DateTimeField()
    reason = models.CharField(max_length=9, choices=Reason)
    seq = models.BigIntegerField(help_text="The last link it vouches for; of a cut, the last one removed.")
    hash = models.BinaryField(max_length=32, help_text="The hash of that link.")
    entries_before = models.DateTimeField(null=True, help_text="Of a cut: older entries may be gone.")
    hmac = models.BinaryField(max_length=32)

    class Meta:
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(reason="retention", entries_before__isnull=False)
                | Q(reason="daily", entries_before__isnull=True),
                name="audit_checkpoint_of_a_cut_says_before_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} at {self.seq}"


class AuditVerification(models.Model):
    """One walk along the whole chain, and what it found."""

    verified_at = models.DateTimeField()
    seconds = models.FloatField()
    entries = models.BigIntegerField(help_text="Links that were checked.")
    head_seq = models.BigIntegerField(help_text="The newest link; 0 in an empty chain.")
    findings = models.PositiveIntegerField(help_text="0: nothing was tampered with.")
    first_findings = models.JSONField(default=list, help_text="Kind, place and entry of the first ones.")

    class Meta:
        default_permissions = ()
        ordering = ["-verified_at"]
        indexes = [models.Index(fields=["-verified_at"], name="audit_verification_newest")]

    def __str__(self) -> str:
        return f"{self.verified_at:%Y-%m-%d %H:%M}: {self.findings} findings"
