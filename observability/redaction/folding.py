"""See through the ways of writing one character: accents, full width, odd spaces and dashes, invisible ones.

Detectors read folded text, in which every character stands for one of the original, so that what they
find maps back. The text that is shown is always the original.
"""

import unicodedata
from dataclasses import dataclass

_SPECIAL = {
    **dict.fromkeys("\u2018\u2019\u02bc\u2032`\xb4", "'"),
    **dict.fromkeys("“”„″", '"'),
    **dict.fromkeys("\u2212\u2043\u2010\u2011\u2012\u2013\u2014", "-"),
    **dict(zip("ßæœøđðłıþÆŒØĐÐŁÞ", "saoodd" + "litAOODDLT", strict=True)),
}
_MOST = 20_000


class _Table(dict[int, int | None]):
    """How one character folds: to one other, to itself, or to nothing. Filled as characters appear."""

    def __missing__(self, code: int) -> int | None:
        if len(self) > _MOST:
            self.clear()
        folded = _fold_character(chr(code))
        self[code] = ord(folded) if folded else None
        return self[code]


def _fold_character(character: str) -> str:
    if character < "\x80":
        return character
    if character in _SPECIAL:
        return _SPECIAL[character]
    category = unicodedata.category(character)
    if category in ("Mn", "Me", "Cf"):
        return ""
    if category == "Zs":
        return " "
    if category == "Nd":
        return str(unicodedata.decimal(character))
    plain = [c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c)]
    return plain[0] if len(plain) == 1 else character


_table = _Table()


@dataclass(frozen=True, slots=True)
class Folded:
    """Folded text, and where each of its characters stood (None: at the same place)."""

    text: str
    offsets: list[int] | None = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return the place in the original of what stands at start..end here."""
        if self.offsets is None:
            return start, end
        return self.offsets[start], self.offsets[end]


def fold(text: str) -> Folded:
    """Return `text` with each character in its plainest form; invisible and combining ones are dropped."""
    if text.isascii():
        return _without_escapes(text, None)
    folded = text.translate(_table)
    if len(folded) == len(text):
        return _without_escapes(folded, None)
    offsets = [at for at, character in enumerate(text) if _table[ord(character)] is not None]
    return _without_escapes(folded, [*offsets, len(text)])


def _without_escapes(text: str, offsets: list[int] | None) -> Folded:
    """Drop the backslashes of https:\\/\\/host, as PHP writes JSON."""
    if "\\/" not in text:
        return Folded(text, offsets)
    kept = [at for at in range(len(text)) if not text.startswith("\\/", at)]
    places = [offsets[at] for at in kept] if offsets else kept
    return Folded(text.replace("\\/", "/"), [*places, offsets[-1] if offsets else len(text)])
