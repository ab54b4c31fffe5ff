"""How far a value reaches that follows a key in a text: a quotation, a container, or to where it must end."""

import re

from observability.redaction import dialling, emails, unquoted
from observability.redaction.keys import Kind
from observability.redaction.placeholders import NAME, PHONE, SECRET
from observability.redaction.shown import DONE, NETWORK, PERSON, SCHEME, SHOWN, is_done, looks_random
from observability.redaction.spans import KEYED, Span
from observability.redaction.unquoted import NUMBER, Key

_OPENING = re.compile(r"(?:[bruf](?=[\"']))?(\\*)([\"'])")
_CLOSING = {
    '"': re.compile(r"(?:[^\"\\\n]|\\.)*+"),
    "'": re.compile(r"(?:[^'\\\n]|\\.)*+"),
}
_BRACKETS = re.compile(r"[{\[]|[}\]]")


def of_value(text: str, at: int, key: Key) -> Span | None:
    """Return what to replace of the value that begins at `at` of folded `text`; None when it can stay."""
    opening = _OPENING.match(text, at)
    if opening:
        return _quoted(text, opening, key)
    if at >= len(text) or text[at] in "\r\n,)}]&;|":
        return None
    if text[at] in "{[" and not DONE.match(text, at):
        return _container(text, at, key)
    return _unquoted(text, at, key)


def _quoted(text: str, opening: re.Match[str], key: Key) -> Span | None:
    start = opening.end()
    if opening[1]:
        # A quotation in a quotation ends with the same number of backslashes.
        closing = text.find(opening[1] + opening[2], start)
        end = closing if closing >= 0 else len(text)
    else:
        found = _CLOSING[opening[2]].match(text, start)
        end = found.end() if found else len(text)
    value = text[start:end]
    if not value.strip() or is_done(value, key.kind):
        return None
    return _span(text, start, end, key)


def _span(text: str, start: int, end: int, key: Key) -> Span | None:
    """Return the span of a whole value, shown as befits its kind."""
    value = text[start:end]
    match key.kind:
        case Kind.EMAIL:
            shown = emails.keyed(value)
        case Kind.SECRET:
            scheme = SCHEME.match(value)
            shown = (value[: scheme.end()] if scheme else "") + SECRET
        case Kind.TOKENS if NUMBER.fullmatch(value):
            return None
        case Kind.PRIVATE if NETWORK.match(value):
            return None
        case Kind.MAYBE_SECRET if not looks_random(value):
            return None
        case Kind.MAYBE_SECRET:
            shown = SECRET
        case Kind.MAYBE_PHONE if not dialling.could_be_called(value):
            return None
        case Kind.MAYBE_PHONE:
            shown = PHONE
        case Kind.PERSON if not PERSON.fullmatch(value):
            return None
        case Kind.PERSON:
            shown = NAME
        case _:
            shown = SHOWN[key.kind]
    return Span(start, end, shown, KEYED)


def _container(text: str, at: int, key: Key) -> Span | None:
    """Replace a list or dict as a whole, to where its brackets balance; quoted, so that JSON stays JSON."""
    if key.kind not in (Kind.SECRET, Kind.PHONE, Kind.NAME, Kind.PRIVATE):
        return None
    depth = 0
    for bracket in _BRACKETS.finditer(text, at):
        depth += 1 if bracket[0] in "{[" else -1
        if depth == 0:
            break
    else:
        return Span(at, len(text), f'"{SHOWN[key.kind]}"', KEYED)
    end = bracket.end()
    if not text[at + 1 : end - 1].strip() or DONE.search(text, at, end):
        return None
    return Span(at, end, f'"{SHOWN[key.kind]}"', KEYED)


def _unquoted(text: str, at: int, key: Key) -> Span | None:
    if DONE.match(text, at) and not _more(text, at):
        return None
    match key.kind:
        case Kind.SECRET | Kind.TOKENS:
            return unquoted.secret(text, at, key)
        case Kind.PHONE:
            return unquoted.phone(text, at, key)
        case Kind.EMAIL:
            return unquoted.email(text, at, key)
        case Kind.NAME:
            return unquoted.name(text, at, key)
        case Kind.PRIVATE:
            return unquoted.private(text, at, key)
        case Kind.PERSON:
            found = PERSON.match(text, at)
            return Span(at, found.end(), NAME, KEYED) if found else None
        case Kind.MAYBE_PHONE | Kind.MAYBE_SECRET:
            token = unquoted.unbroken(text, at, key)
            return _span(text, at, token, key)
    return None


def _more(text: str, at: int) -> bool:
    """Tell whether something follows a placeholder without a break: not a value that is done."""
    done = DONE.match(text, at)
    return done is not None and text[done.end() : done.end() + 1] not in ("", *" \t\r\n,;&|)}]\"'<>@.:!?\\")
