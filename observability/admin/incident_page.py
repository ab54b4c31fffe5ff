"""One incident on one page: how it stands, what is due, what happened, how the measure went, where to look.

The rule: a bounded number of questions, however long it lasts; nothing is offered that the reader may not do.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from observability.admin import incident_links
from observability.admin.course_picture import picture
from observability.admin.incident_verbs import SILENCE, SILENCES, WORK
from observability.admin.notification_words import STATES as TOLD_STATES
from observability.admin.notification_words import act_in_words, channel_in_words, news
from observability.alerts import course, demands, due, incident_words, incidents, silences
from observability.models import Incident, IncidentMoment, Notification, Silence
from trainu import people
from trainu.admin_rendering import pill, seen

SEVERITIES = {"SEV1": "bad", "SEV2": "warn", "SEV3": "info"}
STATES = {"open": "bad", "acknowledged": "warn", "resolved": "ok"}
MOST_MOMENTS = 200
MOST_NOTIFICATIONS = 100
_TONES = {
    "opened": "bad",
    "reopened": "bad",
    "acknowledged": "warn",
    "resolved": "ok",
    "note": "info",
    "overdue": "bad",
}
_WORDS = {
    "opened": "It began.",
    "reopened": "It is back.",
    "acknowledged": "Somebody sees to it.",
    "resolved": "It is over.",
    "told": "Nobody had been told of it until now.",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the timeline. id: of a notification, which has a page of its own; 0 for anything else."""

    at: datetime
    kind: str
    tone: str
    words: str
    by: str = ""
    detail: str = ""
    notification_id: int = 0


def context(request: HttpRequest, incident: Incident, now: datetime) -> dict[str, Any]:
    """Return what the page of an incident shows to this reader."""
    may, rule = request.user.has_perm, incident.rule
    may_work = may(WORK)
    lines, names = timeline(incident)
    measured = course.around(incident, now=now)
    begun_at = max((one.at for one in lines if one.kind in {"Opened", "Reopened"}), default=None)
    clocks = due.clocks(incident, begun_at=begun_at)
    return {
        "incident": incident,
        "rule": rule,
        "group": seen(incident.group),
        "severity": pill(incident.severity, SEVERITIES[incident.severity]),
        "state": pill(incident.get_state_display(), STATES[incident.state]),
        "owner": names.get(incident.owner, ""),
        "is_mine": incident.owner == people.acting(request),
        "acknowledged_by": names.get(incident.acknowledged_by, ""),
        "resolved_by": incident_words.how_resolved(incident.resolved_by, names.get(incident.resolved_by, "")),
        "is_by_hand": ":" in incident.resolved_by,
        "lasts": demands.lasting((incident.resolved_at or now) - incident.opened_at),
        "value": demands.in_words(incident.value, rule),
        "what": demands.what(rule),
        "demanded": demands.demanded(rule),
        "recovery": demands.recovery(rule),
        "told": demands.told(rule),
        "clocks": [(one, one.is_late(now)) for one in clocks],
        "lines": lines,
        "picture": picture(measured, rule) if measured else None,
        "links": incident_links.of(request, incident, now),
        "silences": _silences(incident, now),
        "is_inhibited": incident.state != Incident.State.RESOLVED and silences.is_inhibited(incident),
        "may_work": may_work,
        "may_silence": may(SILENCE) and incident.state != Incident.State.RESOLVED,
        "may_see_rule": may("observability.view_alertrule") or may("observability.change_alertrule"),
        "may_see_notifications": may("observability.view_notification"),
        "may_see_silences": may("observability.view_silence"),
        "may_report": may_work and incident.severity == "SEV1" and not incident.final_report_at,
        "colleagues": people.colleagues() if may_work else [],
        "durations": list(SILENCES.items()),
        "longest_words": incidents.LONGEST_WORDS,
        "longest_reason": silences.LONGEST_REASON,
    }


def timeline(incident: Incident) -> tuple[list[Line], dict[str, str]]:
    """Return what happened and what was told, oldest first; and by actor what to call whom."""
    moments = list(incident.moments.order_by("-at", "-id")[:MOST_MOMENTS])
    told = list(incident.notifications.order_by("-id")[:MOST_NOTIFICATIONS])
    owners = {one.words for one in moments if one.kind == "owner" and ":" in one.words}
    actors = {one.by for one in moments if one.by} | owners
    about = {incident.owner, incident.acknowledged_by, incident.resolved_by} - {"", incidents.RECOVERY}
    names = people.names(actors | about)
    lines = [*_of_moments(moments, names), *_of_notifications(told)]
    return sorted(lines, key=lambda one: one.at), names


def _of_moments(moments: list[IncidentMoment], names: dict[str, str]) -> Iterator[Line]:
    for one in moments:
        words = one.words or _WORDS.get(one.kind, _kind(one))
        if one.kind == "owner":
            words = f"{names.get(one.words, one.words).capitalize()} sees to it now."
        by = names.get(one.by, "")
        yield Line(one.at, _kind(one), _TONES.get(one.kind, ""), seen(words), by)


def _kind(one: IncidentMoment) -> str:
    return one.kind.replace("_", " ").capitalize()


def _of_notifications(told: list[Notification]) -> Iterator[Line]:
    for one in told:
        yield Line(
            one.created_at,
            channel_in_words(one.channel),
            TOLD_STATES[one.state],
            act_in_words(one),
            detail=news(one),
            notification_id=one.pk,
        )


def _silences(incident: Incident, now: datetime) -> list[Silence]:
    if incident.state == Incident.State.RESOLVED:
        return []
    return list(silences.holding(incident, now=now)[:3])
