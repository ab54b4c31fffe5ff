"""Redact one text. Linear in its length, which is capped; what is cut is not shown.

A text is scanned until nothing more is found: what the first pass took out may have hidden something, and
redacting twice has to be the same as once.
"""

import re
from collections.abc import Iterator

from observability.redaction import emails, names, pairs, phones, placeholders, tokens
from observability.redaction.folding import fold
from observability.redaction.settled import is_settled
from observability.redaction.spans import Span, replace

LIMIT = 16 * 1024
_PASSES = 6
# Half of what a log line holds: words, times and UUIDs.
_HARMLESS = re.compile(
    r"[A-Za-z]{0,16}(?:\.[a-z]{1,16}){0,6}|\d{4}-\d\d-\d\d(?:[T ][\d:.]{1,20}(?:Z|[+\-]\d\d:\d\d)?)?"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}"
)
# Names of events, loggers and services come again in every line: what was scanned once is remembered.
_MACHINE_WORDS = re.compile(r"[A-Za-z_.\-]{1,64}")
_MOST_REMEMBERED = 4096
_clean: set[str] = set()


def redact_text(text: str, known: names.Known = names.NOBODY) -> str:
    """Return `text` without what is personal or secret, at most LIMIT characters of it.

    Raises ArithmeticError when it does not settle; the caller shows nothing of it then.
    """
    if len(text) > LIMIT:
        text = placeholders.cut(text, LIMIT)
    if (text in _clean or _HARMLESS.fullmatch(text)) and not names.may_be_in(text, known):
        return text
    for turn in range(_PASSES):
        folded = fold(text)
        spans = sorted(_find(folded.text, known), key=_order)
        if not spans:
            if turn == 0 and not known.forms:
                _remember(text)
            return text
        redacted = replace(text, folded, spans)
        if len(redacted) > LIMIT:
            redacted = placeholders.cut(redacted, LIMIT)
        if redacted == text or is_settled(folded.text, spans, redacted):
            return redacted
        text = redacted
    raise ArithmeticError("the text changes with every pass")


def _remember(text: str) -> None:
    if len(text) <= 64 and _MACHINE_WORDS.fullmatch(text):
        if len(_clean) >= _MOST_REMEMBERED:
            _clean.clear()
        _clean.add(text)


def _order(span: Span) -> tuple[int, int, int, int]:
    """Whole spans come before their parts, and of equal ones that which shows least."""
    return span.start, -span.end, span.rank, len(span.shown)


def _find(text: str, known: names.Known) -> Iterator[Span]:
    yield from tokens.find(text)
    if ":" in text or "=" in text or "--" in text or "<" in text or "%3" in text:
        yield from pairs.find(text)
    yield from emails.find(text)
    yield from phones.find(text)
    if names.may_be_in(text, known):
        yield from names.find(text, known)
