"""Errors in the admin: a card by severity on the Overview, and the last day by kind and hour."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from observability import health
from observability.errors import figures
from trainu.admin_rendering import pill
from trainu.admin_site import Card, site
from trainu.faults import Severity

_PERMISSION = "observability.view_errorminute"
_TONES = {Severity.SEV1: "bad", Severity.SEV2: "warn", Severity.SEV3: "info"}
_WORDS = {
    Severity.SEV1: "Data lost or messages sent in a mass: act now",
    Severity.SEV2: "Synchronising fails, or the service is slow",
    Severity.SEV3: "Pages and whatever blocks nobody",
}


def error_cards(_request: HttpRequest) -> list[Card]:
    """Return how many errors there were in the last hour; the tone is that of the worst."""
    counted = figures.last_hour(timezone.now())
    total = sum(counted.values())
    worst = next((severity for severity in Severity if counted[severity]), None)
    detail = ", ".join(f"{counted[severity]:,} {severity}" for severity in Severity if counted[severity])
    return [
        Card(
            "Errors, last hour",
            f"{total:,}",
            detail or "None was reported",
            url=reverse("admin:errors"),
            tone=_TONES[worst] if worst else "ok",  # type: ignore[arg-type]
        )
    ]


def errors(request: HttpRequest) -> HttpResponse:
    """Show the errors of the last 24 hours by kind, with their count in each hour."""
    now = timezone.now()
    kinds = figures.last_day(now)
    context = site.each_context(request) | {
        "title": "Errors",
        "hours": figures.hours(now),
        "kinds": [(pill(kind.severity, _TONES[kind.severity]), kind) for kind in kinds],
        "may_search": request.user.has_perm("observability.view_logline"),
        "is_cut": len(kinds) == figures.MOST_KINDS,
        "words": [(pill(severity, _TONES[severity]), _WORDS[severity]) for severity in Severity],
        "sentry": health.check_sentry().detail,
        "environment": settings.SENTRY_ENVIRONMENT,
    }
    return TemplateResponse(request, "observability/errors.html", context)


site.register_view("errors/", errors, "errors", permission=_PERMISSION)
