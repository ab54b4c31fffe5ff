"""Groups of dead letters, worked on as one: whose they are, what was noted, when to be asked again.

The rule: a group's state and counters follow its letters and are nobody's to set. Notes are never wiped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from sync import signals
from sync.dead_letters import wording
from sync.dead_letters.letters import check_snooze, check_user
from sync.dead_letters.refusal import Refused
from sync.models import CauseGroup, DeadLetter, GroupNote
from sync.signals import Act

TARGET_KIND = "sync.causegroup"
MOST_ROWS = 100


@dataclass(frozen=True, slots=True)
class Page:
    """Some groups, those that were seen last first. older: what to go on with, None at the end."""

    groups: Sequence[CauseGroup]
    older: tuple[datetime, int] | None


def page(
    *,
    now: datetime,
    state: str = "",
    location_id: str = "",
    code: str = "",
    with_snoozed: bool = True,
    older_than: tuple[datetime, int] | None = None,
    most: int = MOST_ROWS,
) -> Page:
    """Return a page of groups. state: empty for those that are not resolved, "all" for every one.

    location_id: those with an open letter of that location.
    """
    found = CauseGroup.objects.select_related("owner")
    if state != "all":
        found = found.filter(state=state) if state else found.exclude(state=CauseGroup.State.RESOLVED)
    if code:
        found = found.filter(code=code)
    if location_id:
        letters = DeadLetter.objects.filter(group=OuterRef("pk"), location=location_id, state="open")
        found = found.filter(Exists(letters))
    if not with_snoozed:
        found = found.exclude(snoozed(now))
    if older_than is not None:
        at, id = older_than
        found = found.filter(Q(last_seen_at__lt=at) | Q(last_seen_at=at, pk__lt=id))
    most = min(most, MOST_ROWS)
    groups = list(found.order_by("-last_seen_at", "-pk")[: most + 1])
    last = groups[most - 1] if len(groups) > most else None
    return Page(groups[:most], (last.last_seen_at, last.pk) if last else None)


def snoozed(now: datetime) -> Q:
    """Return which groups nobody wants to see now; as `CauseGroup.is_snoozed`."""
    return Q(snoozed_until__gt=now) | Q(snoozed_until=None, snoozed_to_count__gte=F("open"))


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
