"""Redact one text. Linear in its length, which is capped; what is cut is not shown.

A text is scanned until nothing more is found: what the first pass took out may have hidden something, and
redacting twice has to be the same as once.
"""

import re
from collections.abc import Iterator, Sequence

from observability.redaction import emails, names, pairs, phones, placeholders, tokens
from observability.redaction.folding import fold
from observability.redaction.spans import Span, replace

LIMIT = 16 * 1024
_PASSES = 6
# Half of what a log line holds: words, times and UUIDs.
_HARMLESS = re.compile(
    r"[A-Za-z]{0,16}(?:\.[a-z]{1,16}){0,6}|\d{4}-\d\d-\d\d(?:[T ][\d:.]{1,20}(?:Z|[+\-]\d\d:\d\d)?)?"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)


def redact_text(text: str, known_names: Sequence[object] = ()) -> str:
    """Return `text` without what is personal or secret, at most LIMIT characters of it.

    Raises ArithmeticError when it does not settle; the caller shows nothing of it then.
    """
    if len(text) > LIMIT:
        text = placeholders.cut(text, LIMIT)
    if _HARMLESS.fullmatch(text) and not any(names.find(text, known_names)):
        return text
    for _ in range(_PASSES):
        folded = fold(text)
        spans = list(_find(folded.text, known_names))
        if not spans:
            return text
        redacted = replace(text, folded, spans)
        if len(redacted) > LIMIT:
            redacted = placeholders.cut(redacted, LIMIT)
        if redacted == text:
            return text
        text = redacted
    raise ArithmeticError("the text changes with every pass")


def _find(text: str, known_names: Sequence[object]) -> Iterator[Span]:
    yield from tokens.find(text)
    if ":" in text or "=" in text or "--" in text or "<" in text:
        yield from pairs.find(text)
    yield from emails.find(text)
    yield from phones.find(text)
    if known_names:
        yield from names.find(text, known_names)
