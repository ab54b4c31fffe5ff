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
from django.http import HttpRequest
from django.urls import NoReverseMatch, Resolver404, resolve, reverse

from observability.alerts import measures
from observability.models import Incident
from trainu import navigation
from trainu.admin_rendering import seen
from trainu.faults import DataLossCode, MassSendCode

_WORST = "sev1_fault"
# The page of errors has the last day only.
_ERRORS, _ERRORS_REACH = "admin:errors", timedelta(hours=24)
_LOGS_REACH = timedelta(hours=1)
_TRACES = "warnings and errors; the correlation id of a line opens its trace"
_CAUSES = "what could not be done, and why"
_UNTIL = "%Y-%m-%dT%H:%M"
_PERMISSIONS = {item.url_name: item.permission for section in navigation.SECTIONS for item in section.items}
# Pages that other pages lead to, and no menu.
_PERMISSIONS |= {
    "admin:sync_held_messages": "sync.view_killswitch",
    "admin:sync_ledgercheck_changelist": "sync.view_ledgercheck",
}


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
        *_runbook(incident.rule_id),
        *_of_code(request, incident),
        *_of_measure(request, incident),
        *_page(request, "admin:sync_causegroup_changelist", "Causes of dead letters", _CAUSES),
        *_page(request, _ERRORS, "Errors", "of the last 24 hours, by kind"),
        *_page(request, "admin:logs", "Traces: log lines of its time", _TRACES, _logs(incident, now)),
        *_sentry(incident),
    )
    # A measure may lead to the same pages; what says more about them comes later.
    found: dict[str, Link] = {}
    is_past = incident.resolved_at is not None and now - incident.resolved_at > _ERRORS_REACH
    for one in offered:
        if one.url and not (is_past and one.url.startswith(reverse(_ERRORS))):
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


def _runbook(code: str) -> Iterator[Link]:
    yield Link("Runbook", runbook(code), "what it means, and what to do step by step")


def _of_code(request: HttpRequest, incident: Incident) -> Iterator[Link]:
    """Yield where a fault of the worst sort is dealt with, by its code."""
    if incident.rule_id != _WORST:
        return
    if incident.group in set(MassSendCode):
        yield Link("Runbook: mass send", runbook("mass_send"), "what to do of messages that should not go")
        yield from _page(request, "admin:sync_kill_switch", "Kill switch", "stops all messages, at once")
        yield from _page(request, "admin:sync_held_messages", "Held messages", "to be released or discarded")
    elif incident.group == DataLossCode.AUDIT_TAMPERED:
        yield Link(
            "Runbook: the audit log", runbook("audit_broken"), "what to do of entries that do not hold"
        )
        yield from _page(request, "admin:audit", "Audit", "which entries do not hold")
    elif incident.group in set(DataLossCode):
        yield Link("Runbook: data loss", runbook("data_loss"), "what to do of data that is gone")
        yield from _page(request, "admin:sync_ledgercheck_changelist", "Ledger", "whether letters add up")
        yield from _page(request, "admin:audit", "Audit", "who discarded or changed what")


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


def _sentry(incident: Incident) -> Iterator[Link]:
    if not settings.SENTRY_ISSUES_URL:
        return
    if incident.rule_id == _WORST and incident.group in {*MassSendCode, *DataLossCode}:
        query, about = f"code:{incident.group}", f"errors with the code {incident.group}"
    else:
        query, about = f"severity:{incident.severity}", f"errors of {incident.severity}"
    joint = "&" if "?" in settings.SENTRY_ISSUES_URL else "?"
    yield Link("Sentry", f"{settings.SENTRY_ISSUES_URL}{joint}{urlencode({'query': query})}", about, True)
