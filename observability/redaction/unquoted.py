"""How far a value without quotes reaches: password=…, Phone: …, first_name=Jane Doe, Cookie: …"""

import re
from typing import NamedTuple

from observability.redaction import dialling, emails
from observability.redaction.keys import Kind, words_of
from observability.redaction.placeholders import EMAIL, NAME, PHONE, REDACTED, SECRET
from observability.redaction.shown import DONE, NETWORK, SCHEME
from observability.redaction.spans import KEYED, Span
from observability.redaction.vocabulary import ADDRESSES, HARMLESS_VALUES


class Key(NamedTuple):
    """A key in a text. quoted: as in JSON. separator: what stands between it and its value."""

    text: str
    kind: Kind
    quoted: bool
    separator: str

    @property
    def assigns(self) -> bool:
        """Tell whether this is a machine's pair rather than a word of prose with a colon."""
        return self.quoted or self.separator != ":"


_UNQUOTED = re.compile(r"[^\s&\"'<>]+")
_TO_LINE_END = re.compile(r"[^\r\n\"']+")
_NEXT_PAIR = re.compile(r"[,;][A-Za-z_][\w .\-]{0,40}[=:]")
_ALONE = re.compile(r"(?i)(?:bearer|basic|token|digest|apikey|negotiate)(?: token\b.*)?")
_HEADER = re.compile(r"(?i)(?:.*[-_.])?(?:authorization|cookie|signature|cookies)\Z")
# Digest username="…", realm="…", response="…"
_DIGEST = re.compile(r"(?i:digest)\s[^\r\n]*")
_COOKIE = re.compile(r"[^\s;\"']+(?:;\s?[^\s;\"',]+)*")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?![\w.\-])")
_ADDRESS_END = re.compile(r"[;|&\n\r\"<>\]})]|,?\s+[A-Za-z_][\w.\-]{0,40}\s?[=:]|,\s?['\"]")
# A date of birth or a document's number goes on for as long as there are digits: 17 May 1990, QQ 12 34 56 C.
_COMPACT = re.compile(
    r"(?i)(?=[\w/.\-]*\d)[\w/.\-]+(?:,?[ ](?:(?=[\w/.\-]*\d)[\w/.\-]+|[a-z](?!\w)"
    r"|(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-z]{0,6}\.?(?![\w=:]))(?![\w.\-]*[=:]))*"
)
_NAME_WORD = r"[^\W\d_](?:[^\W\d_]|['.\-])*+"
_NAME = re.compile(
    rf"{_NAME_WORD}(?:(?:[ ]|%20|\+)"
    rf"(?:(?=[^\W\d_a-z]|v[ao]n |de[rln]? |la |da |bin |al-)){_NAME_WORD}(?![\w]*[=:]))*"
)
_NAME_ENCODED = re.compile(r"(?:[^\s&\"'<>,;|)\]}])+")
# Where a value is to be put: %s, %(email)s, $1, ${EMAIL}, {email}.
_VARIABLE = re.compile(r"(?:%s|%\(\w+\)s|\$\d{1,2}|\$\{\w+\}|\{\w*\}|\?|:\w+)[,;)]*\Z")


def unbroken(text: str, at: int, key: Key) -> int:
    """Return where the run of characters at `at` ends that makes a value without quotes."""
    found = _UNQUOTED.match(text, at)
    if found is None:
        return at
    end = found.end()
    if following := _NEXT_PAIR.search(text, at, end):
        end = following.start()
    if key.quoted and (closing := re.compile(r"[,}\]]").search(text, at, end)):
        end = closing.start()
    while end > at and text[end - 1] in ",;.)]}\\":
        end -= 1
    return end


def secret(text: str, at: int, key: Key) -> Span | None:
    if key.separator == ":" and _HEADER.match(key.text) and not _is_harmless(text, at, key):
        pattern = _COOKIE if key.text.lower().endswith("cookies") else _TO_LINE_END
        found = pattern.match(text, at)
        scheme = SCHEME.match(text, at)
        if found and (
            _ALONE.fullmatch(found[0].strip()) or (scheme and _is_harmless(text, scheme.end(), key))
        ):
            return None
        if scheme and _UNQUOTED.match(text, scheme.end()):
            # Authorization: Bearer x: the rest of the line may be worth keeping.
            if DONE.match(text, at):
                return None
            digest = _DIGEST.match(text, at)
            end = digest.end() if digest else unbroken(text, scheme.end(), key)
            return Span(scheme.end(), end, SECRET, KEYED)
        return Span(at, found.end(), SECRET, KEYED) if found else None
    end = unbroken(text, at, key)
    if end == at or _is_harmless(text, at, key):
        return None
    value = text[at:end]
    if key.kind is Kind.TOKENS and NUMBER.match(value):
        return None
    short = key.text.lower()
    if short in ("pass", "pin", "auth", "sig") and not key.assigns and not _spells_secret(text, at, value):
        return None
    if short == "pwd" and value.startswith("/"):
        return None
    scheme = SCHEME.match(text, at)
    if scheme and (token := _UNQUOTED.match(text, scheme.end())):
        return Span(scheme.end(), token.end(), SECRET, KEYED)
    return Span(at, end, SECRET, KEYED)


def _spells_secret(text: str, at: int, value: str) -> bool:
    """Tell pass:hunter2 and "pass: p@ss" from a test's "pass: login"."""
    glued = text[at - 1] == ":" and any(map(str.isdigit, value))
    return glued or re.search(r"\d{4}|[^\w\s]", value) is not None


def _is_harmless(text: str, at: int, key: Key) -> bool:
    """Tell whether the value is a word about it: "password: required", "token=None"."""
    found = _UNQUOTED.match(text, at)
    if found is None:
        return True
    if _VARIABLE.match(found[0]):
        return True
    word = found[0].rstrip(",;.:!?)}]\\").lower()
    if not word:
        return True
    return word in HARMLESS_VALUES or (key.kind is Kind.SECRET and set(word) <= {"*"})


def phone(text: str, at: int, key: Key) -> Span | None:
    end = dialling.match(text, at)
    if end is not None:
        return Span(at, end, PHONE, KEYED)
    found = re.compile(r"\+?[\d(][\d().\-/]{3,}(?:[ ][\d(][\d().\-/]*)*").match(text, at)
    if found and sum(map(str.isdigit, found[0])) >= 4:
        end = found.end()
        while text[end - 1] in "./-(":
            end -= 1
        return Span(at, end, PHONE, KEYED)
    if key.assigns and not _is_harmless(text, at, key):
        end = unbroken(text, at, key)
        if any(map(str.isdigit, text[at:end])) and end > at:
            return Span(at, end, PHONE, KEYED)
    return None


def email(text: str, at: int, key: Key) -> Span | None:
    end = unbroken(text, at, key)
    value = text[at:end]
    if not key.assigns or not value or "@" in value or "%40" in value or _is_harmless(text, at, key):
        return None
    if value.isdigit() or emails.keyed(value) != EMAIL or text[end : end + 1] in ("[", "<"):
        return None
    following = text[end : end + 24]
    return None if re.match(r"\s*[\[({]at[\])}]|\s*<", following) else Span(at, end, EMAIL, KEYED)


def name(text: str, at: int, key: Key) -> Span | None:
    if _is_harmless(text, at, key):
        return None
    found = _NAME.match(text, at)
    if found is None or "%" in text[at : at + 40] or "+" in text[at : at + 40]:
        encoded = _NAME_ENCODED.match(text, at) if key.assigns else None
        if encoded is None and found is None:
            return None
        found = encoded if encoded and (found is None or encoded.end() > found.end()) else found
    assert found is not None
    end = found.end()
    if found[0].islower() and re.search(r"full|contact|client|display|name\Z", key.text.lower()):
        second = re.compile(rf"[ ]({_NAME_WORD})(?!\w*[=:(])").match(text, end)
        if (
            second
            and second[1].islower()
            and second[1] not in HARMLESS_VALUES
            and not re.search(r"first|last|sur|given|user", key.text.lower())
        ):
            end = second.end()
    while end > at and text[end - 1] in ".,-":
        end -= 1
    return Span(at, end, NAME, KEYED) if end > at else None


def _of_an_address(key: str) -> bool:
    words = words_of(key)
    return not ADDRESSES.isdisjoint(words) or not {"street", "house", "place", "line", "address"}.isdisjoint(
        words
    )


def private(text: str, at: int, key: Key) -> Span | None:
    if NETWORK.match(text, at) or _is_harmless(text, at, key):
        return None
    compact = None if _of_an_address(key.text) else _COMPACT.match(text, at)
    stop = compact or _ADDRESS_END.search(text, at)
    end = (stop.end() if compact else stop.start()) if stop else len(text)
    if key.quoted:
        end = unbroken(text, at, key)
    value = text[at:end].rstrip(" .,\\")
    if not value or (not key.assigns and not any(map(str.isdigit, value))):
        return None
    if re.fullmatch(r"[\w-]+\.(?:zip|gz)", value):
        return None
    return Span(at, at + len(value), REDACTED, KEYED)
