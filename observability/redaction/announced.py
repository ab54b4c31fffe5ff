"""Bare digits that the words around them make a telephone number: "call 4155550123", "… is not a phone".

The rule: digits alone are ids; a word such as "call" before them, or "is not a valid phone" behind, decides
otherwise, and a unit behind them decides against.
"""

import re
from collections.abc import Iterator

from observability.redaction import dialling
from observability.redaction.placeholders import PHONE
from observability.redaction.spans import PHONE as RANK
from observability.redaction.spans import Span
from observability.redaction.vocabulary import PHONE_PHRASES, PHONE_WORDS

# No border before the words: searching for one at every character takes twice as long.
_WORD = re.compile("|".join(sorted(map(re.escape, [*PHONE_WORDS, *PHONE_PHRASES]), key=len, reverse=True)))
# What may stand between the word and the number: "call me at", "phone no. is", "tel (mobile):"
_BETWEEN = re.compile(
    r"(?:[\s:=.#\"'()\[\]>_/*,;是号码は番号-]|(?<![A-Za-z])(?:number|numbers|no|nr|num|me|us|him|her|them|is|was|at|on|my|"
    r"the|to|via|back|now|please|home|work|cell|mobile|office|direct|line|type|voice|pref|uri|tel|sms|or|either|our|your|"
    r"client|their|his|hers|new|old|changed|instead|anytime|today|tomorrow|asap|value|text|call|phone|whatsapp|from|"
    r"with|reached|support|a|up|al|el|le|au|numero|numer|nummer|unter|auf|bei|por|kom)(?![A-Za-z])){0,12}",
    re.IGNORECASE,
)
# call 1234567 ms, text 1234567 bytes
_UNIT = re.compile(
    r"(?i)[ ]?(?:bytes?|[kmg]i?b|chars?|characters|[mnu]?s|sec|seconds|minutes|min|hours|rows|times|users"
    r"|sessions|calls|messages|items|records|lines|attempts|contacts|usd|eur|gbp|%)(?!\w)"
)
_NAMED_AFTER = re.compile(
    r"(?i)[\"')\]]{0,2}[ ](?:(?:is|was|as)[ ](?:(?:not|no|an?|the|your|his|her|their|valid|invalid|registered"
    r"|correct|real|mobile|us|uk|known|unknown)[ ]){0,5}|\()"
    r"(?:phone|telephone|mobile|cell|landline|fax|whatsapp|msisdn)\b"
)


def find(text: str) -> Iterator[Span]:
    """Yield the numbers in folded `text` that a word before them announces."""
    lower = text.lower()
    for word in _WORD.finditer(lower):
        at, end = word.span()
        before, after = lower[at - 1 : at], lower[end : end + 1]
        glued = before.isascii() and before.isalnum() and word[0].isascii()
        if not glued and not (after.isascii() and after.isalpha()):
            yield from _behind(text, end)


def named_after(text: str, start: int, stop: int) -> bool:
    """Tell whether what follows the digits at start..stop says that they were a telephone number."""
    if text[stop : stop + 1] not in "\"')] (" or not _NAMED_AFTER.match(text, stop):
        return False
    end = dialling.match(text, start)
    return end is not None and end >= stop


def _behind(text: str, end: int) -> Iterator[Span]:
    filler = _BETWEEN.match(text, end)
    at = filler.end() if filler else end
    # The filler may have eaten the bracket of (415).
    if text[at - 1 : at] == "(":
        at -= 1
    stop = dialling.match(text, at)
    if stop is None or _UNIT.match(text, stop):
        return
    before = text[at - 1]
    if sum(map(str.isdigit, text[at:stop])) >= 7 and not (before.isascii() and before.isalnum()):
        yield Span(at, stop, PHONE, RANK)
