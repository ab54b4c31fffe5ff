"""How wide text is in a picture, and how it is cut and shortened where there is no room for all of it.

The rule: widths are guessed on the wide side, since the reader's font is not known; what is cut stands in
full in the table.
"""

import unicodedata
from collections.abc import Sequence
from datetime import date, datetime

from trainu.admin_rendering import seen

# Sizes of text in units of the pictures, which are nearly pixels.
SIZE, SMALL = 12, 11
_NARROW = frozenset("iljtfrI.,:;'|!()[]- \u00a0")
_BROAD = frozenset("mwMW@%<>=+~#&…")


def width(text: str, size: float = SIZE) -> float:
    """Return about how wide a text is drawn."""
    return sum(_wide(character) for character in text) * size


def cut(text: str, room: float, size: float = SIZE) -> str:
    """Return as much of a text as there is room for; hidden marks in it are spelt out."""
    shown = seen(" ".join(text.split()))
    if width(shown, size) <= room:
        return shown
    while shown and width(f"{shown}…", size) > room:
        shown = shown[:-1]
    return f"{shown.rstrip()}…"


def moments(labels: Sequence[str]) -> list[str]:
    """Return days and hours in short, as they stand below an axis; anything else as it is.

    2026-11-28 becomes 28 Nov, and in a period of several years Nov 2026; the hours of a day 14:00.
    """
    days = [_moment(label) for label in labels]
    known = [day for day in days if day is not None]
    is_long = bool(known) and known[0].year != known[-1].year and (known[-1] - known[0]).days > 180
    return [_short(label, day, is_long=is_long) for label, day in zip(labels, days, strict=True)]


def days(labels: Sequence[str]) -> list[str]:
    """Return days in short, such as 28 Nov, with their year where it is not the same for all."""
    found = [_moment(label) for label in labels]
    years = {day.year for day in found if day is not None}
    return [
        seen(label) if day is None else f"{day.day} {day:%b %Y}" if len(years) > 1 else f"{day.day} {day:%b}"
        for label, day in zip(labels, found, strict=True)
    ]


def _moment(label: str) -> datetime | None:
    try:
        return datetime.fromisoformat(label).replace(tzinfo=None)
    except ValueError:
        return None


def _short(label: str, moment: datetime | None, *, is_long: bool) -> str:
    if moment is None:
        return seen(label)
    if len(label) > len(date.min.isoformat()):
        return f"{moment:%H:%M}" if moment.hour or moment.minute else f"{moment.day} {moment:%b}"
    return f"{moment:%b %Y}" if is_long else f"{moment.day} {moment:%b}"


def _wide(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    if character in _NARROW:
        return 0.4
    if character in _BROAD:
        return 0.95
    return 0.72 if character.isupper() else 0.63
