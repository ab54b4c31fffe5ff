"""Keys and their values inside of a text: JSON, reprs, forms, headers, SQL errors, options, prose.

The rule: the key decides (observability.redaction.keys), as in a dict; how far the value reaches depends on
how it is written (observability.redaction.extent).
"""

import re
import string
from collections.abc import Iterator

from observability.redaction import extent
from observability.redaction.keys import Kind, classify
from observability.redaction.objects import personal_names
from observability.redaction.placeholders import ANY, NAME, REDACTED
from observability.redaction.shown import SHOWN
from observability.redaction.spans import KEYED, Span
from observability.redaction.unquoted import Key
from observability.redaction.vocabulary import LAST_WORDS

_SEPARATOR = re.compile(r"=>|:=|={1,2}|:(?!//)|%3D")
# Keys are read backwards from the separator: separators are few, and most words are no keys.
_KEY_REVERSED = re.compile(r"\s{0,2}\)?(?P<quote>[\"'`]?)\\*(?P<key>[\w.\-\[\]%$]{1,80})")
_KEY_CHARACTERS = f"{string.ascii_letters}{string.digits}_.-[]%$"
_LONGEST_KEY = 96
_NO_LETTERS = "-.[]%$0123456789"
_SPACES = re.compile(r"[ \t]{0,4}")
_OPTION = re.compile(r"(?<!\S)--?([A-Za-z][\w\-]{1,40})[ ]+(?!-)")
_ELEMENT = re.compile(r"<([A-Za-z][\w:.\-]{0,60})(?:\s[^<>]{0,200})?>([^<>]{1,2000})</")
# PostgreSQL quotes the row: DETAIL: Key (email)=(a@b.c) already exists.
_SQL_KEY = re.compile(r"Key \(([^=\n]{1,200}?)\)=\((.{0,2000}?)\)(?= (?:already|is |conflicts)|[.\n]|\Z)")
_SQL_ROW = re.compile(r"(Failing row contains \().{0,16000}(?=\)[.\n]|\)?\Z)")
# <Client: Jane Doe>, as Django writes a model.
_MODEL = re.compile(r"<([A-Z][A-Za-z]{1,40}): ([^<>\n]{1,100})>")
_MODEL_HARMLESS = re.compile(r"\w+ object \(.{1,40}\)|[\d\s#-]+|[0-9a-f-]{20,36}|\[.*")
_CARD_LINE = re.compile(
    r"(?im)^(?:item\d\.)?(FN|N|TEL|EMAIL|ADR|BDAY|NICKNAME|ORGANIZER|ATTENDEE)((?:;[^:\n]{0,200}?)?:)([^\r\n\\]{1,500})"
)
_COMMON_NAME = re.compile(r"(?i);CN=(\"[^\"\n]{1,100}\"|[^:;\n\"]{1,100})")
_CARD_KINDS = {"FN": NAME, "N": NAME, "NICKNAME": NAME, "ADR": REDACTED, "BDAY": REDACTED}
# The words before a last one that says little by itself: "API key:", "First name:", "Date of birth:".
_PHRASE = re.compile(r"((?:[A-Za-z]{1,20}[ ]){1,3})\Z")


def find(text: str) -> Iterator[Span]:
    """Yield what to replace in folded `text`."""
    named: set[int] | None = None
    done = 0
    for separator in _SEPARATOR.finditer(text):
        at = separator.start()
        if at < done or (text[at - 2 : at].isdigit() and text[at + 1 : at + 3].isdigit()):
            # Inside of a value that is out, or the colon of a time.
            continue
        key, start, quoted = _key_before(text, at)
        kind = _kind(text, start, key) if key else Kind.PLAIN
        if kind is Kind.PLAIN or text[start - 3 : start] == "://" or ANY.match(text, start - 1):
            # Nothing to hide, or https://token:…@host, which has its own rule, or [name]:, which is out.
            continue
        if kind is Kind.BARE_NAME:
            if named is None:
                named = personal_names(text)
            if start not in named:
                continue
            kind = Kind.NAME
        spaces = _SPACES.match(text, separator.end())
        value_at = spaces.end() if spaces else separator.end()
        value = extent.of_value(text, value_at, Key(key, kind, quoted, separator[0]))
        if value is not None:
            yield value
            done = value.end
    if "--" in text or " -p" in text or " -H" in text:
        yield from _options(text)
    if "</" in text:
        yield from _elements(text)
    if "Key (" in text or "Failing row" in text:
        yield from _sql(text)
    if "<" in text:
        yield from _models(text)
    if "BEGIN:V" in text or "TEL;" in text or "FN:" in text or ";CN=" in text:
        yield from _card_lines(text)


def _key_before(text: str, at: int) -> tuple[str, int, bool]:
    """Return the key that ends before the separator at `at`, where it begins, and whether it is quoted.

    The key is empty where there is none.
    """
    before = text[max(0, at - _LONGEST_KEY) : at]
    plain = len(before.rstrip(_KEY_CHARACTERS))
    if plain < len(before):
        key = before[plain:].lstrip(_NO_LETTERS)
        return key, at - len(key), False
    quote = before[-1:]
    if quote in ('"', "'"):
        # "key": as nearly all JSON has it.
        opened = before.rfind(quote, 0, -1)
        key = before[opened + 1 : -1]
        if opened >= 0 and key.isidentifier() and key.isascii():
            return key, at - 1 - len(key), True
    found = _KEY_REVERSED.match(before[::-1])
    if found is None:
        return "", at, False
    key = found["key"][::-1].lstrip(_NO_LETTERS)
    return key, at - found.start("key") - len(key), bool(found["quote"])


def _kind(text: str, start: int, key: str) -> Kind:
    """Return the kind of a key, read together with the words before it where it is one of a phrase."""
    kind = classify(key.replace("%5B", "[").replace("%5D", "]") if "%" in key else key)
    if start == 0 or text[start - 1] != " " or key.lower() not in LAST_WORDS:
        return kind
    phrase = _PHRASE.search(text, max(0, start - 64), start)
    if phrase is None:
        return kind
    words = phrase[1].split()
    for size in range(min(2, len(words)), 0, -1):
        whole = classify("_".join([*words[-size:], key]).lower())
        if whole is not Kind.PLAIN and whole is not Kind.PERSON:
            return whole
    if kind in (Kind.PRIVATE, Kind.SECRET) and classify(f"{words[-1]}_{key}".lower()) is Kind.PLAIN:
        return Kind.PLAIN
    return kind


def _options(text: str) -> Iterator[Span]:
    """Yield the values of command line options: --password hunter2."""
    for option in _OPTION.finditer(text):
        kind = classify(option[1])
        if kind in (Kind.SECRET, Kind.NAME):
            value = extent.of_value(text, option.end(), Key(option[1], kind, False, "="))
            if value is not None:
                yield value


def _elements(text: str) -> Iterator[Span]:
    for element in _ELEMENT.finditer(text):
        shown = SHOWN.get(classify(element[1]))
        if shown is not None and element[2].strip() and not element[2].startswith("["):
            yield Span(element.start(2), element.end(2), shown, KEYED)


def _sql(text: str) -> Iterator[Span]:
    for row in _SQL_ROW.finditer(text):
        if row.end() > row.end(1) and text[row.end(1) : row.end()] != REDACTED:
            yield Span(row.end(1), row.end(), REDACTED, KEYED)
    for key in _SQL_KEY.finditer(text):
        kinds = [classify(column) for column in re.split(r"[,()]|::", key[1])]
        shown = [SHOWN[kind] for kind in kinds if kind in SHOWN]
        if "[email]" in shown and "@" in key[2] and len(kinds) <= 3:
            continue
        if shown and "[" not in key[2]:
            yield Span(key.start(2), key.end(2), shown[0], KEYED)


def _models(text: str) -> Iterator[Span]:
    for model in _MODEL.finditer(text):
        if classify(model[1]) is Kind.PERSON and not _MODEL_HARMLESS.fullmatch(model[2]):
            yield Span(model.start(2), model.end(2), NAME, KEYED)


def _card_lines(text: str) -> Iterator[Span]:
    """Yield what vCards and calendars hold."""
    for line in _CARD_LINE.finditer(text):
        shown = _CARD_KINDS.get(line[1].upper())
        if line[1].upper() == "TEL" and any(map(str.isdigit, line[3])):
            shown = "[phone]"
        if shown and not line[3].startswith("["):
            yield Span(line.start(3), line.end(3), shown, KEYED)
    for name in _COMMON_NAME.finditer(text):
        if not name[1].startswith(("[", '"[')):
            yield Span(name.start(1), name.end(1), NAME, KEYED)
