"""What the observer asks of a person on the home page: checks that fail, faults, refused events, a pause.

The rule: a need is something that somebody can do now, says how, and is gone when it is done. What sync
needs is told by sync.
"""

from datetime import timedelta

from django.conf import settings
from django.db.models import Min, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from observability import health
from observability.admin import check_words, incident_news
from observability.admin.overview import is_tampered
from observability.health import Report, Status
from observability.models import ErrorMinute, Forwarder, Incident, QuarantineGroup
from trainu import navigation
from trainu.admin_site import Need, site
from trainu.faults import Severity

_DAY = timedelta(hours=24)
_MOST_CODES = 3


def failing_checks(_request: HttpRequest) -> list[Need]:
    """Return each check of the service that is not well."""
    return of_report(health.monitor.report(health.ALL))


def of_report(report: Report) -> list[Need]:
    """Return what a report asks of a person; a pause of the forwarder is left out, for it is told apart."""
    needs = []
    if is_tampered(report):
        detail = "SEV1. Leave the database as it is; the page says what to do."
        needs.append(Need("Somebody tampered with the audit log", reverse("admin:audit"), detail, urgency=1))
    for name, finding in report.findings.items():
        if (
            finding.status is Status.PASS
            or (name == "audit" and needs)
            or finding.detail.get("state") == "paused"
        ):
            continue
        words = check_words.of(name)
        wrong = finding.detail.get("wrong")
        needs.append(
            Need(
                f"{words.trouble[0].upper()}{words.trouble[1:]}",
                words.url,
                " ".join(wrong) if wrong else words.step,
                urgency=1 if finding.status is Status.FAIL else 2,
            )
        )
    return needs


def worst_faults(request: HttpRequest) -> list[Need]:
    """Return that there were faults of SEV1 within a day, unless an incident says so to this reader."""
    told = Incident.objects.filter(rule="sev1_fault").exclude(state=Incident.State.RESOLVED)
    if navigation.may(request.user, incident_news.VIEW) and told.exists():
        return []
    since = timezone.now() - _DAY
    kinds = list(
        ErrorMinute.objects.filter(minute__gte=since, severity=Severity.SEV1)
        .values_list("code")
        .annotate(total=Sum("errors"), first=Min("minute"))
        .order_by("-total")[: _MOST_CODES + 1]
    )
    if not kinds:
        return []
    codes = ", ".join(code.replace("_", " ") for code, _, _ in kinds[:_MOST_CODES])
    more = " and others" if len(kinds) > _MOST_CODES else ""
    return [
        Need(
            "The worst sort of error (SEV1) in the last 24 hours",
            reverse("admin:errors"),
            f"{codes}{more}. Data may be lost, or messages may have gone out in a mass.",
            since=min(first for _, _, first in kinds),
            urgency=1,
        )
    ]


def refused_events(_request: HttpRequest) -> list[Need]:
    """Return that refused events wait for somebody to look at them."""
    waiting = QuarantineGroup.objects.filter(state=QuarantineGroup.State.OPEN)
    seen = list(waiting.order_by("first_seen_at").values_list("first_seen_at", flat=True)[:100])
    if not seen:
        return []
    kinds = (
        "1 kind of mistake"
        if len(seen) == 1
        else f"{len(seen)}{'+' if len(seen) == 100 else ''} kinds of mistake"
    )
    return [
        Need(
            f"Refused events wait: {kinds}",
            reverse("admin:observability_quarantinegroup_changelist"),
            "Tell whoever wrote the app, or declare what is missing; then let the events in.",
            since=seen[0],
            urgency=3,
        )
    ]


def paused_forwarding(_request: HttpRequest) -> list[Need]:
    """Return that somebody has paused the way to PostHog."""
    state = Forwarder.objects.filter(paused_at__isnull=False).first()
    if not settings.POSTHOG_API_KEY or state is None:
        return []
    return [
        Need(
            "PostHog forwarding is paused",
            reverse("admin:forwarding"),
            f"{state.paused_reason.rstrip('.')}. Events wait until somebody resumes it.",
            since=state.paused_at,
            urgency=2,
        )
    ]


site.register_need(failing_checks, permission="observability.view_event")
site.register_need(worst_faults, permission="observability.view_errorminute")
site.register_need(refused_events, permission="observability.view_quarantinegroup")
site.register_need(paused_forwarding, permission="observability.view_forwarder")
