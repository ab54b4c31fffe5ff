"""Where a page of a list ended, written as one word for the next page's address.

The rule: only what was written here is read again; what cannot be read is no position.
"""

import re
from datetime import UTC, datetime, timedelta

Position = tuple[datetime, int]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WRITTEN = re.compile(r"([0-9]{1,17})-([0-9]{1,18})")


class Unreadable(ValueError):
    """The word was not written here; str(): what to do."""


def written(position: Position | None) -> str:
    """Return a moment and an id as one word; empty at a list's end."""
    return f"{(position[0] - _EPOCH) // timedelta(microseconds=1)}-{position[1]}" if position else ""


def read(word: str | None) -> Position | None:
    """Return what `written` wrote; None for nothing. Raises Unreadable."""
    if not word:
        return None
    parts = _WRITTEN.fullmatch(word)
    try:
        found = (_EPOCH + timedelta(microseconds=int(parts[1])), int(parts[2])) if parts else None
    except OverflowError:
        found = None
    if found is None:
        raise Unreadable("Pass the cursor of the page before, as it was given.")
    return found
