"""Placeholders for what the model's provider may not know: put in before it is asked, filled in after.

The rules: a known detail goes wherever it stands, in any case, with or without accents; addresses, numbers
and links of others go too. A person's name that nobody told us of cannot be known. An answer with a gap
that nothing fills is no answer.
"""

import re
from collections.abc import Iterable
from typing import Any

from sync.drafts.llm import details
from sync.drafts.llm.details import Details
from sync.drafts.llm.folding import Text

_EMAIL = re.compile(
    r"[\w.+\-%'!#$*^~&/=?|`]{1,96}(?:@|\s?[(\[]at[)\]]\s?)[^\W_](?:[\w\-]|\.(?=\w)|\s?[(\[]dot[)\]]\s?){1,120}"
)
_TOP = (
    "com|org|net|edu|gov|info|biz|io|co|me|eu|app|dev|example|test|fit|gym|coach|health|club|de|at|ch|fr|es|it|pt|nl|be|uk"
    "|ie|se|no|dk|fi|pl|cz|br|mx|us|ca|au|nz|in|jp|cn|kr|za|tv|ai|ly|gl|gg|to|link|page|site|online|shop|xyz"
)
_LINK = re.compile(
    r"\b[a-z][a-z0-9+.\-]{1,20}://\S+|\b(?:mailto|tel|sms|data|javascript):\S+|\bwww\.\S+"
    rf"|(?<![\w.])(?:[^\W_][\w\-]*\.)+(?:(?:{_TOP})(?![\w\-])(?:[:/?#]\S*)?|[a-z]{{2,24}}/\S*)"
)
# As people write them; a date is none.
_PHONE = re.compile(
    r"(?<![\w.])(?!\d{4}-\d\d-\d\d(?!\d)|\d{1,2}[./]\d{1,2}[./](?:19|20)\d\d(?!\d))"
    r"\+?\(?\d(?:[\s().\-/]{0,3}\d){6,17}(?!\w)"
)
_HANDLE = re.compile(r"(?<![\w@])@[\w.]{2,40}")
_MASKS = ((_EMAIL, "[email]"), (_LINK, "[link]"), (_PHONE, "[phone]"), (_HANDLE, "[handle]"))
_BRACES = re.compile(r"\{\{+|\}\}+")
_ID = re.compile(r"(?:^|_)(?:ids?|uuid|key|token|secret)$")
_MARK = re.compile(r"\{\{\s*([A-Za-z0-9_]{1,80})\s*\}\}")
# What a model writes where it did not know: half a placeholder, a mask of ours, a form's gap.
_GAP = re.compile(
    r"\{\{|\}\}|\{[A-Za-z_]+\}|\[(?:email|link|phone|handle|name|redacted|secret)\]"
    r"|\[(?:your|my|client|trainer|coach|first|last|insert|booking|date|time)\b[^\]\n]{0,40}\]",
    re.IGNORECASE,
)


class Missing(ValueError):
    """An answer has a gap that nothing fills, or lacks what it must say."""


class Scrubber:
    """Takes known details, and all addresses and numbers, out of texts; for one draft."""

    def __init__(self, known: Details) -> None:
        self._known = known
        self._hidden = known.hidden
        loud = [form for form in known.hidden if "@" in form or "/" in form or _PHONE.fullmatch(form)]
        self._loud = _any_of(loud)
        self._all = _any_of(known.hidden)

    def text(self, text: str) -> str:
        """Return a text with placeholders and masks in it."""
        # Nobody but us writes placeholders: a client could have somebody's number filled in.
        worked = Text(_BRACES.sub(lambda found: "(" if found[0][0] == "{" else ")", text))
        if self._loud:
            worked.replace(self._loud, self._instead)
        for pattern, mask in _MASKS:
            worked.replace(pattern, lambda _found, mask=mask: mask)  # type: ignore[misc]
        if self._all:
            worked.replace(self._all, self._instead)
        return str(worked)

    def _instead(self, found: re.Match[str]) -> str:
        return self._hidden[" ".join(found[0].split())]

    def facts(self, value: Any, path: tuple[str, ...] = ()) -> Any:
        """Return what the app knows, without details, ids, and what stands under persons."""
        if isinstance(value, dict):
            return {
                self.text(str(name)): self.facts(part, (*path, details.key(name)))
                for name, part in value.items()
                if not _is_left_out((*path, details.key(name)))
            }
        if isinstance(value, list):
            return [self.facts(part, path) for part in value]
        if path and (name := details.placeholder(path)) in self._known.values:
            return details.mark(name)
        if path and details.is_detail(path):
            return None
        if isinstance(value, str):
            return self.text(value)
        # A number as long as a telephone's may be one.
        is_long = isinstance(value, int | float) and len(str(value)) >= 7 and not isinstance(value, bool)
        return self.text(str(value)) if is_long else value


def fill(answer: str, values: dict[str, str], *, required: Iterable[str] = ()) -> str:
    """Return an answer with what its placeholders stand for; raises Missing.

    required: placeholders without which it is no answer.
    """
    used = {name.lower() for name in _MARK.findall(answer)}
    if not used <= values.keys() or not used.issuperset(required):
        raise Missing
    if _GAP.search(_MARK.sub("", answer)):
        raise Missing
    return _MARK.sub(lambda found: values[found[1].lower()], answer)


def _is_left_out(path: tuple[str, ...]) -> bool:
    return path[0] in (*details.PERSONS, "impact") or _ID.search(path[-1]) is not None


def _any_of(forms: Iterable[str]) -> re.Pattern[str] | None:
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile("|".join(map(_as_words, longest_first))) if longest_first else None


def _as_words(form: str) -> str:
    spaced = r"\s+".join(map(re.escape, form.split()))
    # Scripts without capitals write without spaces, or with prefixes.
    if any(letter.isalpha() and letter.upper() == letter.lower() for letter in form):
        return spaced
    # Ada, Ada's and Adas.
    return rf"(?<![^\W_]){spaced}(?=s?(?![^\W_]))" if form[-1].isalpha() else rf"(?<!\w){spaced}(?!\w)"
