"""Alert rules in the admin: the list, with how each stands now, and the page on which terms are changed.

The rule: the list takes a bounded number of statements, however many groups a rule is looked at for. Terms
can be tried on what has been before they are saved; trying writes nothing.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, Exists, Max, Min, OuterRef
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import SafeString

from observability.admin import alert_rule_page, incident_links
from observability.admin.alert_rule_form import TermsForm
from observability.admin.incident_page import SEVERITIES
from observability.alerts import demands, rules
from observability.models import AlertRule, Incident, RuleState
from trainu.admin_records import ReadOnly, for_reading
from trainu.admin_rendering import pill, seen
from trainu.admin_site import site
from trainu.people import acting

MOST_INCIDENTS = 200
MOST_NAMED = 3
PHASES = {"ok": ("Well", "ok"), "pending": ("Beyond it", "warn"), "firing": ("Firing", "bad")}


@dataclass
class Row:
    """A rule as the list writes it. groups: names of those that fire or are about to."""

    rule: AlertRule
    severity: SafeString
    what: str
    demanded: str
    state: SafeString | str = ""
    groups: str = ""
    value: str = ""
    evaluated_at: datetime | None = None
    incidents: list[Incident] = field(default_factory=list)


@admin.register(AlertRule)
class AlertRuleAdmin(ReadOnly):
    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @for_reading
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show every rule."""
        context = site.each_context(request) | {
            "title": "Alert rules",
            "opts": self.opts,
            "rows": _rows(),
            "may_see_incidents": request.user.has_perm("observability.view_incident"),
        }
        return TemplateResponse(request, "observability/alerts/rules.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show a rule; with POST save its terms, or with the button "try" only try them."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rule = get_object_or_404(AlertRule, pk=object_id)
        may_change = request.user.has_perm("observability.change_alertrule")
        form = TermsForm(rule, request.POST if request.method == "POST" else None)
        tried: AlertRule | None = rule if "try" in request.GET else None
        if request.method == "POST":
            if not may_change:
                raise PermissionDenied
            if form.is_valid() and "try" in request.POST:
                tried = form.proposed()
            elif form.is_valid() and self._save(request, rule, form):
                return HttpResponseRedirect(request.path)
        context = site.each_context(request) | alert_rule_page.context(
            request, rule, timezone.now(), tried=tried
        )
        names = {"title": "Alert rule", "subtitle": seen(rule.title), "opts": self.opts}
        names |= {
            "form": form,
            "may_change": may_change,
            "runbook": incident_links.runbook(rule.pk),
            "is_changed": bool(tried and tried is not rule and form.changes()),
        }
        return TemplateResponse(request, "observability/alerts/rule.html", context | names)

    def _save(self, request: HttpRequest, rule: AlertRule, form: TermsForm) -> bool:
        changes = form.changes()
        if not changes:
            messages.info(request, "Nothing was changed.")
            return True
        try:
            with transaction.atomic():
                rules.change(rule, changes, by=acting(request), now=timezone.now())
                self.note(request, rule, f"Changed {', '.join(sorted(changes))}.")
        except ValueError as error:
            form.add_error(None, str(error))
            return False
        messages.success(request, "Saved. It holds from the next evaluation on, within a minute.")
        return True


def _rows() -> list[Row]:
    rows = {
        rule.pk: Row(
            rule,
            pill(rule.severity, SEVERITIES[rule.severity]),
            demands.what(rule),
            demands.demanded(rule),
        )
        for rule in AlertRule.objects.all()
    }
    counted: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    unresolved = Incident.objects.exclude(state=Incident.State.RESOLVED)
    about = unresolved.filter(rule=OuterRef("rule"), group=OuterRef("group"))
    for one in RuleState.objects.values("rule", "phase").annotate(
        number=Count("group"),
        by_hand=Count("group", filter=~Exists(about)),
        first=Min("group"),
        last=Max("group"),
        worst=Max("value"),
        at=Max("evaluated_at"),
    ):
        counted[one["rule"]][one["phase"]] = {**one}
    for code, phases in counted.items():
        if code in rows:
            _state(rows[code], phases)
    for incident in unresolved.order_by("opened_at", "id")[:MOST_INCIDENTS]:
        rows[incident.rule_id].incidents.append(incident)
    return sorted(rows.values(), key=lambda row: (not row.rule.is_enabled, row.rule.severity, row.rule.title))


def _state(row: Row, phases: dict[str, dict[str, Any]]) -> None:
    worst = next(phase for phase in ("firing", "pending", "ok") if phase in phases)
    number, total = phases[worst]["number"], sum(one["number"] for one in phases.values())
    words, tone = PHASES[worst]
    if total > 1 and worst != "ok":
        words += f": {number} of {total}"
    if worst == "firing" and (by_hand := phases[worst]["by_hand"]):
        # What fires has an incident that is open, unless somebody has resolved it.
        words += f", {by_hand if by_hand < number else ''} resolved by hand".replace("  ", " ")
    row.state = pill(words, tone)
    if worst != "ok":
        names = [name for name in dict.fromkeys((phases[worst]["first"], phases[worst]["last"])) if name]
        more = number - len(names)
        row.groups = seen(", ".join(names)) + (f" and {more} more" if names and more > 0 else "")
    values = [one["worst"] for one in phases.values() if one["worst"] is not None]
    row.value = demands.in_words(max(values), row.rule) if values else ""
    row.evaluated_at = max(one["at"] for one in phases.values())
