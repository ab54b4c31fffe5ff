"""What somebody could dial, read loosely: for places where a key or a word has said that there is a number.

The rule: a date is never one, whatever stands before it.
"""

import re

BARE = re.compile(r"(?:%2B|\+)?\(?\d(?:[ ]?[().\-/ ][ ]?[(]?\d|\d){5,16}(?![\w]|[.\-:]\d)", re.IGNORECASE)
DATE = re.compile(
    r"(?:\d{1,2}[./\- ]\d{1,2}[./\- ](?:19|20)\d\d|(?:19|20)\d\d[./\-](?:0[1-9]|1[0-2])[./\-][0-3]\d)(?!\d)"
    r"|(?:\d{1,3}\.){3}\d{1,3}(?![\d.])|(?:19|20)\d{6}(?!\d)"
)
_EXTENSION = re.compile(
    r"(?:[ ]?[,;]?[ ]?(?:x|ext\.?|extn\.?|extension|poste|#)[ .:=]{0,2}\d{1,6})(?!\w)", re.IGNORECASE
)
_BEFORE_EXTENSION = frozenset(" ,;xXeEpP#")


def match(text: str, at: int) -> int | None:
    """Return where the number at `at` ends, its extension included, or None where there is none."""
    found = BARE.match(text, at)
    if found is None or DATE.match(text, at):
        return None
    return with_extension(text, found.end())


def with_extension(text: str, end: int) -> int:
    """Return where an extension ends that follows the number which ends at `end`; `end` where none does."""
    if text[end : end + 1] not in _BEFORE_EXTENSION:
        return end
    found = _EXTENSION.match(text, end)
    return found.end() if found else end


def could_be_called(text: str) -> bool:
    """Tell whether the whole of `text` is digits that someone could call, as in {"from": "14155550123"}."""
    if not text.isdecimal():
        return False
    size = len(text)
    if size == 10:
        # Seconds since 1970 begin with 1 and are no one's number.
        return text[0] != "1"
    return size == 11 or (size == 12 and text[0] != "0")
