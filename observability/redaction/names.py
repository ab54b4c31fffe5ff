"""Names that the caller knows: those of the user and the contact at hand.

Looked for by str.find, never compiled: each contact is a new set of names, and compiling one costs more than
redacting ten lines.
"""

import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import permutations
from typing import NamedTuple
from urllib.parse import quote

from observability.redaction.folding import fold
from observability.redaction.placeholders import NAME
from observability.redaction.spans import NAME as RANK
from observability.redaction.spans import Span
from observability.redaction.vocabulary import NAME_PARTICLES, NAMES_THAT_ARE_WORDS

_LETTER = re.compile(r"[^\W\d_]")
_MOST_NAMES = 50
_LONGEST = 120
_SEPARATORS = (" ", "  ", "+", "%20", "%2b", ".", "_", "-", "", ", ", ",", "\t")
_TRANSLITERATED = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "Ä": "Ae",
        "Ö": "Oe",
        "Ü": "Ue",
        "ß": "ss",
        "ø": "oe",
        "å": "aa",
        "æ": "ae",
    }
)


class _Needle(NamedTuple):
    """What to look for. caseless: in the text in lower case. free: also inside of a longer run of letters."""

    text: str
    caseless: bool
    free: bool


class _Form(NamedTuple):
    """How a name may be written. Text with none of the gates has no form of it, and text that has nothing of
    one of the wholes has no full form."""

    gates: tuple[str, ...]
    wholes: tuple[tuple[str, ...], ...]
    full: tuple[_Needle, ...]
    parts: tuple[_Needle, ...]


class Known(NamedTuple):
    """The names to look for, in all forms. Text without any of the gates, in lower case, has none of them."""

    forms: tuple[_Form, ...]
    gates: tuple[str, ...]


NOBODY = Known((), ())


def known(names: Iterable[object]) -> Known:
    """Return what to look for; names without a letter are none."""
    said = tuple(name[:_LONGEST] for name in names if isinstance(name, str) and _LETTER.search(name))
    return _known(said[:_MOST_NAMES]) if said else NOBODY


@lru_cache(maxsize=256)
def _known(names: tuple[str, ...]) -> Known:
    forms = tuple(map(_form, names))
    return Known(forms, tuple(dict.fromkeys(gate for form in forms for gate in form.gates)))


def may_be_in(text: str, known: Known) -> bool:
    """Tell whether `text`, folded or without anything to fold, has the beginning of a known name."""
    if known.gates:
        lower = text.lower()
        for gate in known.gates:
            if gate in lower:
                return True
    return False


def find(text: str, known: Known) -> Iterator[Span]:
    """Yield what to replace in folded `text`: full names in any case, their parts in exact or upper case."""
    lower = text.lower()
    for form in known.forms:
        if not any(gate in lower for gate in form.gates):
            continue
        whole = all(any(part in lower for part in parts) for parts in form.wholes)
        for needle in (*form.full, *form.parts) if whole else form.parts:
            yield from _occurrences(lower if needle.caseless else text, needle)


def _occurrences(text: str, needle: _Needle) -> Iterator[Span]:
    at = text.find(needle.text)
    while at >= 0:
        end = at + len(needle.text)
        if needle.free or _stands_alone(text, at, end, needle) or _encoded_border(text, at, end):
            yield Span(at, end, NAME, RANK)
        at = text.find(needle.text, end)


def _border(text: str, at: int) -> bool:
    return (
        not 0 <= at < len(text) or not text[at].isalnum() or (not text[at].isascii() and _is_dense(text[at]))
    )


def _stands_alone(text: str, at: int, end: int, needle: _Needle) -> bool:
    """Tell whether the name is no part of a longer word; a number may follow a full one, as in janedoe99."""
    numbered = needle.caseless and len(needle.text) > 5 and text[end : end + 1].isdigit()
    return _border(text, at - 1) and (numbered or _border(text, end))


def _encoded_border(text: str, start: int, end: int) -> bool:
    """Tell whether %20, \\n or the like stands before a name, and the end is a border."""
    before = text[max(0, start - 3) : start]
    encoded = (before[:1] == "%" and len(before) == 3) or (before[-2:-1] == "\\" and before[-1] in "nrt")
    return encoded and (_border(text, end) or text[end] == "%")


@lru_cache(maxsize=512)
def _form(name: str) -> _Form:
    name = " ".join(name.split())
    spellings = list(dict.fromkeys((fold(name).text, fold(name.translate(_TRANSLITERATED)).text)))
    full: dict[_Needle, None] = {}
    parts: dict[_Needle, None] = {}
    for spelling in spellings:
        for needle in _forms(spelling):
            (full if needle.caseless and len(_split(spelling)) > 1 and not needle.free else parts)[needle] = (
                None
            )
    for encoded in _encodings(name):
        parts[_Needle(encoded.lower(), caseless=True, free=False)] = None
    gates = dict.fromkeys(needle.text.lower() for needle in (*full, *parts))
    shortest = tuple(g for g in gates if not any(other != g and other in g for other in gates))
    ends = [(words[0].lower(), words[-1].lower()) for words in map(_split, spellings) if words]
    return _Form(shortest, tuple(zip(*ends, strict=True)), tuple(full), tuple(parts))


def _split(name: str) -> list[str]:
    """Return the words of a name, "Doe, Jane" too."""
    words = [word.strip(",.") for word in name.replace(",", ", ").split()]
    return [word for word in words if word]


def _forms(name: str) -> Iterator[_Needle]:
    words = _split(name)
    named = [word for word in words if word.lower() not in NAME_PARTICLES]
    parts = [word for word in named if len(word) > 1 or _is_dense(word)]
    if any(map(_is_dense, name)):
        yield _Needle("".join(words).lower(), caseless=True, free=True)
    if len(words) == 1:
        yield from _part(words[0])
        if len(words[0]) > 1 and words[0].lower() not in NAMES_THAT_ARE_WORDS:
            yield _Needle(words[0].lower(), caseless=True, free=False)
        return
    orders = [words, [words[-1], *words[:-1]]]
    if len(parts) > 1:
        orders += [list(pair) for pair in permutations((parts[0], parts[-1]))]
    for order in orders:
        for separator in _SEPARATORS:
            yield _Needle(separator.join(order).lower(), caseless=True, free=False)
    for part in parts:
        yield from _part(part)


def _part(part: str) -> Iterator[_Needle]:
    """Yield the forms of a first or last name: as given, capitalised, in upper case; and its own parts."""
    free = len(part) > 1 and all(map(_is_dense, part))
    for form in dict.fromkeys((part, part.capitalize(), part.title(), part.upper())):
        if len(form) > 1 and form[0] == form[0].upper():
            yield _Needle(form, caseless=False, free=free)
            if form == part and "'" in form:
                # As systems write it: O&#39;Neil, O%27Neil, ONeil.
                yield from (
                    _Needle(form.replace("'", code), False, False) for code in ("&#39;", "&#x27;", "%27", "")
                )
    if "-" in part:
        yield from (form for piece in part.split("-") if len(piece) > 2 for form in _part(piece))


def _encodings(name: str) -> Iterator[str]:
    """Yield the name and its parts in percent code and in JSON's, where those differ from the plain form."""
    if name.isascii():
        return
    for text in (name, *name.split()):
        if not text.isascii() and len(text) > 1:
            yield quote(text)
            yield quote(text).replace("%20", "+")
            yield json.dumps(text)[1:-1]


def _is_dense(character: str) -> bool:
    """Tell whether the character belongs to a script that writes words without spaces."""
    return (
        "\u3040" <= character[:1] <= "\u9fff"
        or "\uac00" <= character[:1] <= "\ud7af"
        or "\u0e00" <= character[:1] <= "\u0eff"
    )
