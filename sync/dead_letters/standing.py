"""How a group stands in the eyes of whoever works on it, in one word, and which of them come first.

The rule: one group has one standing, the same on pages, in filters and in the API. Of what is not resolved, a
snooze hides everything else, and an acknowledgement hides that it is new or back again.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum

from django.db.models import F, Q

from sync.models import CauseGroup


class Standing(StrEnum):
    OPEN = "open"
    REGRESSED = "regressed"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


# Not resolved, not snoozed, and nobody has said that it is known.
NEWS = frozenset({Standing.OPEN, Standing.REGRESSED})
_LATEST = datetime.max.replace(tzinfo=UTC)


def of(group: CauseGroup, now: datetime) -> Standing:
    """Return how a group stands."""
    if group.state == CauseGroup.State.RESOLVED:
        return Standing.RESOLVED
    if group.is_snoozed(now):
        return Standing.SNOOZED
    if group.acknowledged_at is not None:
        return Standing.ACKNOWLEDGED
    return Standing(group.state)


def snoozed(now: datetime) -> Q:
    """Return which groups nobody wants to see now; as `CauseGroup.is_snoozed`."""
    return Q(snoozed_until__gt=now) | Q(snoozed_until=None, snoozed_to_count__gte=F("open"))


def rows(standings: Iterable[Standing], now: datetime) -> Q:
    """Return the condition on groups that stand in one of these ways; as `of`. At least one."""
    resolved = Q(state=CauseGroup.State.RESOLVED)
    asked = ~resolved & ~snoozed(now)
    conditions = {
        Standing.RESOLVED: resolved,
        Standing.SNOOZED: ~resolved & snoozed(now),
        Standing.ACKNOWLEDGED: asked & Q(acknowledged_at__isnull=False),
        Standing.REGRESSED: asked & Q(acknowledged_at=None, state=CauseGroup.State.REGRESSED),
        Standing.OPEN: asked & Q(acknowledged_at=None, state=CauseGroup.State.OPEN),
    }
    first, *others = (conditions[standing] for standing in standings)
    for other in others:
        first |= other
    return first


def by_urgency(groups: Iterable[CauseGroup], now: datetime) -> list[CauseGroup]:
    """Return groups, those first that need somebody most.

    What is news before what is known, snoozed and resolved; then the one with the most open letters; then
    the one that has waited longest.
    """
    rank = {Standing.ACKNOWLEDGED: 1, Standing.SNOOZED: 2, Standing.RESOLVED: 3}

    def key(group: CauseGroup) -> tuple[int, int, datetime, int]:
        return (rank.get(of(group, now), 0), -group.open, group.oldest_at or _LATEST, group.pk)

    return sorted(groups, key=key)
