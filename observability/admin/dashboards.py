"""Pages of dashboards, their live part, and their numbers as files. What is counted, others count.

The rule: whatever is registered is shown in the same way, to who holds its permission; the live part asks
nobody to sign in.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from observability.dashboards import ahead, days, files, freshness, registry
from observability.dashboards.panels import Dashboard
from observability.dashboards.question import PRESETS, BadQuestion, Question, parse, zones
from observability.dashboards.registry import Entry
from trainu import navigation
from trainu.admin_site import site
from trainu.bounded_query import TooBroad, given_up_is_too_broad

# However many people look at it, a live dashboard is counted this often.
LIVE_AGE_S = 5
# Those of the sidebar, each with an address of its own; any other that is registered is found by its name.
IN_SIDEBAR = ("activation", "engagement", "show_rate", "sync_health")
_STOP_POLLING = 286
_DAY = re.compile(r"\d{4}-(0[1-9]|1[0-2])-([0-2]\d|3[01])")
_LABELS = {
    "trainer": "Trainer (id)",
    "segment": "Segment",
    "location": "Location (id)",
    "operation": "Operation",
}
_PRESET_WORDS = {"7d": "7 days", "28d": "28 days", "90d": "90 days", "365d": "A year"}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the question. value: as it was written. choices: what is offered. is_day: whether a browser
    can show a calendar for what is written. wrong: what to write instead."""

    name: str
    label: str
    value: str
    choices: list[str]
    is_day: bool = False
    wrong: str = ""


@require_GET
def page(request: HttpRequest, name: str) -> HttpResponse:
    """Show a dashboard for the days and filters of the address."""
    entry = _entry(request, name)
    now = timezone.now()
    context: dict[str, Any] = {"title": entry.title, "entry": entry}
    status = 200
    try:
        question = _question(request, entry, now)
        context |= _asked(entry, question, now) | _shown(entry, question, now)
    except BadQuestion as error:
        status = 400
        context |= {
            "fields": _fields(entry, request.GET.dict(), error),
            "presets": _presets(entry, None, now),
            "wrong_range": str(error) if error.field == "range" else "",
        }
    if "dashboard" in context:
        context["dashboard"] = _live_of(context["dashboard"])
    context = site.each_context(request) | context
    return TemplateResponse(request, "observability/dashboards/dashboard.html", context, status=status)


@never_cache
@require_GET
def live(request: HttpRequest, name: str) -> HttpResponse:
    """The part of a live dashboard that asks for itself again."""
    if not site.has_permission(request):
        # A login page has no place inside a page; this stops the asking and loads the page anew.
        return HttpResponse(status=_STOP_POLLING, headers={"HX-Refresh": "true"})
    entry = _entry(request, name)
    if not entry.is_live:
        raise Http404("Nothing is live there.")
    now = timezone.now()
    try:
        question = _question(request, entry, now)
        context = _refreshed(entry, question, now) | {"entry": entry}
    except BadQuestion:
        return HttpResponse("The address cannot be answered.", status=400)
    if context.get("is_too_broad"):
        return HttpResponse("It takes too long now.", status=503)
    return TemplateResponse(request, "observability/dashboards/live.html", context)


@require_GET
def csv_of_figures(request: HttpRequest, name: str) -> HttpResponse:
    """Answer with all figures of a dashboard as a file."""
    return _file(request, name, "figures")


@require_GET
def csv_of_chart(request: HttpRequest, name: str, key: str) -> HttpResponse:
    """Answer with a chart's table as a file."""
    return _file(request, name, key)


def _file(request: HttpRequest, name: str, what: str) -> HttpResponse:
    entry = _entry(request, name)
    now = timezone.now()
    try:
        question = _question(request, entry, now)
        dashboard = _built(entry, question, now)
        content = files.figures(dashboard) if what == "figures" else files.chart(dashboard.chart(what))
    except BadQuestion as error:
        return HttpResponse(f"{error.field}: {error}", status=400, content_type="text/plain; charset=utf-8")
    except TooBroad:
        return HttpResponse(
            "It takes too long. Ask for fewer days.", status=503, content_type="text/plain; charset=utf-8"
        )
    except KeyError:
        raise Http404("There is no such chart.") from None
    answer = HttpResponse(content, content_type="text/csv; charset=utf-8")
    filename = f"{entry.name}-{what}-{question.first}-to-{question.last}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{filename}"'
    answer["Cache-Control"] = "no-store"
    return answer


def _entry(request: HttpRequest, name: str) -> Entry:
    """Return what is asked for; raises Http404, or PermissionDenied where the reader may not see it."""
    entry = registry.find(name)
    if entry is None:
        raise Http404("There is no such dashboard.")
    if not navigation.may(request.user, entry.permission):
        raise PermissionDenied
    return entry


def _question(request: HttpRequest, entry: Entry, now: datetime) -> Question:
    return parse(request.GET.dict(), now=now, default_days=entry.default_days)


def _built(entry: Entry, question: Question, now: datetime, *, is_polled: bool = False) -> Dashboard:
    """Return the dashboard; of what is polled, one a few seconds old. Raises TooBroad."""
    ahead.note_asked(question.zone, now=now)
    with given_up_is_too_broad(), days.one_view():
        if not entry.is_live:
            return entry.build(question, now=now)
        asked = hashlib.sha256(question.address().encode()).hexdigest()
        is_part = is_polled and entry.live is not None
        key = f"dashboard:{entry.name}:{is_part}:{asked}"
        built: Dashboard | None = cache.get(key)
        if built is None:
            if is_part and entry.live:
                sections = entry.live(question, now=now)
                built = Dashboard(entry.name, entry.title, freshness.counted_at(), sections)
            else:
                built = entry.build(question, now=now)
            cache.set(key, built, LIVE_AGE_S)
        return built


def _shown(entry: Entry, question: Question, now: datetime, *, is_polled: bool = False) -> dict[str, Any]:
    """Return what the numbers' part of the page takes; and, told apart, what of it stays as it is."""
    query = question.address()
    context: dict[str, Any] = {
        "files": reverse("admin:dashboard_csv", args=[entry.name]),
        "poll": f"{reverse('admin:dashboard_live', args=[entry.name])}?{query}" if entry.is_live else "",
        "query": query,
        "now": now,
    }
    try:
        dashboard = _built(entry, question, now, is_polled=is_polled)
        still = [section for section in dashboard.sections if not section.is_live]
        is_split = len(still) < len(dashboard.sections)
        return context | {"dashboard": dashboard, "still": still if is_split else []}
    except TooBroad:
        return context | {"is_too_broad": True}


def _refreshed(entry: Entry, question: Question, now: datetime) -> dict[str, Any]:
    """Return what the polled part takes: the live sections, or all of them where none is told apart."""
    context = _shown(entry, question, now, is_polled=True)
    return context if context.get("is_too_broad") else context | {"dashboard": _live_of(context["dashboard"])}


def _live_of(dashboard: Dashboard) -> Dashboard:
    """Return a dashboard with its live sections alone; as it is where none is marked so."""
    live = [section for section in dashboard.sections if section.is_live]
    return replace(dashboard, sections=live) if live else dashboard


def _asked(entry: Entry, question: Question, now: datetime) -> dict[str, Any]:
    """Return what the page says of its question."""
    written: dict[str, str] = {
        "from": question.first.isoformat(),
        "to": question.last.isoformat(),
        "zone": question.zone,
    } | {name: getattr(question, name) for name in entry.filters}
    return {
        "question": question,
        "days": len(question.days),
        "before": question.before(),
        "fields": _fields(entry, written, None),
        "presets": _presets(entry, question, now),
        "not_recorded": freshness.not_recorded_before(question),
        "is_narrowed": any(getattr(question, name) for name in entry.filters),
        "plain": question.address(**dict.fromkeys(entry.filters, "")),
    }


def _fields(entry: Entry, written: dict[str, str], error: BadQuestion | None) -> list[Field]:
    """Return the form's fields as they were written, with what is wrong at the one it is wrong at."""

    def field(name: str, label: str, choices: list[str]) -> Field:
        wrong = str(error) if error and error.field == name else ""
        value = written.get(name, "")
        return Field(name, label, value, choices, name in ("from", "to") and _is_day(value), wrong)

    return [
        field("from", "From", []),
        field("to", "To", []),
        *(field(name, _LABELS[name], entry.choices(name) if entry.choices else []) for name in entry.filters),
        field("zone", "Time zone", sorted(zones())),
    ]


def _is_day(written: str) -> bool:
    """Whether a field of a day can be given it: nothing, or a day as browsers write it."""
    return not written or _DAY.fullmatch(written) is not None


def _presets(entry: Entry, question: Question | None, now: datetime) -> list[tuple[str, str, bool]]:
    """Return the periods that one click asks for: words, address, and whether it is this one."""
    if question is None:
        return [(words, f"?range={name}", False) for name, words in _PRESET_WORDS.items()]
    is_up_to_now = question.last == now.astimezone(ZoneInfo(question.zone)).date()
    return [
        (
            words,
            f"?{question.address(**{'from': '', 'to': '', 'range': name})}",
            is_up_to_now and question.last - question.first == timedelta(days=PRESETS[name] - 1),
        )
        for name, words in _PRESET_WORDS.items()
    ]


for _name in IN_SIDEBAR:
    site.register_view(f"dashboards/{_name}/", partial(page, name=_name), f"dashboard_{_name}")
site.register_view("dashboards/<slug:name>/", page, "dashboard")
site.register_view("dashboards/<slug:name>/csv/", csv_of_figures, "dashboard_csv")
site.register_view("dashboards/<slug:name>/csv/<slug:key>/", csv_of_chart, "dashboard_chart_csv")
site.register_part("dashboards/<slug:name>/live/", live, "dashboard_live")
