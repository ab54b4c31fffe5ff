"""Where a page of a list ended, written as one word for the next page's address.

The rule: only what was written here is read again; the lists of the API and of the admin share it.
"""

import re
from datetime import UTC, datetime, timedelta

from sync.dead_letters.refusal import Refused

Position = tuple[datetime, int]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WRITTEN = re.compile(r"(-?[0-9]{1,18})-([0-9]{1,19})")


def written(position: Position | None) -> str | None:
    """Return a moment and an id as one word, None at a list's end."""
    if position is None:
        return None
    at, id = position
    return f"{(at - _EPOCH) // timedelta(microseconds=1)}-{id}"


def read(word: str | None) -> Position | None:
    """Return what `written` wrote, None for nothing; raises Refused, code "invalid_cursor"."""
    if not word:
        return None
    parts = _WRITTEN.fullmatch(word)
    try:
        found = (_EPOCH + timedelta(microseconds=int(parts[1])), int(parts[2])) if parts else None
    except OverflowError:
        found = None
    if found is None or not 0 < found[1] < 2**63:
        raise Refused("invalid_cursor", "Pass the cursor of the page before, as it was given.")
    return found
