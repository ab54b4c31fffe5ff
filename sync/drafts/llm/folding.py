"""Texts as they are compared: without case, accents, widths and what cannot be seen. Pure.

The rule: what is found in the folded text is replaced in the text itself, never the other way round.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

# One character for each thing that was taken out, from a plane that no language writes with.
_FIRST_TOKEN, _LAST_TOKEN = 0xF0000, 0xFFFFD
_TOKENS = re.compile(f"[{chr(_FIRST_TOKEN)}-{chr(_LAST_TOKEN)}]")


def fold(text: str) -> str:
    """Return a text as it is compared."""
    if text.isascii():
        return text.lower()
    return "".join(part for _, part in _folded(text))


class Text:
    """A text in which parts are replaced one after another; what was replaced once is not looked at again."""

    def __init__(self, text: str) -> None:
        self._text = _TOKENS.sub("", text)
        self._kept: list[str] = []

    def replace(self, pattern: re.Pattern[str], by: Callable[[re.Match[str]], str]) -> None:
        """Replace what a pattern finds in the folded text."""
        folded, places = _with_places(self._text)
        pieces, done = [], 0
        for found in pattern.finditer(folded):
            if found.end() == found.start() or len(self._kept) > _LAST_TOKEN - _FIRST_TOKEN:
                continue
            start = places[found.start()]
            if start < done:
                continue
            # Accents and the like that hang on the last character go with it.
            end = places[found.end()] if found.end() < len(places) else len(self._text)
            pieces += [self._text[done:start], chr(_FIRST_TOKEN + len(self._kept))]
            self._kept.append(by(found))
            done = max(end, start + 1)
        self._text = "".join([*pieces, self._text[done:]])

    def __str__(self) -> str:
        return _TOKENS.sub(lambda token: self._kept[ord(token[0]) - _FIRST_TOKEN], self._text)


def _with_places(text: str) -> tuple[str, Sequence[int]]:
    """Return a folded text, and where each of its characters stands in the text itself."""
    if text.isascii():
        return text.lower(), range(len(text))
    pairs = list(_folded(text))
    return "".join(part for _, part in pairs), [at for at, part in pairs for _ in part]


def _folded(text: str) -> Iterator[tuple[int, str]]:
    for at, character in enumerate(text):
        if character.isascii():
            yield at, character.lower()
            continue
        parts = unicodedata.normalize("NFKD", character)
        kept = "".join(part for part in parts if unicodedata.category(part) not in ("Mn", "Cf"))
        if kept:
            yield at, unicodedata.normalize("NFKD", kept.casefold())
