"""Finding dead letters for whoever looks at them: a page of a list, one of them, what may be shown of it.

The rule: every question is bounded in rows and in time. Those that died last come first; pages go on from a
letter, so new ones do not shift them. What people wrote and GoHighLevel said is redacted when it is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db.models import Q, QuerySet

from sync.dead_letters.chosen import Chosen
from sync.dead_letters.cursors import Position
from sync.models import BulkItem, BulkOperation, CauseGroup, DeadLetter, LetterNote, SyncJob
from trainu.bounded_query import bounded

State = DeadLetter.State

MOST_ROWS = 100
MOST_NOTES = 50
TIME_LIMIT_MS = 3_000
# Lists are counted no further, and not for long: the page is there already.
MOST_COUNTED = 1_000
COUNT_LIMIT_MS = 1_000
# Groups that are asked for one by one. Times the states it is what one statement is made of.
MOST_GROUPS = 8
# Where payloads are searched: what is tried again or has ended is not dead, and in no index of payloads.
WITH_PAYLOAD = (State.OPEN, State.DISCARDED)
# Of the newest letters, in how many a payload's value is looked for one by one.
MOST_PROBED = 2_000
# Jobs that are looked up by their payload; of more than that, some are among the newer letters.
MOST_BY_PAYLOAD = 5_000

_ANY = Q()


@dataclass(frozen=True, slots=True)
class Page:
    """Some letters with their groups. older: what to go on with, None at the end."""

    letters: Sequence[DeadLetter]
    older: Position | None


@dataclass(frozen=True, slots=True)
class Operations:
    """Some bulk operations, newest first. older: what to go on with, None at the end."""

    operations: Sequence[BulkOperation]
    older: int | None


@dataclass(frozen=True, slots=True)
class Count:
    """How many letters there are; is_capped: at least so many, for nobody counts further."""

    figure: int
    is_capped: bool = False

    def __str__(self) -> str:
        return f"{self.figure:,}{'+' if self.is_capped else ''}"


def page(
    chosen: Chosen, *, state: str = "", older_than: Position | None = None, most: int = MOST_ROWS
) -> Page:
    """Return a page of letters. state: empty for all. older_than: `older` of the page before.

    Raises trainu.bounded_query.TooBroad.
    """
    most = min(most, MOST_ROWS)
    with bounded(TIME_LIMIT_MS):
        found = _places(chosen, state, most + 1, older_than)
        ids = [id for _, id in found[:most]]
        letters = DeadLetter.objects.select_related("group", "location", "assigned_to").in_bulk(ids)
    return Page([letters[id] for id in ids if id in letters], found[most - 1] if len(found) > most else None)


def count(chosen: Chosen, *, state: str = "") -> Count:
    """Return how many letters are chosen: of one group by its counters, else no further than MOST_COUNTED.

    state: empty for all. Raises trainu.bounded_query.TooBroad.
    """
    if chosen.group_id is not None and chosen == Chosen(group_id=chosen.group_id):
        group = CauseGroup.objects.filter(pk=chosen.group_id).first()
        return Count(getattr(group, state or "total") if group else 0)
    with bounded(COUNT_LIMIT_MS):
        figure = len(_places(chosen, state, MOST_COUNTED + 1))
    return Count(min(figure, MOST_COUNTED), figure > MOST_COUNTED)


def _places(chosen: Chosen, state: str, most: int, older_than: Position | None = None) -> list[Position]:
    """Return when the newest of them died and their ids, newest first."""
    if not chosen.payload_name:
        return list(_in_order(chosen, state, most, older_than))
    if state and state not in WITH_PAYLOAD:
        return []
    # What is common in a payload is among the newest, and what other filters leave may be few.
    others = replace(chosen, payload_name="", payload_value="")
    newest = list(_in_order(others, state, MOST_PROBED, older_than))
    dead = DeadLetter.objects.filter(chosen.jobs("job__"), pk__in=[id for _, id in newest])
    matching = set(dead.values_list("pk", flat=True))
    found = [place for place in newest if place[1] in matching][:most]
    if len(found) == most or len(newest) < MOST_PROBED:
        return found
    # What is rare lies anywhere in time, and is looked up by its own index first.
    jobs = list(SyncJob.objects.filter(chosen.jobs()).values_list("pk", flat=True)[: MOST_BY_PAYLOAD + 1])
    if len(jobs) > MOST_BY_PAYLOAD:
        return list(_in_order(chosen, state, most, older_than))
    return list(_in_order(others, state, most, older_than, Q(job__in=jobs)))


def _in_order(
    chosen: Chosen, state: str, most: int, older_than: Position | None, also: Q = _ANY
) -> "QuerySet[DeadLetter, Position]":
    """Return what is asked for those places.

    An index is in this order for one group, one state and so on, and for several of them it is not: so each
    is asked for by itself, and what they say is merged. Otherwise PostgreSQL might read all that is newer
    than a rare letter, or sort all of what is common.
    """
    beyond = _ANY
    if older_than is not None:
        at, id = older_than
        beyond = Q(died_at__lte=at) & (Q(died_at__lt=at) | Q(pk__lt=id))
    states = [Q(state=one) for one in ([state] if state else State.values)]
    if not state and chosen == Chosen(died_before=chosen.died_before, died_after=chosen.died_after):
        states = [_ANY]
    parts = [
        DeadLetter.objects.filter(one.rows(), each, beyond, also)
        .order_by("-died_at", "-pk")
        .values_list("died_at", "pk")[:most]
        for one in chosen.by_group(MOST_GROUPS)
        for each in states
    ]
    if not parts:
        return DeadLetter.objects.none().values_list("died_at", "pk")
    if len(parts) == 1:
        return parts[0]
    return parts[0].union(*parts[1:], all=True).order_by("-died_at", "-id")[:most]


def find(letter_id: int) -> DeadLetter | None:
    """Return a letter with its group and job, None where there is none."""
    return DeadLetter.objects.select_related("group", "job").filter(pk=letter_id).first()


def notes(letter: DeadLetter) -> list[LetterNote]:
    """Return a letter's newest notes, newest first."""
    return list(letter.notes.all()[:MOST_NOTES])


def operations(*, state: str = "", older_than: int | None = None, most: int = MOST_ROWS) -> Operations:
    """Return a page of bulk operations."""
    found = BulkOperation.objects.all()
    if state:
        found = found.filter(state=state)
    if older_than is not None:
        found = found.filter(pk__lt=older_than)
    most = min(most, MOST_ROWS)
    rows = list(found.order_by("-pk")[: most + 1])
    return Operations(rows[:most], rows[most - 1].pk if len(rows) > most else None)


def items(
    operation: BulkOperation, *, state: str = "", after: int | None = None, most: int = MOST_ROWS
) -> tuple[list[BulkItem], int | None]:
    """Return some items of an operation in their order, and what to go on with."""
    found = BulkItem.objects.filter(operation=operation)
    if state:
        found = found.filter(state=state)
    if after is not None:
        found = found.filter(pk__gt=after)
    most = min(most, MOST_ROWS)
    with bounded(TIME_LIMIT_MS):
        rows = list(found.order_by("pk")[: most + 1])
    return rows[:most], rows[most - 1].pk if len(rows) > most else None
