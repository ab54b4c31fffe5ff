"""Letters grouped anew, after the way of telling causes apart has changed.

The rule: only letters that somebody still has to work on are moved. A new group takes over owner, snooze,
acknowledgement and notes of the old one that its first letters come from; the old one keeps its own.
"""

from datetime import datetime

from django.db import connection
from django.db.models import Q

from sync.dead_letters import burial, fingerprint, moves
from sync.dead_letters.fingerprint import Kind
from sync.models import CauseGroup, DeadLetter, GroupNote
from sync.models.dead_letter import OPEN_STATES
from trainu.transactions import atomic_retry

_MOVE = """
update sync_deadletter letter set group_id = m.group_id
from unnest(%s::bigint[], %s::bigint[]) as m(id, group_id) where letter.id = m.id
"""


@atomic_retry
def step(*, now: datetime, most: int = moves.MOST) -> int:
    """Move some letters of groups of another VERSION; return how many, 0 when none is left."""
    outdated = CauseGroup.objects.exclude(version=fingerprint.VERSION).exclude(open=0, redriving=0)
    old = {group.pk: group for group in outdated.order_by("pk")[:most]}
    chosen = DeadLetter.objects.filter(group__in=old.keys(), state__in=OPEN_STATES).order_by("pk")
    letters = list(moves.lockable(Q(pk__in=list(chosen.values_list("pk", flat=True)[:most]))))
    letters = [letter for letter in letters if letter.group_id in old]
    if not letters:
        return 0
    kinds = {letter.pk: _kind(letter, old[letter.group_id]) for letter in letters}
    ids = burial.groups_of(list(kinds.values()), now=now)
    moves.lock_groups([*old.keys(), *ids.values()])
    _inherit(letters, kinds, ids, old)
    goals = [ids[kinds[letter.pk].fingerprint] for letter in letters]
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, [[letter.pk for letter in letters], goals])
    return len(letters)


def _kind(letter: DeadLetter, group: CauseGroup) -> Kind:
    integration = "ghl" if letter.job_id else "webhook"
    message = fingerprint.normalised(letter.words)
    return Kind(integration, group.subject, letter.code, group.cause, message)  # type: ignore[arg-type]


def _inherit(
    letters: list[DeadLetter], kinds: dict[int, Kind], ids: dict[str, int], old: dict[int, CauseGroup]
) -> None:
    """Give groups that have no letter yet what was known of those that theirs come from."""
    empty = set(CauseGroup.objects.filter(pk__in=ids.values(), total=0).values_list("pk", flat=True))
    for letter in letters:
        goal = ids[kinds[letter.pk].fingerprint]
        if goal not in empty:
            continue
        empty.discard(goal)
        before = old[letter.group_id]
        CauseGroup.objects.filter(pk=goal).update(
            owner=before.owner_id,
            acknowledged_at=before.acknowledged_at,
            acknowledged_by=before.acknowledged_by,
            snoozed_until=before.snoozed_until,
            snoozed_to_count=before.snoozed_to_count,
            first_seen_at=before.first_seen_at,
        )
        notes = GroupNote.objects.filter(group=before).order_by("pk")
        GroupNote.objects.bulk_create(
            [GroupNote(group_id=goal, words=note.words, by=note.by, at=note.at) for note in notes]
        )
