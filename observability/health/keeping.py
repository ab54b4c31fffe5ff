"""Whether what is kept is whole, and no longer kept than it should be: logs, retention, the audit log."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from observability.health.finding import Finding, Status
from observability.logs import drops
from observability.models import AuditVerification
from observability.retention import lateness

# It is verified daily.
AUDIT_VERIFIED_WITHIN = timedelta(days=2)
LINES_DROPPED_WITHIN = timedelta(minutes=15)


def check_logs() -> Finding:
    """Whether the log store could keep up; the stream has every line all the same."""
    dropped = drops.dropped(since=timezone.now() - LINES_DROPPED_WITHIN)
    return Finding(Status.WARN if dropped else Status.PASS, {"kept": settings.LOG_STORE, "dropped": dropped})


def check_retention() -> Finding:
    """Whether anything is kept longer than its policy says, by more than two days."""
    late = lateness.late(now=timezone.now())
    detail = {"late": [one.dataset for one in late], "reasons": [one.reason for one in late if one.reason]}
    return Finding(Status.WARN if late else Status.PASS, detail)


def check_audit() -> Finding:
    """What the last verification of the audit log found. A service that was never verified yet is well."""
    newest = AuditVerification.objects.first()
    if newest is None:
        return Finding(Status.PASS, {"findings": None})
    age = timezone.now() - newest.verified_at
    well = not newest.findings and age <= AUDIT_VERIFIED_WITHIN
    detail = {"findings": newest.findings, "entries": newest.entries, "age_s": round(age.total_seconds())}
    return Finding(Status.PASS if well else Status.WARN, detail)
