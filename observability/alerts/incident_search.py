"""Incidents found: by state, severity and rule, the newest first, a page at a time.

The rule: a page goes on behind the last one it has shown, so that new incidents shift nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from django.db.models import F, Q

from observability.alerts.cursors import Position
from observability.models import AlertRule, Incident, RuleState

MOST = 100
# unresolved: open or acknowledged.
Wanted = Literal["unresolved", "open", "acknowledged", "resolved", "all"]
_STATES = {
    "unresolved": (Incident.State.OPEN, Incident.State.ACKNOWLEDGED),
    "open": (Incident.State.OPEN,),
    "acknowledged": (Incident.State.ACKNOWLEDGED,),
    "resolved": (Incident.State.RESOLVED,),
}


@dataclass(frozen=True, slots=True)
class Page:
    """older: where the next page begins; None at the end."""

    incidents: Sequence[Incident]
    older: Position | None


def page(
    *,
    state: Wanted = "unresolved",
    severity: str = "",
    rule: str = "",
    older_than: Position | None = None,
    most: int = MOST,
) -> Page:
    """Return incidents with their rules, the newest first."""
    rows = Incident.objects.select_related("rule").order_by("-opened_at", "-id")
    if state != "all":
        rows = rows.filter(state__in=_STATES[state])
    if severity:
        rows = rows.filter(severity=severity)
    if rule:
        rows = rows.filter(rule=rule)
    if older_than:
        at, id = older_than
        rows = rows.filter(Q(opened_at__lt=at) | Q(opened_at=at, id__lt=id))
    found = list(rows[: most + 1])
    last = found[most - 1] if len(found) > most else None
    return Page(found[:most], (last.opened_at, last.pk) if last else None)


def worst_first(incidents: Sequence[Incident]) -> list[Incident]:
    """Return them by severity, those that nobody has acknowledged first, of these the oldest."""
    return sorted(
        incidents, key=lambda one: (one.severity, one.state != Incident.State.OPEN, one.opened_at, one.pk)
    )


def unresolved(*, most: int) -> list[Incident]:
    """Return what is open or acknowledged, the worst and oldest first."""
    rows = Incident.objects.exclude(state=Incident.State.RESOLVED).select_related("rule")
    # Acknowledged sorts before open, so the other way round.
    return list(rows.order_by("severity", F("state").desc(), "opened_at", "id")[:most])


def is_known(rule: AlertRule | None, group: str) -> bool:
    """Whether a rule, or with None any, has an incident of a group, or stands somewhere for it."""
    of = {"group": group} | ({"rule": rule} if rule else {})
    return RuleState.objects.filter(**of).exists() or Incident.objects.filter(**of).exists()
