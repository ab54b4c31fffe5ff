"""Finding dead letters for whoever looks at them: a page of a list, one of them, what may be shown of it.

The rule: every question is bounded in rows and in time. Those that died last come first; pages go on from a
letter, so new ones do not shift them. What people wrote and GoHighLevel said is redacted when it is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from sync.dead_letters.chosen import Chosen
from sync.models import BulkItem, BulkOperation, DeadLetter, LetterNote
from trainu.bounded_query import bounded

MOST_ROWS = 100
MOST_NOTES = 50
TIME_LIMIT_MS = 3_000


@dataclass(frozen=True, slots=True)
class Page:
    """Some letters with their groups. older: what to go on with, None at the end."""

    letters: Sequence[DeadLetter]
    older: tuple[datetime, int] | None


@dataclass(frozen=True, slots=True)
class Operations:
    """Some bulk operations, newest first. older: what to go on with, None at the end."""

    operations: Sequence[BulkOperation]
    older: int | None


def page(
    chosen: Chosen,
    *,
    state: str = "",
    older_than: tuple[datetime, int] | None = None,
    most: int = MOST_ROWS,
) -> Page:
    """Return a page of letters. state: empty for all. older_than: `older` of the page before.

    Raises trainu.bounded_query.TooBroad.
    """
    found = DeadLetter.objects.filter(chosen.rows()).select_related("group")
    if state:
        found = found.filter(state=state)
    if older_than is not None:
        at, id = older_than
        found = found.filter(Q(died_at__lt=at) | Q(died_at=at, pk__lt=id))
    most = min(most, MOST_ROWS)
    with bounded(TIME_LIMIT_MS):
        letters = list(found.order_by("-died_at", "-pk")[: most + 1])
    last = letters[most - 1] if len(letters) > most else None
    return Page(letters[:most], (last.died_at, last.pk) if last else None)


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
