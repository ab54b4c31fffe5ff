"""Everything with one correlation id on one page, and the field in which an id is entered."""

from collections.abc import Callable
from datetime import timedelta

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone

from observability import trace as tracing
from trainu import navigation
from trainu.admin_rendering import seen
from trainu.admin_site import site
from trainu.moments import Moment
from trainu.templatetags.trace import trace_url


def find(request: HttpRequest) -> HttpResponse:
    """Ask for an id, or go to the page of the one that was asked for."""
    _require_a_source(request)
    asked = request.GET.get("id", "").replace("\x00", "").strip()[:200]
    if url := asked and trace_url(asked):
        return HttpResponseRedirect(url)
    context = site.each_context(request) | {
        "title": "Trace",
        "correlation_id": asked,
        "is_no_id": bool(asked),
    }
    return TemplateResponse(request, "observability/trace.html", context)


def trace(request: HttpRequest, correlation_id: str) -> HttpResponse:
    """Show all that happened under an id, oldest first, as far as the reader may see it."""
    _require_a_source(request)
    correlation_id = correlation_id.replace("\x00", "")[:200]
    found = tracing.trace(correlation_id, may=_may(request), now=timezone.now())
    first = found.moments[0].at if found.moments else timezone.now()
    context = site.each_context(request) | {
        "title": "Trace",
        "subtitle": seen(correlation_id),
        "correlation_id": correlation_id,
        "rows": [(_seen(moment), _after(moment.at - first)) for moment in found.moments],
        "asked": found.asked,
        "hidden": [source for source in tracing.sources() if source not in found.asked],
        "cut": found.cut,
        "too_slow": found.too_slow,
        "most": tracing.MOST,
    }
    return TemplateResponse(request, "observability/trace.html", context)


def _require_a_source(request: HttpRequest) -> None:
    may = _may(request)
    if not any(may(source.permission) for source in tracing.sources()):
        raise PermissionDenied


def _may(request: HttpRequest) -> Callable[[str], bool]:
    return lambda permission: navigation.may(request.user, permission)


def _seen(moment: Moment) -> Moment:
    return Moment(moment.at, moment.kind, seen(moment.title), seen(moment.detail), moment.url, moment.tone)


def _after(distance: timedelta) -> str:
    """Return how long after the first moment this one came."""
    seconds = distance.total_seconds()
    if seconds < 60:
        return f"+{seconds:.3f} s"
    if seconds < 3_600:
        return f"+{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return f"+{seconds / 3_600:.1f} h"


site.register_view("trace/", find, "trace_search")
site.register_view("trace/<str:correlation_id>/", trace, "trace")
