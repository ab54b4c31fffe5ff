"""A request's or answer's document as it may be kept and shown: its shape and its ids, no person's data.

The rule: what is not known to be harmless is masked. A name of a field decides, and then the value must
look like what the name promises.
"""

import re
from collections.abc import Callable
from typing import Any

MASK = "[masked]"
DEEPEST = 12
MOST_ITEMS = 50

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:\-]{0,127}", re.ASCII)
# Digits alone may be a phone number.
_DIGITS = re.compile(r"[0-9.:\-]{7,}", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_ID_NAME = re.compile(r"id|.*Ids?|assignedTo")
_WORD_NAMES = frozenset(
    {
        "appointmentStatus",
        "channel",
        "country",
        "direction",
        "error",
        "grant_type",
        "matchingField",
        "meetingLocationType",
        "messageType",
        "status",
        "timezone",
        "type",
        "userType",
        "user_type",
    }
)
_MOMENT_NAMES = frozenset(
    {"createdAt", "dateAdded", "dateUpdated", "dueDate", "endTime", "startTime", "updatedAt"}
)
_TEXT_NAMES = frozenset({"message", "msg", "error_description"})


def mask(document: Any, *, text: Callable[[str], str] | None = None) -> Any:
    """Return the document with everything masked that may be personal or secret.

    text: redacts GoHighLevel's words about an error (`message` beside a `statusCode`); without it they
    are masked whole.
    """
    return _masked(document, "", text, 0)


def _masked(value: Any, name: str, text: Callable[[str], str] | None, depth: int) -> Any:
    if depth > DEEPEST:
        return MASK
    if isinstance(value, dict):
        words = text if "statusCode" in value or "error" in value else None
        return {
            key if isinstance(key, str) and _NAME.fullmatch(key) else MASK: _masked(
                item, key, words, depth + 1
            )
            for key, item in list(value.items())[:MOST_ITEMS]
        }
    if isinstance(value, list):
        return [_masked(item, name, text, depth + 1) for item in value[:MOST_ITEMS]]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 10_000 or _is_figure(name) else MASK
    return _masked_text(value, name, text) if isinstance(value, str) else MASK


def _masked_text(value: str, name: str, text: Callable[[str], str] | None) -> str:
    if name in _TEXT_NAMES and text is not None:
        return text(value)
    if name in _MOMENT_NAMES and _MOMENT.fullmatch(value):
        return value
    if (
        (_ID_NAME.fullmatch(name) or name in _WORD_NAMES)
        and _ID.fullmatch(value)
        and not _DIGITS.fullmatch(value)
    ):
        return value
    return MASK


def _is_figure(name: str) -> bool:
    return name in {"statusCode", "total", "expires_in", "expiresIn"}
