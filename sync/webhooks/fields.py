"""Single values out of GoHighLevel's bodies: ids, moments, words. Whatever does not fit is not there.

The rule: nothing here raises, whatever it is given; what comes out fits into a column and into an event.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

Document = dict[str, Any]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:\-]{0,63}", re.ASCII)
_NOT_IN_WORD = re.compile(r"[^a-z0-9]+")
_LONGEST_WORD = 40
_MOST_PARTS = 4
_DIGITS = re.compile(r"\d{5,}")
# Milliseconds since 1970 from here on, seconds below: the year 1973 and the year 5138.
_MILLISECONDS_FROM = 100_000_000_000
_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def child(document: Document, *names: str) -> Document:
    """Return the object under the first of the names that has one, or an empty one."""
    for name in names:
        found = document.get(name)
        if isinstance(found, dict):
            return found
    return {}


def identifier(document: Document, *names: str) -> str:
    """Return the first of the fields that holds an id, or an empty text."""
    for value in _values(document, names):
        if isinstance(value, str) and _ID.fullmatch(value.strip()):
            return value.strip()
    return ""


def moment(document: Document, *names: str, zone: tzinfo = UTC) -> datetime | None:
    """Return the first of the fields that holds a moment, in UTC.

    zone: of one that is written without an offset. Numbers are seconds or milliseconds since 1970.
    """
    for value in _values(document, names):
        found = _moment(value, zone)
        if found is not None:
            return found
    return None


def word(document: Document, *names: str) -> str | None:
    """Return the first of the fields as a word in snake case.

    Staff and forms write freely into such fields: what is long, or has an address or a number in it, is
    no word, for it may be about a person.
    """
    for value in _values(document, names):
        if not isinstance(value, str) or "@" in value or len(value) > _LONGEST_WORD or _DIGITS.search(value):
            continue
        parts = [part for part in _NOT_IN_WORD.split(value.lower()) if part]
        if 0 < len(parts) <= _MOST_PARTS:
            return "_".join(parts)
    return None


def zone_of(name: object, otherwise: str) -> tzinfo:
    """Return the time zone of a name, else of the other one, else UTC."""
    return next((found for one in (name, otherwise) if (found := _zone(one))), UTC)


def is_zone(name: object) -> bool:
    """Whether a name is a time zone's."""
    return _zone(name) is not None


def _zone(name: object) -> tzinfo | None:
    if not isinstance(name, str) or not name:
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        # KeyError: ZoneInfoNotFoundError; OSError: a name that is a folder or too long.
        return None


def _values(document: Document, names: tuple[str, ...]) -> Iterator[Any]:
    return (document[name] for name in names if document.get(name) not in (None, ""))


def _moment(value: object, zone: tzinfo) -> datetime | None:
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value.strip())
            found = found if found.tzinfo else found.replace(tzinfo=zone)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
            found = datetime.fromtimestamp(seconds, UTC)
        else:
            return None
        found = found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found if _FIRST <= found < _LAST else None
