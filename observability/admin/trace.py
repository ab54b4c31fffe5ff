"""The search box of every page, and everything with one correlation id on one page."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from observability import finding, trace_axis
from observability import trace as tracing
from sync.stats.found import Record, location_names
from trainu import correlation, navigation
from trainu.admin_rendering import pill, seen
from trainu.admin_site import site
from trainu.moments import Moment
from trainu.templatetags.trace import trace_url

_TONES = {
    "succeeded": "ok",
    "done": "ok",
    "recovered": "ok",
    "dead": "bad",
    "open": "bad",
    "waiting": "info",
    "leased": "info",
    "redriving": "info",
    "writing": "info",
    "review": "info",
    "scheduled": "info",
    "sent": "ok",
    "failed": "bad",
    "undelivered": "bad",
}


def find(request: HttpRequest) -> HttpResponse:
    """Go to the page of what was entered; where it leads to several, list them."""
    if not may_find(request):
        raise PermissionDenied
    asked = finding.read(request.GET.get("id", ""))
    if not asked.text:
        return _answer(request, {"title": "Trace", "entered": ""})
    found = finding.find(asked, may=_may(request))
    whole = asked.text if not asked.kind else ""
    is_nothing = not (found.journeys or found.records or found.too_slow)
    only = found.only or (correlation.accept(whole) if is_nothing else None)
    if url := trace_url(only) if only else "":
        return HttpResponseRedirect(url)
    named = location_names(one.location_id for one in [*found.records, *_newest(found)] if one.location_id)
    context = {
        "title": "Trace",
        "subtitle": "" if is_nothing else f"{'Found' if found.journeys else 'Known'}: {seen(asked.text)}",
        "entered": _entered(asked),
        "is_nothing": is_nothing,
        "found": found,
        "journeys": [_row(one, named) for one in found.journeys],
        "records": [(one, _page(request, one), named.get(one.location_id, "")) for one in found.records],
        "most": finding.MOST,
    }
    return _answer(request, context)


def trace(request: HttpRequest, correlation_id: str) -> HttpResponse:
    """Show all that happened under an id, oldest first, as far as the reader may see it."""
    if not may_find(request):
        raise PermissionDenied
    correlation_id = correlation_id.replace("\x00", "")[:200]
    found = tracing.trace(correlation_id, may=_may(request), now=timezone.now())
    moments = [_seen(moment) for moment in found.moments]
    lanes = list(dict.fromkeys(trace_axis.lane_of(moment) for moment in moments))
    chosen = request.GET.get("kind", "")
    shown = [one for one in moments if trace_axis.lane_of(one) == chosen] if chosen in lanes else moments
    context = {
        "title": "Trace",
        "subtitle": seen(correlation_id),
        "entered": seen(correlation_id),
        "correlation_id": correlation_id,
        "rows": _rows(shown),
        "picture": trace_axis.draw(shown),
        "lanes": lanes if len(lanes) > 1 else [],
        "chosen": chosen if chosen in lanes else "",
        "asked": found.asked,
        "hidden": [source for source in tracing.sources() if source not in found.asked],
        "cut": found.cut,
        "too_slow": found.too_slow,
        "most": tracing.MOST,
    }
    return _answer(request, context, "observability/trace.html")


def may_find(request: HttpRequest) -> bool:
    """Whether there is anything that this reader could find."""
    may = _may(request)
    return any(may(source.permission) for source in tracing.sources())


def _answer(
    request: HttpRequest, context: dict[str, Any], template: str = "observability/found.html"
) -> HttpResponse:
    return TemplateResponse(request, template, site.each_context(request) | context)


def _may(request: HttpRequest) -> Callable[[str], bool]:
    return lambda permission: navigation.may(request.user, permission)


def _entered(asked: finding.Asked) -> str:
    return seen(f"{asked.kind} {asked.text}".strip())


def _newest(found: finding.Finding) -> list[Any]:
    return [journey.newest for journey in found.journeys]


def _row(journey: finding.Journey, named: dict[str, str]) -> tuple[Any, ...]:
    newest = journey.newest
    state = pill(newest.state.replace("_", " "), _TONES.get(newest.state, "warn")) if newest.state else ""
    return (
        newest,
        journey.more,
        state,
        named.get(newest.location_id, newest.location_id),
        trace_url(newest.correlation_id),
    )


def _page(request: HttpRequest, record: Record) -> str:
    app, _, model = record.model.partition("_")
    if not navigation.may(request.user, f"{app}.view_{model}"):
        return ""
    try:
        return reverse(f"admin:{record.model}_change", args=[record.key])
    except NoReverseMatch:
        return ""


def _rows(moments: list[Moment]) -> list[tuple[Moment, str, str]]:
    """Return each moment with how long after the first it came, and how long after the one before."""
    waits = ["", *(trace_axis.waited(later.at - earlier.at) for earlier, later in pairwise(moments))]
    return (
        [
            (moment, trace_axis.after(moment.at - moments[0].at), wait)
            for moment, wait in zip(moments, waits, strict=True)
        ]
        if moments
        else []
    )


def _seen(moment: Moment) -> Moment:
    words = seen(moment.title), seen(moment.detail)
    return Moment(moment.at, moment.kind, *words, moment.url, moment.tone, seen(moment.by))


site.register_finder("admin:trace_search", may_find)
site.register_view("trace/", find, "trace_search")
site.register_view("trace/<str:correlation_id>/", trace, "trace")
