"""How sync stands: what has died or will, who does not answer, from whom nothing is heard.

The rule: sync is known by `sync.stats` alone. Groups are ids of locations and causes.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.urls import reverse

from observability.alerts.measures import OTHERS, Link, Measure, Said, together
from sync.stats import deaths, dying, locations, silences

_MINUTE = timedelta(minutes=1)


def new_letters(minute: datetime) -> Iterable[Said]:
    """Dead letters that are new in the minute."""
    return [Said(bad=float(deaths.new_letters(since=minute, until=minute + _MINUTE)))]


def new_causes(minute: datetime) -> Iterable[Said]:
    """Causes that are new in the minute, each by itself."""
    found = deaths.new_causes(since=minute, until=minute + _MINUTE)
    return [Said(), *(Said(str(cause), bad=1.0) for cause in found)]


def oldest_letter(minute: datetime) -> Iterable[Said]:
    """Seconds for which the oldest open letter has waited that is not snoozed."""
    oldest_at = deaths.oldest_at(now=minute)
    return [Said(value=max(0.0, (minute - oldest_at).total_seconds()) if oldest_at else 0.0)]


def dying_jobs(minute: datetime) -> Iterable[Said]:
    """Jobs on their last try."""
    return [Said(value=float(dying.count(now=minute).number))]


def silent_locations(_minute: datetime) -> Iterable[Said]:
    """Locations whose webhooks have stopped coming."""
    return together(silences.locations())


def unanswered_locations(minute: datetime) -> Iterable[Said]:
    """Locations whose GoHighLevel does not answer, or answers only since a moment ago."""
    return together(one.location_id for one in locations.unanswered(now=minute))


def _of_cause(group: str) -> list[Link]:
    return [("This cause", reverse("admin:sync_causegroup_change", args=[group]))] if group.isdigit() else []


def _of_location(group: str) -> list[Link]:
    if not group or group == OTHERS:
        return []
    return [("This location", reverse("admin:sync_location_change", args=[group]))]


_CAUSES, _HEALTH = "admin:sync_causegroup_changelist", "admin:dashboard_sync_health"

MEASURES = (
    Measure("dead_letters_growing", "count", "number", "New dead letters", new_letters, _CAUSES),
    Measure(
        "new_cause",
        "count",
        "number",
        "Causes that were not seen before",
        new_causes,
        _CAUSES,
        pages=_of_cause,
    ),
    Measure(
        "dead_letter_age",
        "level",
        "seconds",
        "Age of the oldest open dead letter that is not snoozed",
        oldest_letter,
        _CAUSES,
        every_minutes=5,
    ),
    Measure(
        "dying_soon",
        "level",
        "number",
        "Jobs that become dead letters within six hours if nothing is done",
        dying_jobs,
        "admin:sync_flight",
    ),
    Measure(
        "webhook_silence",
        "level",
        "number",
        "Locations whose webhooks have stopped coming",
        silent_locations,
        _HEALTH,
        pages=_of_location,
    ),
    Measure(
        "breaker_open",
        "level",
        "number",
        "Locations whose GoHighLevel does not answer",
        unanswered_locations,
        _HEALTH,
        pages=_of_location,
    ),
)
