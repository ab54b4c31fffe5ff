"""Numbers of payment cards: digits in fours, or bare ones behind a word such as "card".

The check digit decides, for parcels and orders have sixteen digits too.
"""

import re
from collections.abc import Iterator

from observability.redaction.placeholders import REDACTED
from observability.redaction.spans import PHONE as RANK
from observability.redaction.spans import Span

_CARD = re.compile(
    r"(?<![\d\w.\-])(?:\d{4}([ \-])\d{4}\1\d{4}\1\d{1,7}|3[47]\d\d([ \-])\d{6}\2\d{5})(?![\d\w])"
)
_CARD_WORD = re.compile(r"(?i)\b(?:card|visa|mastercard|amex|pan|cc)\b[^\d\n]{0,20}\Z")
_BARE_CARD = re.compile(r"\d{13,19}(?!\w)")


def find(text: str, start: int, stop: int) -> Iterator[Span]:
    """Yield what to replace among the digits at start..stop of folded `text`."""
    for found in _CARD.finditer(text, start, stop):
        if _luhn(found[0]):
            yield Span(found.start(), found.end(), REDACTED, RANK)
    if (
        (bare := _BARE_CARD.match(text, start))
        and _CARD_WORD.search(text, max(0, start - 32), start)
        and _luhn(bare[0])
    ):
        yield Span(start, bare.end(), REDACTED, RANK)


def _luhn(shape: str) -> bool:
    digits = [int(d) for d in reversed(shape) if d.isdigit()]
    doubled = (sum(divmod(2 * d, 10)) for d in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
