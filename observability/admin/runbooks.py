"""Runbooks in the admin: the list with a search, and a page with what is true now beside its words.

The rule: a code that nobody knows is answered with the list, not with a dead end.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from observability import runbooks
from observability.alerts import measures, rules
from observability.alerts.measures import Measure
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
_CHANNELS = {"slack": "Slack", "pagerduty": "PagerDuty", "email": "email"}


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
            "rule_url": _url("observability_alertrule_change", runbook.code),
            "severity": pill(rule.severity, _SEVERITY_TONES[rule.severity]) if rule else "",
            "terms": terms(rule) if rule and may else [],
            "is_alert": True,
            "incidents": _incidents(runbook.code),
        }
    if runbook.serves and navigation.may(request.user, "sync.view_causegroup"):
        causes = dead_letters.causes(runbook.serves, MOST_CAUSES)
        return {
            "is_cause": True,
            "causes": [(one, _url("sync_causegroup_change", one.key)) for one in causes],
        }
    return {}


def _incidents(code: str) -> list[tuple[Incident, SafeString, str]]:
    """Return a rule's incidents that are not resolved, newest first, with their state and address."""
    unresolved = Incident.objects.filter(rule=code).exclude(state=Incident.State.RESOLVED)
    return [
        (
            one,
            pill(one.get_state_display(), _STATE_TONES[one.state]),
            _url("observability_incident_change", one.pk),
        )
        for one in unresolved[:MOST_INCIDENTS]
    ]


def terms(rule: AlertRule) -> list[tuple[str, str]]:
    """Return what a rule demands as it stands now, in names and words."""
    measure = measures.find(rule.code)
    unit = measure.unit if measure else "number"
    cases = [f"of {rule.min_sample:,} cases or more"] if rule.min_sample else []
    cases += [f"{rule.min_bad:,} of them bad or more"] if rule.min_bad else []
    fires = [f"above {_amount(rule.threshold, unit)}", *cases]
    if rule.for_minutes:
        fires.append(f"for {_minutes(rule.for_minutes)}")
    told = " and ".join(_CHANNELS.get(one, one) for one in rule.channels) or "nobody"
    again = f", again every {_minutes(rule.repeat_minutes)} until somebody acknowledges it"
    return [
        *([("Measured", _measured(rule, measure))] if measure else []),
        ("Fires", ", ".join(fires)),
        (
            "Well again",
            f"at {_amount(rule.recovery, unit)} or below, for {_minutes(rule.recovery_minutes)}"
            if rule.recovery_minutes
            else f"at {_amount(rule.recovery, unit)} or below",
        ),
        ("Told", f"{told}{again if rule.repeat_minutes else ''}"),
    ]


def _measured(rule: AlertRule, measure: Measure) -> str:
    # A level is what was said last, whatever the window.
    within = "" if measure.kind == "level" else f", within {_minutes(rule.window_minutes)}"
    return f"{measure.words}{within}"


def _amount(value: float, unit: str) -> str:
    if unit == "share":
        return f"{value * 100:g} %"
    return _minutes(value / 60) if unit == "seconds" and value else f"{value:,g}"


def _minutes(number: float) -> str:
    for name, size in (("week", 10_080), ("day", 1_440), ("hour", 60)):
        if number >= size and number % size == 0:
            count = number / size
            return f"{count:,g} {name}{'' if count == 1 else 's'}"
    return f"{number:,g} minute{'' if number == 1 else 's'}"


def _url(name: str, key: object) -> str:
    try:
        return reverse(f"admin:{name}", args=[key])
    except NoReverseMatch:
        return ""


site.register_view("runbooks/", listing, "runbooks", permission=VIEW)
site.register_view("runbooks/<str:code>/", page, "runbook", permission=VIEW)
