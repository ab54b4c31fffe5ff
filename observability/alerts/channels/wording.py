"""What is told of an incident: pure, from the rows to the words. Each channel dresses them in its own way.

The rule: ids, numbers and words of ours, and nothing that a person has written; what came from elsewhere is
redacted all the same. It says how the incident stands now, for a message may be late.
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from observability.alerts import measures
from observability.models import AlertRule, Incident, Notification
from observability.redaction import redact

NAMES = {"slack": "Slack", "pagerduty": "PagerDuty", "email": "Email"}
# What a title begins with, by the act.
_BEGINNINGS = {
    "trigger": "",
    "acknowledge": "Acknowledged: ",
    "resolve": "Resolved: ",
    "repeat": "Still open: ",
    "overdue": "Nobody has acknowledged: ",
    "report_24h": "First report is due: ",
    "report_72h": "Full report is due: ",
}
_WHAT_TO_DO = {
    "trigger": "Acknowledge it on its page, so that others know that you see to it.",
    "repeat": "Nobody has acknowledged it yet. Do so on its page, and see to it.",
    "overdue": "A SEV1 is to be acknowledged within 4 hours. Call whoever is on duty.",
    "report_24h": "A SEV1 is reported within 24 hours. Note on its page what happened and who is affected.",
    "report_72h": "A SEV1 is reported in full within 72 hours: cause, extent, what keeps it away.",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What is told. links: (words, address). delivery: by which a repeat is recognised."""

    title: str
    lines: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    delivery: str

    @property
    def text(self) -> str:
        """All of it as plain text."""
        links = (f"{words}: {address}" for words, address in self.links)
        return "\n".join((self.title, *self.lines, *links, self.delivery))


def of(notification: Notification) -> Told:
    """Return what a notification tells; it has its incident and rule at hand, and asks for nothing."""
    delivery = f"Delivery {notification.pk}"
    instead = _instead(notification)
    incident = notification.incident
    if incident is None:
        title, about = _without_incident(notification)
        channels = _link("Channels", "admin:observability_channel_changelist")
        return Told(title, (*instead, *about), tuple(filter(None, [channels])), delivery)
    rule = incident.rule
    title = f"{incident.severity} {_BEGINNINGS.get(notification.act, '')}{incident.title}"
    found = (
        *instead,
        _state(incident),
        *(["It has come back: it is the same incident as before."] if incident.episode > 1 else []),
        *([f"Of: {incident.group}"] if incident.group else []),
        *_measured(incident, rule),
        *([_WHAT_TO_DO[notification.act]] if notification.act in _WHAT_TO_DO else []),
    )
    links = (
        _link("Incident", "admin:observability_incident_change", incident.pk),
        _link("What to do", "admin:runbook", rule.code),
    )
    lines = tuple(_clean(line) for line in found)
    return Told(_clean(title), lines, tuple(filter(None, links)), delivery)


def at(moment: datetime) -> str:
    """Return a time as messages tell it."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _clean(line: str) -> str:
    return " ".join(str(redact(line)).split())


def _instead(notification: Notification) -> list[str]:
    if other := notification.body.get("escalated"):
        name = NAMES.get(str(other), "Another channel")
        return [_clean(f"{name} could not be told ({notification.body.get('code', '')}); so you are.")]
    return []


def _without_incident(notification: Notification) -> tuple[str, list[str]]:
    if notification.act == "digest":
        return "The daily digest has not arrived", ["See to the channel: the next one goes the same way."]
    lines = ["Somebody has pressed Send test. Nothing is wrong, and what you read has arrived."]
    if notification.channel == "pagerduty":
        lines.append("Resolve this one in PagerDuty by hand.")
    return f"Test of {NAMES.get(notification.channel, 'a channel')}", lines


def _state(incident: Incident) -> str:
    opened = f"It began {at(incident.opened_at)}"
    if incident.state == Incident.State.RESOLVED and incident.resolved_at:
        how = "by itself" if incident.resolved_by == "recovery" else f"by {incident.resolved_by}"
        return f"{opened} and was resolved {at(incident.resolved_at)}, {how}."
    if incident.state == Incident.State.ACKNOWLEDGED and incident.acknowledged_at:
        return f"{opened}; {incident.acknowledged_by} sees to it since {at(incident.acknowledged_at)}."
    return f"{opened} and is open."


def _measured(incident: Incident, rule: AlertRule) -> list[str]:
    if incident.value is None:
        return []
    measure = measures.find(rule.code)
    unit = measure.unit if measure else ""

    def shown(value: float) -> str:
        if unit == "share":
            return f"{value:.1%}"
        return f"{value:,.6g} s" if unit == "seconds" else f"{value:,.6g}"

    words = measure.words.rstrip(".") if measure else "Measured"
    return [f"{words}: {shown(incident.value)}; told beyond {shown(rule.threshold)}."]


def _link(words: str, name: str, *args: object) -> tuple[str, str] | None:
    try:
        return words, f"{settings.PUBLIC_URL}{reverse(name, args=args)}"
    except NoReverseMatch:
        # An alert without a link is better than none.
        return None
