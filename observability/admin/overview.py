"""The observer's cards on the Overview: read from roll-ups and state rows, never from the events."""

from datetime import timedelta

from django.db.models import Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from observability import health
from observability.health import Status
from observability.models import EventHour, QuarantineGroup
from trainu.admin_site import Card, site

_WORDS = {Status.PASS: "Well", Status.WARN: "Degraded", Status.FAIL: "Failing"}
_TONES = {Status.PASS: "ok", Status.WARN: "warn", Status.FAIL: "bad"}


def cards(_request: HttpRequest) -> list[Card]:
    """Return health, events of the last day, forwarding and quarantine."""
    now = timezone.now()
    report = health.monitor.report(health.ALL)
    troubled = [name for name, finding in report.findings.items() if finding.status is not Status.PASS]
    events = EventHour.objects.filter(hour__gt=now - timedelta(hours=24)).aggregate(total=Sum("events"))
    posthog = report.findings["posthog"]
    groups = QuarantineGroup.objects.filter(state=QuarantineGroup.State.OPEN).count()
    return [
        Card(
            "Service",
            _WORDS[report.status],
            "Every check passes." if not troubled else f"Look at: {', '.join(troubled)}.",
            tone=_TONES[report.status],  # type: ignore[arg-type]
        ),
        Card("Events, last 24 hours", f"{events['total'] or 0:,}", url=reverse("admin:events")),
        Card(
            "PostHog",
            {"on": "Up to date", "off": "Off"}.get(str(posthog.detail.get("state")), "Behind")
            if posthog.status is Status.PASS
            else "Behind",
            _lag_words(posthog.detail),
            url=reverse("admin:forwarding"),
            tone=_TONES[posthog.status],  # type: ignore[arg-type]
        ),
        Card(
            "Open mistakes in quarantine",
            groups,
            "Events that were refused, grouped by reason." if groups else "Nothing was refused.",
            url=reverse("admin:observability_quarantinegroup_changelist"),
            tone="warn" if groups else "ok",
        ),
    ]


def _lag_words(detail: dict[str, object]) -> str:
    if detail.get("state") == "off":
        return "Set POSTHOG_API_KEY to forward events."
    return f"Oldest waiting event: {detail.get('lag_s', 0):.0f} s"


site.register_overview(cards, permission="observability.view_event")
