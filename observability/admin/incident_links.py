"""Where an incident leads: its measure's page, causes, errors and logs of the time, Sentry, the runbook.

The rule: nothing is offered that the reader may not open, or that is not there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest
from django.urls import NoReverseMatch, Resolver404, resolve, reverse

from observability.alerts import measures
from observability.models import AlertRule, ErrorMinute, Incident
from trainu import navigation
from trainu.admin_rendering import seen

MOST_CODES = 3
# Faults are counted by the minute, and an incident opens some after.
BEFORE = timedelta(minutes=15)
_LOGS_REACH = timedelta(hours=1)
_CAUSES = "what could not be done, and why"
_UNTIL = "%Y-%m-%dT%H:%M"
_PERMISSIONS = {item.url_name: item.permission for section in navigation.SECTIONS for item in section.items}


@dataclass(frozen=True, slots=True)
class Link:
    """words: what is there. about: what it is good for."""

    words: str
    url: str
    about: str = ""
    is_outside: bool = False


def of(request: HttpRequest, incident: Incident, now: datetime) -> list[Link]:
    """Return where to look, what helps most first."""
    offered = (
        *_runbook(incident.rule),
        *_of_measure(request, incident),
        *_page(request, "admin:sync_causegroup_changelist", "Causes of dead letters", _CAUSES),
        *_page(request, "admin:errors", "Errors", "of the last 24 hours, by kind"),
        *_page(request, "admin:logs", "Log lines", "warnings and errors of its time", _logs(incident, now)),
        *_sentry(incident, now),
    )
    # A measure may lead to the same pages; what says more about them comes later.
    found: dict[str, Link] = {}
    for one in offered:
        if one.url:
            found[one.url.partition("?")[0]] = one
    return list(found.values())


def runbook(code: str) -> str:
    """Return the address of a rule's runbook; empty where there is none."""
    try:
        return reverse("admin:runbook", args=[code])
    except NoReverseMatch:
        return ""


def page(request: HttpRequest, url_name: str) -> str:
    """Return the address of a page of the menu; empty where this reader may not open it."""
    if not url_name or not navigation.may(request.user, _PERMISSIONS.get(url_name, "")):
        return ""
    try:
        return reverse(url_name)
    except NoReverseMatch:
        return ""


def _runbook(rule: AlertRule) -> Iterator[Link]:
    yield Link("Runbook", runbook(rule.pk), "what it means, and what to do step by step")


def _of_measure(request: HttpRequest, incident: Incident) -> Iterator[Link]:
    measure: Any = measures.find(incident.rule_id)
    if measure is None:
        return
    offered: Any = getattr(measure, "links", None)
    found = offered(incident.group) if offered else [("What is measured", page(request, measure.url_name))]
    for words, url in found:
        yield Link(seen(words), url if _may_open(request, url) else "")


def _may_open(request: HttpRequest, url: str) -> bool:
    try:
        name = resolve(url.partition("?")[0].partition("#")[0]).view_name
    except Resolver404:
        return False
    permission = _PERMISSIONS.get(name)
    if permission is None and (parts := re.fullmatch(r"admin:([a-z]+)_([a-z]+)_change(list)?", name)):
        permission = f"{parts[1]}.view_{parts[2]}"
    return navigation.may(request.user, permission or "")


def _page(
    request: HttpRequest, url_name: str, words: str, about: str, query: dict[str, str] | None = None
) -> Iterator[Link]:
    url = page(request, url_name)
    yield Link(words, f"{url}?{urlencode(query)}" if url and query else url, about)


def _logs(incident: Incident, now: datetime) -> dict[str, str]:
    until = min((incident.resolved_at or now) + timedelta(minutes=5), now + timedelta(minutes=1))
    spans = (("1h", timedelta(hours=1)), ("24h", timedelta(days=1)), ("7d", timedelta(days=7)))
    wanted = until - incident.opened_at + _LOGS_REACH / 4
    reach = next((name for name, span in spans if span >= wanted), "30d")
    return {"level": "warn-up", "range": reach, "until": until.strftime(_UNTIL)}


def _sentry(incident: Incident, now: datetime) -> Iterator[Link]:
    if not settings.SENTRY_ISSUES_URL:
        return
    codes = _codes(incident, now)
    if codes:
        query = f"code:{codes[0]}" if len(codes) == 1 else f"code:[{', '.join(codes)}]"
        about = f"errors with the code {', '.join(codes)}"
    else:
        query, about = f"severity:{incident.severity}", f"errors of {incident.severity}"
    joint = "&" if "?" in settings.SENTRY_ISSUES_URL else "?"
    yield Link("Sentry", f"{settings.SENTRY_ISSUES_URL}{joint}{urlencode({'query': query})}", about, True)


def _codes(incident: Incident, now: datetime) -> list[str]:
    """Return the codes of the faults that were counted most while it began and lasted."""
    rows = ErrorMinute.objects.filter(
        minute__gte=incident.opened_at - BEFORE, minute__lte=incident.resolved_at or now
    )
    if incident.severity == "SEV1":
        rows = rows.filter(severity="SEV1")
    counted = rows.values("code").annotate(total=Sum("errors")).order_by("-total", "code")
    return [one["code"] for one in counted[:MOST_CODES]]
