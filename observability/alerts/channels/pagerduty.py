"""PagerDuty's Events API v2: an event, one try. `send` needs no database: processes page by it, too.

The rule: an incident is one alert there, by its key; a repeat of an event changes nothing. PagerDuty calls
people again by itself, so what is told again, and reports, are never written for it (`outbox.is_for`). A test
is resolved as soon as it was taken, so that nobody is called to it for ever.
"""

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

from django.conf import settings

from observability.alerts.channels import answers, secrets, wording
from observability.alerts.outbox import Delivered, Impossible, Outcome
from observability.models import Channel, Incident, Notification
from observability.redaction import redact

TIMEOUT_S = 5.0
LONGEST_KEY = 255
LONGEST_SUMMARY = 1_024
# What PagerDuty knows an outage of PostgreSQL by, whoever tells of it.
DATABASE_KEY = "trainu/database_down"
_SEVERITIES = {"SEV1": "critical", "SEV2": "error", "SEV3": "warning"}
_ACTIONS = {
    "trigger": "trigger",
    "overdue": "trigger",
    "test": "trigger",
    "acknowledge": "acknowledge",
    "resolve": "resolve",
}


def deliver(notification: Notification, channel: Channel) -> Outcome:
    """Send a notification under the channel's key."""
    if notification.act not in _ACTIONS:
        return Impossible("not_for_pagerduty")
    try:
        key = secrets.opened(channel)
    except secrets.Unusable as error:
        return Impossible(error.code)
    told = send(key.get_secret_value(), event(notification), timeout_s=TIMEOUT_S)
    if notification.act != "test" or not isinstance(told, Delivered):
        return told
    ended = {"event_action": "resolve", "dedup_key": dedup_key(notification)}
    return send(key.get_secret_value(), ended, timeout_s=TIMEOUT_S)


def event(notification: Notification) -> dict[str, Any]:
    """Return a notification as PagerDuty takes it, without the routing key."""
    incident = notification.incident
    action = _ACTIONS[notification.act]
    wanted: dict[str, Any] = {"event_action": action, "dedup_key": dedup_key(notification)}
    if action != "trigger":
        return wanted
    told = wording.of(notification)
    details: dict[str, Any] = {"delivery": notification.pk}
    if incident is not None:
        details |= {"incident": incident.pk, "rule": incident.rule_id, "group": redact(incident.group)}
        details |= {
            "value": notification.body.get("value", incident.value),
            "threshold": incident.rule.threshold,
            "episode": notification.body.get("episode", incident.episode),
        }
    payload = {
        "summary": told.title[:LONGEST_SUMMARY],
        "source": settings.PUBLIC_URL,
        "severity": _SEVERITIES[incident.severity] if incident else "info",
        "class": incident.rule_id if incident else notification.act,
        "custom_details": details,
    }
    links = [{"href": address, "text": words} for words, address in told.links]
    address = told.links[0][1] if told.links else settings.PUBLIC_URL
    return wanted | {
        "payload": payload,
        "links": links,
        "client": "TrainU observability",
        "client_url": address,
    }


def dedup_key(notification: Notification) -> str:
    """Return what PagerDuty knows the incident by."""
    incident: Incident | None = notification.incident
    if incident is None:
        return f"trainu/{notification.act}/{notification.pk}"
    return DATABASE_KEY if incident.rule_id == "database_down" else incident.dedup_key[:LONGEST_KEY]


def send(routing_key: str, event: dict[str, Any], *, timeout_s: float = TIMEOUT_S) -> Outcome:
    """Send an event, once; return how that has ended."""
    request = urllib.request.Request(
        f"{settings.PAGERDUTY_URL}/v2/enqueue",
        data=json.dumps({"routing_key": routing_key, **event}).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    try:
        with _opener.open(request, timeout=timeout_s) as answer:
            return Delivered() if answer.status == 202 else answers.refused(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return answers.refused(error.code, error.headers.get("Retry-After"))
    except (OSError, HTTPException) as error:
        return answers.broken(error)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Whoever sends us elsewhere is not PagerDuty, and would get the key."""

    def redirect_request(self, *_args: Any, **_options: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)
