"""Which `name` in a text is a person's: {"contact": {"name": …}} is, {"calendar": {"name": …}} is not.

JSON and Python's reprs are read without parsing, for in a log they are cut off, quoted twice or in prose.
"""

import re
from dataclasses import dataclass, field

from observability.redaction.keys import Kind, classify, is_thing, is_wrapper

_MARK = re.compile(
    r"[A-Za-z_](?<!\w[A-Za-z_])[\w$\-]{0,64}+(?:(?P<sep>\\*[\"']?\s{0,2}[:=]\s{0,3})(?P<open>[{\[])?|(?P<call>\())"
    r"|(?P<other>[{\[(])|(?P<close>[}\])])"
)
_SIBLINGS = (Kind.EMAIL, Kind.PHONE, Kind.NAME, Kind.PRIVATE)
_SIBLING_WORDS = frozenset({"dnd"})


@dataclass(slots=True)
class _Frame:
    personal: bool
    decided: bool
    named_at: list[int] = field(default_factory=list)


def personal_names(text: str) -> set[int]:
    """Return where in `text` the keys `name` stand that belong to a person."""
    # The outermost frame is the text itself: a query string or a form, when it has & and no spaces.
    stack = [_Frame(personal=False, decided=not ("&" in text and " " not in text))]
    found: set[int] = set()
    for mark in _MARK.finditer(text):
        if mark["close"]:
            if len(stack) > 1:
                _leave(stack.pop(), found)
            continue
        opened = mark["open"] or mark["call"] or mark["other"]
        key = "" if mark["other"] else re.match(r"[\w$\-]+", mark[0])[0]  # type: ignore[index]
        kind = classify(key) if key else Kind.PLAIN
        frame = stack[-1]
        if mark["sep"]:
            if kind is Kind.BARE_NAME:
                frame.named_at.append(mark.start())
            elif not frame.decided and kind in _SIBLINGS:
                frame.personal = True
        if opened:
            inherited = frame.personal and (not key or is_wrapper(key))
            personal = kind is Kind.PERSON or inherited
            stack.append(_Frame(personal, decided=opened == "[" or is_thing(key)))
    for frame in stack:
        _leave(frame, found)
    return found


def _leave(frame: _Frame, found: set[int]) -> None:
    if frame.personal:
        found.update(frame.named_at)
