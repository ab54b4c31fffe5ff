"""Take personal data and secrets out of whatever is about to be written or sent.

One function for logs, Sentry, PostHog, stored requests and alerts. Keys decide for their values; texts are
scanned for email addresses, phone numbers, secrets, keyed values and known names. The rules:

- ids, amounts, dates and counts stay, for a log without them is none;
- fail-closed: what cannot be looked at, or is too much to look at, is not shown;
- twice is once: redact(redact(x)) == redact(x).

What it cannot know is a third person's name in free text, so bodies of messages are never logged at all.
"""

from collections.abc import Iterable
from typing import Any

from observability.redaction.names import known
from observability.redaction.placeholders import FAILED
from observability.redaction.values import Walk

__all__ = ["FAILED", "redact"]


def redact(value: Any, known_names: Iterable[object] = ()) -> Any:
    """Return a copy of `value` without personal data and secrets; never raises, never changes its input.

    value: a text, or dicts, lists, tuples and sets of them, nested. Numbers, times and UUIDs stay; objects of
    other types become "<Type>". known_names: full names of the user and contact at hand, hidden in texts.
    """
    try:
        return Walk(known((known_names,) if isinstance(known_names, str) else known_names)).value(value)
    except Exception:  # noqa: BLE001 - whatever went wrong, the value must not get out
        return FAILED
