"""Groups of dead letters, worked on as one: whose they are, what was noted, when to be asked again.

The rule: a group's state and counters follow its letters and are nobody's to set. Notes are never wiped; an
acknowledgement and a snooze end by themselves when a resolved group comes back (a trigger sees to it).
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, Min, OuterRef, Q, Sum
from django.db.models.functions import Coalesce

from sync import signals
from sync.dead_letters import fixers, wording
from sync.dead_letters import standing as standings
from sync.dead_letters.fixers import Fixer
from sync.dead_letters.letters import check_snooze, check_user
from sync.dead_letters.refusal import Refused
from sync.dead_letters.standing import Standing
from sync.models import CauseGroup, DeadLetter, GroupNote
from sync.signals import Act
from trainu.bounded_query import bounded

TARGET_KIND = "sync.causegroup"
MOST_ROWS = 100
# Of a page for people, who want all of them at once and most urgent first.
MOST_SHOWN = 200
# Groups are hundreds; who has more has one reason behind them all, and no use for the number.
MOST_COUNTED = 1_000
TIME_LIMIT_MS = 3_000


@dataclass(frozen=True, slots=True)
class Page:
    """Some groups, those that were seen last first. older: what to go on with, None at the end."""

    groups: Sequence[CauseGroup]
    older: tuple[datetime, int] | None


@dataclass(frozen=True, slots=True)
class News:
    """Causes that nobody has acknowledged. since: when the first letter of them died."""

    causes: int
    letters: int
    since: datetime | None


def page(
    *,
    now: datetime,
    state: str = "",
    standing: Collection[Standing] = (),
    location_id: str = "",
    code: str = "",
    fixer: Fixer | None = None,
    owner_id: int | None = None,
    with_snoozed: bool = True,
    older_than: tuple[datetime, int] | None = None,
    most: int = MOST_ROWS,
) -> Page:
    """Return a page of groups. state: empty for those that are not resolved, "all" for every one.

    standing: those that stand in one of these ways, whatever their state. location_id: those with an open
    letter of that location. owner_id: 0 for nobody's. Raises trainu.bounded_query.TooBroad.
    """
    found = CauseGroup.objects.select_related("owner")
    if standing:
        found = found.filter(standings.rows(standing, now))
    elif state != "all":
        found = found.filter(state=state) if state else found.exclude(state=CauseGroup.State.RESOLVED)
    if code:
        found = found.filter(code=code)
    if fixer is not None:
        found = found.filter(fixers.rows(fixer))
    if owner_id is not None:
        found = found.filter(owner=owner_id or None)
    if location_id:
        letters = DeadLetter.objects.filter(group=OuterRef("pk"), location=location_id, state="open")
        found = found.filter(Exists(letters))
    if not with_snoozed:
        found = found.exclude(standings.snoozed(now))
    if older_than is not None:
        at, id = older_than
        found = found.filter(Q(last_seen_at__lt=at) | Q(last_seen_at=at, pk__lt=id))
    most = min(most, MOST_SHOWN)
    # Letters are looked for by location alone; all else is about groups, which are few.
    with bounded(TIME_LIMIT_MS) if location_id else nullcontext():
        groups = list(found.order_by("-last_seen_at", "-pk")[: most + 1])
    last = groups[most - 1] if len(groups) > most else None
    return Page(groups[:most], (last.last_seen_at, last.pk) if last else None)


def find(group_id: int) -> CauseGroup | None:
    """Return a group with its owner, None where there is none."""
    return CauseGroup.objects.select_related("owner").filter(pk=group_id).first()


def unresolved(now: datetime) -> int:
    """Return how many causes are not resolved and not snoozed, counted no further than MOST_COUNTED."""
    found = CauseGroup.objects.exclude(state=CauseGroup.State.RESOLVED).exclude(standings.snoozed(now))
    return int(found.order_by()[:MOST_COUNTED].count())


def news(now: datetime) -> News:
    """Return what nobody has acknowledged, of the MOST_COUNTED groups that were seen last."""
    found = CauseGroup.objects.filter(standings.rows(standings.NEWS, now)).order_by("-last_seen_at", "-pk")
    counted = CauseGroup.objects.filter(pk__in=found.values("pk")[:MOST_COUNTED]).aggregate(
        causes=Count("pk"), letters=Sum("open"), since=Min(Coalesce("oldest_at", "first_seen_at"))
    )
    return News(counted["causes"], counted["letters"] or 0, counted["since"])


@transaction.atomic
def assign(group_id: int, user_id: int | None, *, by: str) -> CauseGroup:
    """Make somebody responsible for a group; None: nobody. Raises Refused."""
    check_user(user_id)
    group = _one(group_id)
    before, group.owner_id = group.owner_id, user_id
    group.save(update_fields=["owner"])
    _tell("assign", group, by, {"owner": (before, user_id)})
    return group


@transaction.atomic
def note(group_id: int, words: str, *, by: str, now: datetime) -> GroupNote:
    """Write something down about a group, for whoever works on it next. Raises Refused."""
    text = wording.note(words)
    group = _one(group_id)
    written = GroupNote.objects.create(group=group, words=text, by=by, at=now)
    _tell("note", group, by)
    return written


@transaction.atomic
def acknowledge(group_id: int, *, by: str, now: datetime) -> CauseGroup:
    """Say that a cause is known and somebody is at it; holds until it has been resolved. Raises Refused."""
    group = _one(group_id)
    if group.state == CauseGroup.State.RESOLVED:
        raise Refused("wrong_state", "It is resolved: there is nothing to acknowledge.")
    if group.acknowledged_at is not None:
        raise Refused("wrong_state", "Somebody has acknowledged it already.")
    group.acknowledged_at, group.acknowledged_by = now, by
    group.save(update_fields=["acknowledged_at", "acknowledged_by"])
    _tell("acknowledge", group, by, {"acknowledged_by": (None, by)})
    return group


@transaction.atomic
def unacknowledge(group_id: int, *, by: str) -> CauseGroup:
    """Take that back: the cause is news again. Raises Refused."""
    group = _one(group_id)
    if group.acknowledged_at is None:
        raise Refused("wrong_state", "Nobody has acknowledged it.")
    before = group.acknowledged_by
    group.acknowledged_at, group.acknowledged_by = None, ""
    group.save(update_fields=["acknowledged_at", "acknowledged_by"])
    _tell("acknowledge", group, by, {"acknowledged_by": (before, None)})
    return group


@transaction.atomic
def snooze(
    group_id: int,
    *,
    by: str,
    now: datetime,
    until: datetime | None = None,
    to_count: int | None = None,
) -> CauseGroup:
    """Have nobody asked about a group until then, or until more than so many are open; neither: ask again.

    Raises Refused.
    """
    if until is not None and to_count is not None:
        raise Refused("invalid_snooze", "Give a time or a number of open letters, not both.")
    check_snooze(until, now)
    group = _one(group_id)
    if to_count is not None and not group.open <= to_count < 2**31:
        raise Refused("invalid_count", f"More than that are open already: {group.open:,}.")
    before = (group.snoozed_until, group.snoozed_to_count)
    group.snoozed_until, group.snoozed_to_count = until, to_count
    group.save(update_fields=["snoozed_until", "snoozed_to_count"])
    changes = {"snoozed_until": (before[0], until), "snoozed_to_count": (before[1], to_count)}
    _tell("snooze", group, by, changes)
    return group


def _one(group_id: int) -> CauseGroup:
    group = CauseGroup.objects.select_for_update().filter(pk=group_id).first()
    if group is None:
        raise Refused("unknown_group", "There is no such group.")
    return group


def _tell(
    name: str, group: CauseGroup, by: str, changes: Mapping[str, tuple[Any, Any]] | None = None
) -> None:
    act = Act(f"dead_letter.{name}", TARGET_KIND, str(group.pk), actor=by, changes=changes or {})
    signals.acted.send(sender=None, acts=[act])
