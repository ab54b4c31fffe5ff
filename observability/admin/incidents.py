"""Incidents in the admin: the list, the worst first, and the page of one with its verbs.

The rule: what is not resolved is shown unless something else is asked for; a list takes a bounded number of
statements.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import SafeString

from observability.admin import incident_page
from observability.admin.incident_verbs import IncidentVerbs
from observability.alerts import cursors, demands, incident_search
from observability.alerts.incident_search import Page, Wanted
from observability.models import Incident
from trainu import people
from trainu.admin_records import for_reading
from trainu.admin_rendering import pill, seen
from trainu.admin_site import site

ROWS = 50
_TABS = (("unresolved", "Open"), ("resolved", "Resolved"), ("all", "All"))
_STATES = {*(name for name, _ in _TABS), "open", "acknowledged"}
_SEVERITIES = ("SEV1", "SEV2", "SEV3")


@dataclass(frozen=True, slots=True)
class Row:
    """An incident as the list writes it. lasts: how long it does, or did."""

    incident: Incident
    title: str
    what: str
    group: str
    severity: SafeString
    state: SafeString
    owner: str
    lasts: str


@admin.register(Incident)
class IncidentAdmin(IncidentVerbs):
    @for_reading
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the incidents that match the filters."""
        state = request.GET.get("state", "")
        state = state if state in _STATES else "unresolved"
        severity = request.GET.get("severity", "")
        severity = severity if severity in _SEVERITIES else ""
        older = request.GET.get("older", "")
        page = _page(state, severity, older)
        shown = (
            page.incidents if state in {"resolved", "all"} else incident_search.worst_first(page.incidents)
        )
        following = cursors.written(page.older)
        context = site.each_context(request) | {
            "title": "Incidents",
            "opts": self.opts,
            "rows": _rows(shown, timezone.now()),
            "tabs": [(label, _query(name, severity), name == _tab(state)) for name, label in _TABS],
            "severities": [
                ("Any", _query(state, ""), not severity),
                *((one, _query(state, one), severity == one) for one in _SEVERITIES),
            ],
            "state": state,
            "is_narrowed": bool(severity) or state in {"open", "acknowledged"},
            "is_first": not older,
            "older": _query(state, severity, older=following) if following else "",
        }
        return TemplateResponse(request, "observability/alerts/incidents.html", context)

    @for_reading
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show an incident with what may be done. Each form goes to its own address."""
        is_number = object_id.isascii() and object_id.isdigit() and len(object_id) < 19
        found = Incident.objects.select_related("rule").filter(pk=object_id if is_number else 0).first()
        if found is None:
            raise Http404("There is no such incident.")
        context = site.each_context(request) | incident_page.context(request, found, timezone.now())
        names = {"title": "Incident", "subtitle": seen(found.title), "opts": self.opts}
        return TemplateResponse(request, "observability/alerts/incident.html", context | names)


def _page(state: str, severity: str, older: str) -> Page:
    try:
        position = cursors.read(older)
    except cursors.Unreadable:
        position = None
    return incident_search.page(state=cast(Wanted, state), severity=severity, older_than=position, most=ROWS)


def _rows(incidents: Any, now: datetime) -> list[Row]:
    names = people.names({one.owner for one in incidents if one.owner})
    return [
        Row(
            one,
            seen(one.title.removesuffix(f": {one.group}") if one.group else one.title),
            demands.what(one.rule),
            seen(one.group),
            pill(one.severity, incident_page.SEVERITIES[one.severity]),
            pill(one.get_state_display(), incident_page.STATES[one.state]),
            names.get(one.owner, ""),
            demands.lasting((one.resolved_at or now) - one.opened_at),
        )
        for one in incidents
    ]


def _tab(state: str) -> str:
    return state if state in {"resolved", "all"} else "unresolved"


def _query(state: str, severity: str, **more: str) -> str:
    asked = {"state": "" if state == "unresolved" else state, "severity": severity, **more}
    return f"?{urlencode({name: word for name, word in asked.items() if word})}"
