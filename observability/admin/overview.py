"""The observer's cards on the Overview: read from roll-ups and state rows, never from the events."""

from datetime import timedelta

from django.db.models import Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from observability import health
from observability.admin import check_words
from observability.admin.check_words import STATES, TONES
from observability.admin.errors import error_cards
from observability.health import Finding, Report, Status
from observability.models import EventHour, QuarantineGroup
from trainu.admin_site import Card, site

_TAMPERED = "somebody tampered with the audit log (SEV1): Audit says what to do"


def health_cards(_request: HttpRequest) -> list[Card]:
    """Return how the service is."""
    report = health.monitor.report(health.ALL)
    tone = "bad" if is_tampered(report) else TONES[report.status]
    return [Card("Service", STATES[report.status], _trouble(report), url=reverse("admin:health"), tone=tone)]  # type: ignore[arg-type]


def event_cards(_request: HttpRequest) -> list[Card]:
    """Return how many events came in the last day."""
    since = timezone.now() - timedelta(hours=24)
    total = EventHour.objects.filter(hour__gt=since).aggregate(total=Sum("events"))["total"] or 0
    detail = "Counted within seconds of being stored" if total else "No app has reported anything"
    return [Card("Events, last 24 hours", f"{total:,}", detail, url=reverse("admin:events"))]


def forwarding_cards(_request: HttpRequest) -> list[Card]:
    """Return how far PostHog has got."""
    finding = health.monitor.report({"posthog": health.check_posthog}).findings["posthog"]
    value, detail = _forwarding(finding)
    tone = "" if value == "Off" else TONES[finding.status]
    return [Card("PostHog", value, detail, url=reverse("admin:forwarding"), tone=tone)]  # type: ignore[arg-type]


def quarantine_cards(_request: HttpRequest) -> list[Card]:
    """Return how many mistakes are open."""
    groups = QuarantineGroup.objects.filter(state=QuarantineGroup.State.OPEN).count()
    return [
        Card(
            "Quarantine",
            groups,
            f"Kind{'' if groups == 1 else 's'} of mistake in refused events"
            if groups
            else "No refused event waits",
            url=reverse("admin:observability_quarantinegroup_changelist"),
            tone="warn" if groups else "ok",
        )
    ]


def is_tampered(report: Report) -> bool:
    """Whether the last verification of the audit log has found something."""
    return bool(report.findings["audit"].detail.get("findings"))


def _trouble(report: Report) -> str:
    troubles = [
        _TAMPERED if name == "audit" and is_tampered(report) else check_words.of(name).trouble
        for name, finding in report.findings.items()
        if finding.status is not Status.PASS
    ]
    words = ", ".join(troubles)
    return f"{words[0].upper()}{words[1:]}." if words else "Every check passes"


def _forwarding(finding: Finding) -> tuple[str, str]:
    """Return the state in a word, and what stands below it."""
    lag_s = float(finding.detail.get("lag_s") or 0)
    waiting = f"Events wait, the oldest for {_duration(lag_s)}" if lag_s else "No event waits yet"
    match finding.detail.get("state"):
        case "off":
            return "Off", "No project key is set"
        case "paused":
            return "Paused", waiting
        case "failing":
            return "Failing", waiting
        case "on" if finding.status is Status.PASS:
            return "Up to date", "PostHog gets events within seconds"
        case "on":
            return "Behind", waiting
        case _:
            return "Unknown", "Its state could not be read"


def _duration(seconds: float) -> str:
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds:.0f} s"


site.register_overview(health_cards, permission="observability.view_event")
site.register_overview(error_cards, permission="observability.view_errorminute")
site.register_overview(event_cards, permission="observability.view_event")
site.register_overview(forwarding_cards, permission="observability.view_forwarder")
site.register_overview(quarantine_cards, permission="observability.view_quarantinegroup")
