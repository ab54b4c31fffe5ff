"""GET /api/health, /live and /ready: for load balancers, uptime monitors and staff.

Everybody may ask how it is, in one word; what there is inside is for keys with the scope health:read.
"""

from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router

from observability import api_keys, health
from observability.health import Report, Status
from observability.models import ApiKey
from trainu.scopes import bearer

router = Router(tags=["health"])


@router.get("/live", summary="Is the process alive?", operation_id="health_live")
def live(request: HttpRequest) -> HttpResponse:
    """200 while this process answers at all. Asks nothing of the database."""
    return render(Status.PASS, {"status": Status.PASS})


@router.get("/ready", summary="Can it serve?", operation_id="health_ready")
def ready(request: HttpRequest) -> HttpResponse:
    """200 when database, migrations and partitions let it serve, else 503."""
    return answer(request, health.monitor.report(health.READY))


@router.get("", summary="How is everything?", operation_id="health")
def everything(request: HttpRequest) -> HttpResponse:
    """health+json: pass or warn is 200, fail is 503. Details need a key with the scope health:read."""
    return answer(request, health.monitor.report(health.ALL))


def answer(request: HttpRequest, report: Report) -> HttpResponse:
    """Render a report as health+json (draft-inadarei-api-health-check-06), as open as the caller may see."""
    body: dict[str, Any] = {"status": report.status}
    # Only who claims to have a key is asked for it: with the database away nobody could be recognised.
    if key := bearer(request):
        api_keys.require(key, ApiKey.Scope.HEALTH_READ)
        checks = {
            name: [{"status": finding.status, **finding.detail}] for name, finding in report.findings.items()
        }
        body |= {"serviceId": settings.SERVICE, "time": timezone.now().isoformat(), "checks": checks}
    return render(report.status, body)


def render(status: Status, body: dict[str, Any]) -> HttpResponse:
    """Return a health+json answer that nobody caches."""
    answer = HttpResponse(
        orjson.dumps(body),
        status=503 if status is Status.FAIL else 200,
        content_type="application/health+json",
    )
    answer["Cache-Control"] = "no-store"
    return answer
