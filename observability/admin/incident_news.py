"""Incidents where nobody can miss them: beside the menu, at home, on the Overview, and above every page.

The rule: the line above every page costs one statement, at most every ten seconds; whoever acknowledges here
sees it go at once.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from observability.alerts import due, incident_search
from observability.models import Incident
from trainu.admin_rendering import seen
from trainu.admin_site import Banner, Card, Need, site

AGE = timedelta(seconds=10)
MOST_NEEDS = 5
# Reports are asked for from so long before they are due.
ASKED_BEFORE = timedelta(hours=12)
# Nobody mends a report that is this late by being asked once more.
ASKED_FOR = timedelta(days=14)
VIEW = "observability.view_incident"
LIST = "admin:observability_incident_changelist"
_KEY = "alerts_worst"
_SHORT = 100


def badge() -> int:
    """Return how many incidents are not resolved."""
    return Incident.objects.exclude(state=Incident.State.RESOLVED).count()


def banners() -> Sequence[Banner]:
    """Return a line while an incident of SEV1 is open that nobody has acknowledged."""
    found: Any = cache.get_or_set(_KEY, _worst, AGE.total_seconds())
    if not found:
        return []
    id, title, opened_at = found[0]
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    url = address(id) if len(found) == 1 else f"{reverse(LIST)}?state=open&severity=SEV1"
    words = f"SEV1 that nobody has acknowledged: {_short(title)}, since {_moment(opened_at)}{more}."
    return [Banner(words, url, "bad")]


def forget() -> None:
    """Have the next page look again."""
    cache.delete(_KEY)


def needs(_request: HttpRequest) -> Sequence[Need]:
    """Return the incidents that nobody has acknowledged, but for those of the digest; and reports due."""
    rows = Incident.objects.filter(state=Incident.State.OPEN, severity__in=["SEV1", "SEV2"])
    found = list(rows.order_by("severity", "opened_at", "id")[: MOST_NEEDS + 1])
    told = [
        Need(
            title=f"{one.severity}: {_short(one.title)}",
            url=address(one.pk),
            detail="Nobody has acknowledged it. Open it, say that you see to it, and look for its cause.",
            since=one.opened_at,
            urgency=1 if one.severity == "SEV1" else 2,
        )
        for one in found[:MOST_NEEDS]
    ]
    if len(found) > MOST_NEEDS:
        told.append(Need("More incidents that nobody has acknowledged", f"{reverse(LIST)}?state=open"))
    return [*told, *_reports(timezone.now())]


def cards(_request: HttpRequest) -> Sequence[Card]:
    """Return how many incidents are not resolved, by severity."""
    rows = Incident.objects.exclude(state=Incident.State.RESOLVED).order_by("severity")
    counted = dict(rows.values_list("severity").annotate(number=Count("id")))
    detail = ", ".join(f"{number:,} {severity}" for severity, number in counted.items())
    tone: Any = {"SEV1": "bad", "SEV2": "warn", "SEV3": "info"}[min(counted)] if counted else "ok"
    return [
        Card(
            "Open incidents", f"{sum(counted.values()):,}", detail or "Nothing is wrong", reverse(LIST), tone
        )
    ]


def address(incident_id: int) -> str:
    """Return the address of an incident's page."""
    return reverse("admin:observability_incident_change", args=[incident_id])


def _worst() -> list[tuple[int, str, datetime]]:
    rows = Incident.objects.filter(state=Incident.State.OPEN, severity="SEV1").order_by("opened_at", "id")
    return list(rows.values_list("id", "title", "opened_at")[: incident_search.MOST])


def _reports(now: datetime) -> list[Need]:
    rows = Incident.objects.filter(
        # Every state, since the index of times begins with it.
        state__in=Incident.State.values,
        severity="SEV1",
        opened_at__gt=now - ASKED_FOR,
        final_report_at=None,
    ).order_by("opened_at", "id")
    told = []
    for one in rows[:MOST_NEEDS]:
        _, first, final = due.clocks(one)
        clock = final if first.done_at else first
        if clock.due_at - now > ASKED_BEFORE:
            continue
        stands = "was" if clock.is_late(now) else "is"
        told.append(
            Need(
                title=f"{clock.words} of an incident {stands} due: {_short(one.title)}",
                url=f"{address(one.pk)}#reports",
                detail=f"It {stands} due until {_moment(clock.due_at)}.",
                since=one.opened_at,
            )
        )
    return told


def _short(title: str) -> str:
    return seen(title if len(title) <= _SHORT else f"{title[: _SHORT - 1].rstrip()}…")


def _moment(at: datetime) -> str:
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%b, %H:%M} UTC"


site.register_badge(LIST, badge)
site.register_need(needs, permission=VIEW)
site.register_overview(cards, permission=VIEW)
site.register_banner(banners, permission=VIEW)
