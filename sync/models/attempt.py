"""One attempt of a job: a request that was sent, or a lookup. Written once, when it ended.

The rule: request and response are masked before they get here; tokens never were in them.
"""

from django.db import models


class SyncAttempt(models.Model):
    class Kind(models.TextChoices):
        SEND = "send", "Sent"
        LOOKUP = "lookup", "Looked up"

    # Partitioned by the day of started_at: bodies are kept for days, the outcome for longer.
    pk = models.CompositePrimaryKey("started_at", "job_id", "fence")
    started_at = models.DateTimeField()
    job_id = models.UUIDField()
    fence = models.PositiveIntegerField(help_text="Which claim of the job it was.")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    outcome = models.CharField(max_length=16)
    code = models.CharField(max_length=32)
    status = models.PositiveSmallIntegerField(null=True, help_text="HTTP status, if there was an answer.")
    duration_ms = models.FloatField()
    trace_id = models.CharField(max_length=128, blank=True, help_text="What GoHighLevel's support asks for.")
    request = models.JSONField(null=True, help_text="Masked.")
    response = models.JSONField(null=True, help_text="Masked.")

    class Meta:
        db_table = "sync_attempt"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.kind} {self.fence} of {self.job_id}"
