"""How long each dataset is kept, and a row for each purge: what it removed, and what it left.

Datasets are declared in code (`trainu.datasets`); the days are staff's, within the declared bounds.
"""

from django.db import models
from django.db.models import Q


class RetentionPolicy(models.Model):
    """How many days one dataset is kept. Changed only by `observability.retention.policies`."""

    dataset = models.CharField(max_length=64, unique=True, editable=False)
    keep_days = models.PositiveIntegerField(help_text="Whole days, in UTC.")
    updated_at = models.DateTimeField(editable=False)
    changed_by = models.CharField(max_length=80, blank=True, editable=False)
    reason = models.CharField(max_length=200, blank=True, editable=False)

    class Meta:
        ordering = ["dataset"]
        default_permissions = ("view", "change")
        permissions = [("purge_retentionpolicy", "Can purge now")]
        verbose_name_plural = "retention policies"
        constraints = [
            models.CheckConstraint(condition=Q(keep_days__gt=0), name="retention_keeps_at_least_a_day"),
        ]

    def __str__(self) -> str:
        return self.dataset


class PurgeRun(models.Model):
    """One purge of one dataset. A run that stopped midway is followed by one that goes on."""

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        INTERRUPTED = "interrupted", "Interrupted"
        FAILED = "failed", "Failed"

    dataset = models.CharField(max_length=64)
    state = models.CharField(max_length=12, choices=State, default=State.RUNNING)
    cutoff_at = models.DateTimeField(help_text="What is older was to go.")
    partitions = models.PositiveIntegerField(default=0, help_text="Days removed as a whole.")
    rows = models.BigIntegerField(default=0, help_text="Rows removed or emptied one by one.")
    oldest_left_at = models.DateTimeField(null=True, help_text="Empty: nothing is left, or nobody looked.")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    seconds = models.FloatField(default=0.0)
    dry_run = models.BooleanField(default=False)
    started_by = models.CharField(max_length=80)
    error = models.CharField(max_length=64, blank=True, help_text="Kind of the failure.")
    reason = models.CharField(max_length=300, blank=True, help_text="Why it stopped or left something.")

    class Meta:
        ordering = ["-started_at", "-id"]
        default_permissions = ("view",)
        indexes = [models.Index(fields=["dataset", "-started_at"], name="purge_run_by_dataset")]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["running", "done", "interrupted", "failed"]),
                name="purge_run_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(state="running", finished_at__isnull=True)
                | (~Q(state="running") & Q(finished_at__isnull=False)),
                name="purge_run_is_finished_or_running",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dataset} {self.started_at:%Y-%m-%d %H:%M}"
