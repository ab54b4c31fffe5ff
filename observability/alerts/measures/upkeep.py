"""Whether the service looks after itself: its workers, its forwarding, its retention, its audit log."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings

from observability import forwarder
from observability.alerts.measures import Measure, Said, together
from observability.models import AuditVerification, Heartbeat
from observability.retention import lateness
from trainu import schedules

# As health has it: a lane gives a sign of life every few seconds.
SILENT = timedelta(minutes=2)
_MINUTE = timedelta(minutes=1)


def silent_lanes(minute: datetime) -> Iterable[Said]:
    """Lanes without a sign of life, on any host."""
    alive = set(
        Heartbeat.objects.filter(beat_at__gt=minute + _MINUTE - SILENT).values_list("name", flat=True)
    )
    return together(name for name in schedules.lanes() if name not in alive)


def forwarder_lag(minute: datetime) -> Iterable[Said]:
    """Seconds for which the oldest event waits that PostHog does not have; not known where it is off."""
    if not settings.POSTHOG_API_KEY:
        return [Said(value=None)]
    waiting_at = forwarder.look().oldest_waiting_at
    return [Said(value=max(0.0, (minute + _MINUTE - waiting_at).total_seconds()) if waiting_at else 0.0)]


def late_datasets(minute: datetime) -> Iterable[Said]:
    """Datasets that hold what should be gone."""
    return [Said(value=float(len(lateness.late(now=minute))))]


def audit_findings(_minute: datetime) -> Iterable[Said]:
    """What the last verification of the audit log has found."""
    newest = AuditVerification.objects.values_list("findings", flat=True).first()
    return [Said(value=float(newest or 0))]


MEASURES = (
    Measure(
        "workers_silent",
        "level",
        "number",
        "Lanes without a sign of life for two minutes",
        silent_lanes,
        "admin:django_q_schedule_changelist",
    ),
    Measure(
        "forwarder_lag",
        "level",
        "seconds",
        "Age of the oldest event that PostHog does not have",
        forwarder_lag,
        "admin:forwarding",
    ),
    Measure(
        "retention_overdue",
        "level",
        "number",
        "Datasets that hold what should be gone for two days",
        late_datasets,
        "admin:observability_retentionpolicy_changelist",
        every_minutes=10,
        has_own_limits=True,
    ),
    Measure("audit_broken", "level", "number", "Entries that do not hold", audit_findings, "admin:audit"),
)
