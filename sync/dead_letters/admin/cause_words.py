"""A cause as pages tell it: a title, who can mend it, how it stands, whom it is about, how it goes on.

The rule: words for people who have never seen the code; nothing here asks the database.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.urls import NoReverseMatch, reverse
from django.utils.safestring import SafeString

from sync.dead_letters import explanations, fixers
from sync.dead_letters import standing as standings
from sync.dead_letters.fixers import Fixer
from sync.dead_letters.standing import Standing
from sync.dead_letters.trend import Trend
from sync.models import CauseGroup
from trainu.admin_rendering import pill, seen

LABELS = {
    Standing.OPEN: "Open",
    Standing.REGRESSED: "Back again",
    Standing.ACKNOWLEDGED: "Acknowledged",
    Standing.SNOOZED: "Snoozed",
    Standing.RESOLVED: "Resolved",
}
_TONES = {
    Standing.OPEN: "warn",
    Standing.REGRESSED: "bad",
    Standing.ACKNOWLEDGED: "info",
    Standing.SNOOZED: "info",
    Standing.RESOLVED: "ok",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """A group with its words. said: what its letters have in common. runbook: an address, or nothing."""

    group: CauseGroup
    title: str
    said: str
    words: str
    next_step: str
    fixer: Fixer
    standing: Standing
    state: SafeString
    until: str
    affected: Sequence[str]
    runbook: str
    trend: Trend


def cause(group: CauseGroup, trend: Trend, now: datetime) -> Cause:
    """Return a group as pages tell it."""
    explained = explanations.explain(group.code, group.cause)
    standing = standings.of(group, now)
    return Cause(
        group=group,
        title=explained.words.rstrip("."),
        said=seen(group.message or group.code),
        words=explained.words,
        next_step=explained.next_step,
        fixer=fixers.of(group.code, group.cause),
        standing=standing,
        state=pill(LABELS[standing], _TONES[standing]),
        until=snoozed_until(group) if standing is Standing.SNOOZED else "",
        affected=affected(group),
        runbook=runbook(group.code),
        trend=trend,
    )


def snoozed_until(group: CauseGroup) -> str:
    """Return what ends a group's snooze."""
    if group.snoozed_until is None:
        return f"until more than {group.snoozed_to_count:,} are open"
    at = group.snoozed_until.astimezone(UTC)
    return f"until {at.day} {at:%b, %H:%M} UTC"


def affected(group: CauseGroup) -> Sequence[str]:
    """Return whom a group's open letters are about, a few words each."""
    if not group.open:
        return ()
    if group.people is None or group.locations is None:
        return ("people not counted",)
    return (
        _number(group.people, "person", "people"),
        _number(group.locations, "location", "locations"),
    )


def runbook(code: str) -> str:
    """Return the address of what to do step by step; empty where there are no such pages."""
    try:
        return reverse("admin:runbook", args=[code])
    except NoReverseMatch:
        return ""


def _number(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
