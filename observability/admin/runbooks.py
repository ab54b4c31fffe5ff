"""Runbooks in the admin: the list with a search, and a page with what is true now beside its words.

The rule: a code that nobody knows is answered with the list, not with a dead end.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from observability import runbooks
from observability.alerts import demands, rules
from observability.models import AlertRule, Incident
from observability.models.alert import Severity
from observability.runbooks import Kind, Runbook
from sync.stats import dead_letters
from trainu import navigation
from trainu.admin_rendering import pill, seen
from trainu.admin_site import site

VIEW = "observability.view_incident"
FIRST = "start_here"
MOST_INCIDENTS = 10
MOST_CAUSES = 10
_LONGEST_SEARCH = 100
_SEVERITY_TONES = {"SEV1": "bad", "SEV2": "warn", "SEV3": "info"}
_STATE_TONES = {"open": "bad", "acknowledged": "info"}


@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    """Show all runbooks by what they are for, or those that hold the words looked for."""
    words = request.GET.get("words", "")[:_LONGEST_SEARCH].strip()
    return _list(request, words=words)


@require_safe
def page(request: HttpRequest, code: str) -> HttpResponse:
    """Show the runbook that a code leads to."""
    found = runbooks.find(code)
    if found is None:
        return _list(request, unknown=seen(code[:_LONGEST_SEARCH]), status=404)
    rendered = runbooks.render(found)
    context = site.each_context(request) | {
        "title": "Runbook",
        "subtitle": found.title,
        "runbook": found,
        "asked": code if code != found.code else "",
        "html": rendered.html,
        "contents": rendered.contents,
        "related": [one for one in map(runbooks.find, found.related) if one],
        **_now(request, found),
    }
    return TemplateResponse(request, "observability/runbook.html", context)


def _list(request: HttpRequest, *, words: str = "", unknown: str = "", status: int = 200) -> HttpResponse:
    context = site.each_context(request) | {
        "title": "Runbooks",
        "words": words,
        "unknown": unknown,
        "found": runbooks.search(words) if words else [],
        "first": runbooks.find(FIRST),
        "groups": [] if words else _groups(),
    }
    return TemplateResponse(request, "observability/runbooks.html", context, status=status)


def _groups() -> list[tuple[SafeString | str, str, list[Runbook]]]:
    """Return the pages by what they are for: a label, words, and the pages. Alerts by their severity now."""
    severities = dict(AlertRule.objects.values_list("code", "severity"))
    seeded = {seed.code: seed.severity for seed in rules.SEEDS}
    alerts = [one for one in runbooks.everything() if one.kind is Kind.ALERT]
    by_severity = [
        (
            pill(severity.value, _SEVERITY_TONES[severity]),
            f"Alerts, {severity.label.partition(': ')[2]}",
            [one for one in alerts if (severities.get(one.code) or seeded[one.code]) == severity],
        )
        for severity in Severity
    ]
    others = [
        ("", heading, [one for one in runbooks.everything() if one.kind is kind and one.code != FIRST])
        for kind, heading in ((Kind.CAUSE, "Causes of dead letters"), (Kind.TOPIC, "Topics"))
    ]
    return [group for group in [*by_severity, *others] if group[2]]


def _now(request: HttpRequest, runbook: Runbook) -> dict[str, Any]:
    """Return what is true at this moment of what a page is about, as far as the reader may see it."""
    if runbook.kind is Kind.ALERT:
        rule = AlertRule.objects.filter(code=runbook.code).first()
        may = navigation.may(request.user, "observability.view_alertrule")
        return {
            "rule": rule if may else None,
            "rule_url": reverse("admin:observability_alertrule_change", args=[runbook.code]),
            "severity": pill(rule.severity, _SEVERITY_TONES[rule.severity]) if rule else "",
            "terms": terms(rule) if rule and may else [],
            "is_alert": True,
            "incidents": _incidents(runbook.code),
        }
    if runbook.serves and navigation.may(request.user, "sync.view_causegroup"):
        causes = dead_letters.causes(runbook.serves, MOST_CAUSES)
        return {
            "is_cause": True,
            "causes": [(one, reverse("admin:sync_causegroup_change", args=[one.key])) for one in causes],
        }
    return {}


def _incidents(code: str) -> list[tuple[Incident, SafeString, str]]:
    """Return a rule's incidents that are not resolved, newest first, with their state and address."""
    unresolved = Incident.objects.filter(rule=code).exclude(state=Incident.State.RESOLVED)
    return [
        (
            one,
            pill(one.get_state_display(), _STATE_TONES[one.state]),
            reverse("admin:observability_incident_change", args=[one.pk]),
        )
        for one in unresolved[:MOST_INCIDENTS]
    ]


def terms(rule: AlertRule) -> list[tuple[str, str]]:
    """Return what a rule demands as it stands now, in names and words."""
    return [
        ("Measured", demands.what(rule)),
        ("Fires", demands.demanded(rule)),
        ("Well again", demands.recovery(rule)),
        ("Told", demands.told(rule)),
    ]


site.register_view("runbooks/", listing, "runbooks", permission=VIEW)
site.register_view("runbooks/<str:code>/", page, "runbook", permission=VIEW)
