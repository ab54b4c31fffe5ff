"""Pages of the rows behind a number, newest first.

The rule: pages go by key, nothing is counted, and a question that takes too long is given up.
"""

import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q

from observability.dashboards import active_days, row_kinds, row_sets
from observability.dashboards.question import BadQuestion, Question
from observability.dashboards.row_kinds import KINDS, Kind, Rows, Which
from observability.models import Person
from trainu.bounded_query import bounded

PAGE = 50
TIME_LIMIT_MS = 3_000
PEOPLE = "people"
ROLES = ("client", "trainer", "staff", "other")
_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_STEP = re.compile(r"step:([0-9]{1,9})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list is asked for. which: of the kind, such as no_show of bookings. role: of people."""

    kind: str
    which: str
    question: Question
    role: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """The place of a row in the order of its list. at: None where the list goes by number alone."""

    at: datetime | None
    id: str

    def __str__(self) -> str:
        micros = (self.at - _EPOCH) // _MICROSECOND if self.at else ""
        return f"{micros}_{self.id}"


@dataclass(frozen=True, slots=True)
class Page:
    """one_in: so many people does each stand for; 1 for itself alone."""

    rows: list[Any]
    newer: Key | None
    older: Key | None
    one_in: int = 1


def said(asked: Asked) -> tuple[str, str]:
    """Return what the rows are, as a title and a sentence. Raises BadQuestion for what the kind has not."""
    if asked.role and (asked.kind != PEOPLE or asked.role not in ROLES):
        raise BadQuestion("role", f"Of people, write one of {', '.join(ROLES)}; of anything else, none.")
    if _of_sets(asked):
        return row_sets.title(asked.which), row_sets.words(asked.which)
    which = _which(asked)
    return which.title, which.words


def page(
    asked: Asked, *, now: datetime, older_than: Key | None = None, newer_than: Key | None = None
) -> Page:
    """Return the page of rows that begins behind a key, or the first one.

    Raises BadQuestion for what the kind does not have, and TooBroad.
    """
    older_than, newer_than = _fitting(asked, older_than), _fitting(asked, newer_than)
    if _of_sets(asked):
        return _page_of_set(asked, now, older_than, newer_than)
    kind = KINDS[asked.kind]
    rows = _which(asked).narrow(kind.every(asked.question, now), asked.question, now)
    if asked.role:
        rows = rows.filter(role=asked.role)
    with bounded(TIME_LIMIT_MS):
        return Page(*_turned(rows, kind, older_than, newer_than))


def parse_key(raw: str) -> Key | None:
    """Return the key that `str(key)` had written, or None for anything else."""
    micros, _, row = raw.replace("\x00", "").partition("_")
    try:
        return Key(_EPOCH + timedelta(microseconds=int(micros)) if micros else None, row) if row else None
    except (ValueError, OverflowError):
        return None


def _fitting(asked: Asked, key: Key | None) -> Key | None:
    """Return a key that such rows can have; None for any other."""
    if key is None or (asked.kind == PEOPLE and not _NUMBER.fullmatch(key.id)):
        return None
    return key if (key.at is None) == _of_sets(asked) else None


def offered(kind: str) -> list[tuple[str, str]]:
    """Return what a kind may be asked for, as word and title. Steps of onboarding are left out: apps name
    them."""
    plain = [(name, which.title) for name, which in KINDS[kind].whiches.items()]
    return plain + (row_sets.offered() if kind == PEOPLE else [])


def _which(asked: Asked) -> Which:
    """Return what is asked for of a kind; raises BadQuestion."""
    if asked.kind == PEOPLE and (match := _STEP.fullmatch(asked.which)):
        return row_kinds.step(int(match[1]))
    found = KINDS[asked.kind].whiches.get(asked.which)
    if found is None:
        there = [word for word, _ in offered(asked.kind)] + (["step:1"] if asked.kind == PEOPLE else [])
        raise BadQuestion("which", f"There are no such rows. Write one of {', '.join(there)}.")
    return found


def _of_sets(asked: Asked) -> bool:
    return asked.kind == PEOPLE and bool(row_sets.title(asked.which))


def _turned(
    rows: Rows, kind: Kind, older_than: Key | None, newer_than: Key | None
) -> tuple[list[Any], Key | None, Key | None]:
    """Return a page's rows, and the keys for newer and older ones where there are any."""
    at, identity = kind.order
    key = newer_than or older_than
    side, sign = ("gt", "") if newer_than else ("lt", "-")
    if key:
        # The bound on the time alone is what the index goes by.
        rows = rows.filter(
            Q(**{f"{at}__{side}": key.at}) | Q(**{at: key.at, f"{identity}__{side}": key.id}),
            **{f"{at}__{side}e": key.at},
        )
    found = list(rows.order_by(f"{sign}{at}", f"{sign}{identity}")[: PAGE + 1])

    def key_of(row: Any) -> Key:
        return Key(getattr(row, at), str(getattr(row, identity)))

    return _ends(found, key_of, is_first=key is None, is_backwards=newer_than is not None)


def _page_of_set(asked: Asked, now: datetime, older_than: Key | None, newer_than: Key | None) -> Page:
    people = row_sets.members(asked.question, asked.which, asked.role, now=now)
    key = newer_than or older_than
    if newer_than:
        start = people.rank(int(newer_than.id))
        chosen = list(people[start : start + PAGE + 1])
    else:
        end = bisect_left(people, int(older_than.id)) if older_than else len(people)
        chosen = list(people[max(0, end - PAGE - 1) : end])[::-1]
    numbers, newer, older = _ends(
        chosen, lambda one: Key(None, str(one)), is_first=key is None, is_backwards=newer_than is not None
    )
    rows = Person.objects.in_bulk(numbers)
    return Page(
        # An erased one is in the sets of before, and has no row any more.
        [rows[number] for number in numbers if number in rows],
        newer,
        older,
        one_in=2 ** active_days.sample_level(),
    )


def _ends(
    found: list[Any], key_of: Callable[[Any], Key], *, is_first: bool, is_backwards: bool
) -> tuple[list[Any], Key | None, Key | None]:
    """Return the rows of a page, newest first, of one more than fit, and the keys of its ends."""
    is_more = len(found) > PAGE
    if is_backwards:
        shown = found[:PAGE][::-1]
        has_newer, has_older = is_more, bool(shown)
    else:
        shown = found[:PAGE]
        has_newer, has_older = bool(shown) and not is_first, is_more
    newer = key_of(shown[0]) if has_newer else None
    return shown, newer, key_of(shown[-1]) if has_older else None
