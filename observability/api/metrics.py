"""GET /api/metrics: the operational figures for Prometheus."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router

from observability.metrics import scrape
from observability.models import ApiKey
from trainu.scopes import Scope

router = Router(tags=["health"])


@router.get(
    "", auth=Scope(ApiKey.Scope.METRICS_READ), summary="Figures for Prometheus", operation_id="metrics"
)
def figures(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format, or OpenMetrics where Accept asks for it. Held for five seconds.

    trainu_metrics_failed says which part could not be read.
    """
    families = scrape.scrape.families(now=timezone.now())
    body, content_type = scrape.write(families, request.headers.get("Accept", ""))
    answer = HttpResponse(body, content_type=content_type)
    answer["Cache-Control"] = "no-store"
    # What it looks like depends on what was asked for.
    answer["Vary"] = "Accept"
    return answer
