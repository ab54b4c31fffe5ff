"""API keys as rows. The key itself is shown once, at birth; only its SHA-256 is kept.

A plain hash is right here: the key is 256 random bits, so there is nothing to guess.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class ApiKey(models.Model):
    class Scope(models.TextChoices):
        EVENTS_WRITE = "events:write", "Report events"
        EVENTS_BACKFILL = "events:backfill", "Report events up to two years old"
        HEALTH_READ = "health:read", "Read the details of health"
        SYNC_WRITE = "sync:write", "Enqueue jobs for GoHighLevel"
        SYNC_READ = "sync:read", "Read jobs, dead letters and bulk operations"
        SYNC_OPERATE = "sync:operate", "Redrive, discard, reconcile, pause"
        SYNC_KILL = "sync:kill", "Turn the kill switch for messages on and off"
        SYNC_REVEAL = "sync:reveal", "See what is masked in dead letters"
        DASHBOARDS_READ = "dashboards:read", "Read the numbers of the dashboards"
        METRICS_READ = "metrics:read", "Read the figures of operation, as Prometheus does"
        ALERTS_READ = "alerts:read", "Read incidents and alert rules"
        ALERTS_WORK = "alerts:work", "Acknowledge and resolve incidents, silence alerts"
        DRAFTS_WRITE = "drafts:write", "Ask for drafts, tell insights"
        DRAFTS_READ = "drafts:read", "Read drafts, with their texts"
        DRAFTS_WORK = "drafts:work", "Approve, change, snooze and dismiss drafts"

    name = models.CharField(max_length=80, unique=True, help_text="Who uses it, such as booking-app.")
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=32, choices=Scope), help_text="What it may do.")
    limit_per_minute = models.PositiveIntegerField(
        default=600_000,
        help_text="Events a minute (any other request counts as one). 0: no limit.",
    )
    # Generic cell rate: when the bucket would be full again. Moved only by observability.rate_limit.
    full_at = models.DateTimeField(null=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: does not expire.")
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["name"]
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    scopes__contained_by=[
                        "events:write",
                        "events:backfill",
                        "health:read",
                        "sync:write",
                        "sync:read",
                        "sync:operate",
                        "sync:kill",
                        "sync:reveal",
                        "dashboards:read",
                        "metrics:read",
                        "alerts:read",
                        "alerts:work",
                        "drafts:write",
                        "drafts:read",
                        "drafts:work",
                    ],
                ),
                name="api_key_scopes_are_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name
