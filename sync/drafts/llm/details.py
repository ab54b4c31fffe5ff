"""What the app knows about persons and bookings, as placeholders: read off a draft's context. Pure.

The rule: whatever stands under a client or a trainer is a detail of theirs, and whatever a key elsewhere
calls a name, an address or a number. What is no detail is on the short list of what is none.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from sync.drafts.llm.folding import fold
from sync.webhooks import fields

PERSONS = ("client", "trainer")
BOOKING_TIMES = ("starts_at", "previous_starts_at", "ends_at")
LONGEST_VALUE = 200
_MOST = 100
_DEEPEST = 6

_PERSONAL = re.compile(
    r"(?:^|_)(?:e?_?mails?|phones?|mobile|tel|telephone|whatsapp|address(?:es)?|street|postcode|zip|birth\w*|dob"
    r"|names?|firstname|lastname|surname|nickname|username|handle|instagram|facebook|linkedin|tiktok|twitter"
    r"|location|iban|ssn|passport)(?:$|_|\d)"
)
# A goal's name is what the message is about.
_NAMES_OF_THINGS = frozenset(
    [
        "goal",
        "goals",
        "program",
        "plan",
        "booking",
        "exercise",
        "workout",
        "challenge",
        "package",
        "service",
        "milestone",
        "metric",
    ]
)
_NO_DETAIL = frozenset(
    ["time_zone", "timezone", "tone", "language", "locale", "pronouns", "gender", "status", "level"]
)
_KEY = re.compile(r"[^a-z0-9]+")
_BRACES = re.compile(r"[{}\x00-\x1f\x7f]")
_PART = re.compile(r"[\s\-'\u2019.,]+")
_HANDLE = "[handle]"


@dataclass(frozen=True, slots=True)
class Details:
    """values: by placeholder, what it stands for. hidden: what texts may not say, and what they say then."""

    values: dict[str, str] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)


def mark(name: str) -> str:
    """Return a placeholder as texts hold it."""
    return "{{" + name + "}}"


def read(context: dict[str, Any], zone: tzinfo) -> Details:
    """Return the details of a context. zone: the reader's, in which a booking's time is written."""
    found: dict[str, str] = {}
    names: set[str] = set()
    for path, value in _leaves(context):
        if len(found) >= _MOST or not is_detail(path):
            continue
        if text := _value(value):
            name = placeholder(path)
            found[name] = text
            if "name" in path[-1] or path[-1] in PERSONS:
                names.add(name)
    for person in PERSONS:
        names |= _complete_names(found, person)
    hidden = _hidden(found, names)
    return Details(found | _times(context, zone), hidden)


def is_detail(path: tuple[str, ...]) -> bool:
    """Whether what stands at a path of keys is a detail of somebody."""
    if path[-1] in _NO_DETAIL:
        return False
    if path[0] in PERSONS:
        return True
    return any(
        _PERSONAL.search(key)
        for at, key in enumerate(path)
        if not (key == "name" and at and path[at - 1] in _NAMES_OF_THINGS)
    )


def placeholder(path: tuple[str, ...]) -> str:
    """Return the name of the placeholder for what stands at a path of keys."""
    return "_".join(path)[:60]


def key(name: object) -> str:
    """Return a key of JSON as paths have it."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(name))
    return _KEY.sub("_", fold(snake)).strip("_") or "x"


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if len(path) > _DEEPEST:
        return
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _leaves(part, (*path, key(name)))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            # Of a list of phones each is one; the second has a placeholder of its own.
            yield from _leaves(part, (*path[:-1], f"{path[-1]}_{number + 1}" if number else path[-1]))
    elif path:
        yield path, value


def _value(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return " ".join(_BRACES.sub(" ", str(value)).split())[:LONGEST_VALUE]


def _complete_names(found: dict[str, str], person: str) -> set[str]:
    """Add the full name or the first one where the app gives only the other."""
    first, last, full = (f"{person}_{name}" for name in ("first_name", "last_name", "name"))
    if person in found:
        found.setdefault(full, found[person])
    both = " ".join(found[name] for name in (first, last) if name in found)
    if both:
        found.setdefault(full, both)
    if full in found:
        found.setdefault(first, found[full].split()[0])
    return {name for name in (first, last, full) if name in found}


def _hidden(found: dict[str, str], names: set[str]) -> dict[str, str]:
    hidden: dict[str, str] = {}
    # The first name, where it is one, stands for what it is; whole names before their parts.
    order = sorted(found, key=lambda name: (name not in names, not name.endswith("first_name")))
    for name in order:
        _hide(hidden, found[name], mark(name))
    for name in order:
        value = found[name]
        if name in names:
            for part in _PART.split(value):
                _hide(hidden, part, mark(name))
            _hide(hidden, "".join(_PART.split(value)), mark(name))
        elif "@" in value:
            _hide(hidden, value.split("@")[0], _HANDLE, shortest=4)
    return hidden


def _hide(hidden: dict[str, str], value: str, by: str, *, shortest: int = 2) -> None:
    form = " ".join(fold(value).split())
    # A number of two digits is anybody's.
    if len(form) >= (5 if form.isdigit() else shortest):
        hidden.setdefault(form, by)


def _times(context: dict[str, Any], zone: tzinfo) -> dict[str, str]:
    booking = fields.child(context, "booking")
    found = {name: fields.moment(booking, name, zone=zone) for name in BOOKING_TIMES}
    return {f"booking_{name}": for_reader(at, zone) for name, at in found.items() if at}


def for_reader(at: datetime, zone: tzinfo) -> str:
    """Return a moment as a message says it: Tuesday 24 November at 9:00 am."""
    here = at.astimezone(zone)
    half = "am" if here.hour < 12 else "pm"
    return f"{here:%A} {here.day} {here:%B} at {here.hour % 12 or 12}:{here:%M} {half}"
