"""What is told of an incident: pure, from the rows to the words. Each channel dresses them in its own way.

The rule: ids, numbers and words of ours, and nothing that a person has written; what came from elsewhere is
redacted all the same, and nobody has a name here. It tells what happened when it happened, whatever became
of it since: the incident's page says how it stands now.
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from observability.alerts import demands, incident_words
from observability.models import Incident, Notification
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
    title = f"{incident.severity} {_BEGINNINGS.get(notification.act, '')}{incident.title}"
    found = (
        *instead,
        _state(notification, incident),
        *(["It has come back: it is the same incident as before."] if _episode(notification) > 1 else []),
        *([f"Of: {incident.group}"] if incident.group and incident.group not in incident.title else []),
        *_measured(notification, incident),
        *_what_to_do(notification, incident),
    )
    links = (
        _link("Incident", "admin:observability_incident_change", incident.pk),
        _link("What to do", "admin:runbook", incident_words.runbook(incident.rule_id, incident.group)),
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
        lines.append("It is resolved in the same moment: there is nothing to do.")
    return f"Test of {NAMES.get(notification.channel, 'a channel')}", lines


def _state(notification: Notification, incident: Incident) -> str:
    opened = f"It began {at(incident.opened_at)}"
    match notification.act:
        case "acknowledge":
            by = notification.body.get("by") or incident.acknowledged_by
            return f"{opened}; {incident_words.who(by)} sees to it{_since(notification, incident)}."
        case "resolve":
            how = incident_words.how_resolved(notification.body.get("by") or incident.resolved_by)
            happened_at = notification.created_at or incident.resolved_at
            return f"{opened} and was resolved{f' {at(happened_at)}' if happened_at else ''}, {how}."
        case "trigger" if is_late(notification):
            return f"{opened}. This comes late: its page says how it stands now."
        case "report_24h" | "report_72h":
            return f"{opened}{' and is open' if incident.state == Incident.State.OPEN else ''}."
        case _:
            return f"{opened} and is open."


def is_late(notification: Notification) -> bool:
    """Whether something else has become of the incident since: it has that at hand."""
    incident = notification.incident
    if incident is None:
        return False
    return incident.state != Incident.State.OPEN or _episode(notification) != incident.episode


def _since(notification: Notification, incident: Incident) -> str:
    happened_at = notification.created_at or incident.acknowledged_at
    return f" since {at(happened_at)}" if happened_at else ""


def _episode(notification: Notification) -> int:
    return int(
        notification.body.get("episode", notification.incident.episode if notification.incident else 1)
    )


def _what_to_do(notification: Notification, incident: Incident) -> list[str]:
    if notification.act == "trigger" and is_late(notification):
        return []
    return [_WHAT_TO_DO[notification.act]] if notification.act in _WHAT_TO_DO else []


def _measured(notification: Notification, incident: Incident) -> list[str]:
    value = notification.body.get("value", incident.value)
    if value is None or notification.act in ("acknowledge", "resolve"):
        # What holds now is not what held then.
        return []
    rule = incident.rule
    measured = f"{demands.what(rule).rstrip('.')}: {demands.in_words(value, rule)}"
    bound = f"above {demands.in_words(rule.threshold, rule)}" if rule.threshold else "of any at all"
    return [f"{measured}; told {bound}."]


def _link(words: str, name: str, *args: object) -> tuple[str, str] | None:
    try:
        return words, f"{settings.PUBLIC_URL}{reverse(name, args=args)}"
    except NoReverseMatch:
        # An alert without a link is better than none.
        return None
