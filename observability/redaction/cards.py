"""Numbers of payment cards and bank accounts: digits in fours, bare ones behind a word such as "card", IBANs.

The check digits decide, for parcels and orders have sixteen digits too.
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
# DE89 3704 0044 0532 0130 00
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
)
# By country: one id in a hundred has the right check digits, but hardly one the right length as well.
_IBAN_ROWS = """
    15NO 16BE 18DKFIFKFOGLNLSD 19MKSI 20ATBABAEEKZLTLUXK 21CHHRLILV 22BGBHCRDEGBGEIEMERSVA 23AEGIILIQOMSOTL
    24ADCZESMDPKROSASESKTNVG 25LYPTST 26ISTR 27BIDJFRGRITMCMRSM 28ALAZBYCYDOGTHULBNIPLSV 29BREGPSQAUA
    30JOKWMU 31MTSC 32LC 33RU
"""
_IBAN_LENGTHS = {row[at : at + 2]: int(row[:2]) for row in _IBAN_ROWS.split() for at in range(2, len(row), 2)}


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


def find_accounts(text: str, start: int, stop: int) -> Iterator[Span]:
    """Yield what to replace around the digits at start..stop: international bank account numbers."""
    for found in _IBAN.finditer(text, max(0, start - 16), min(len(text), stop + 24)):
        packed = found[0].replace(" ", "")
        if len(packed) == _IBAN_LENGTHS.get(packed[:2]) and _mod_97(packed):
            yield Span(found.start(), found.end(), REDACTED, RANK)


def _mod_97(packed: str) -> bool:
    return int("".join(str(int(c, 36)) for c in packed[4:] + packed[:4])) % 97 == 1


def _luhn(shape: str) -> bool:
    digits = [int(d) for d in reversed(shape) if d.isdigit()]
    doubled = (sum(divmod(2 * d, 10)) for d in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
