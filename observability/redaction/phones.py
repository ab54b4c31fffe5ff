"""Telephone numbers of all regions, told from the many other digits of a log.

The rule: digits are a number to call when their shape says so (+, 00, a trunk zero or an area code with
separators), or when a word such as "call" stands before them. Bare digits are ids.
"""

import re
from collections.abc import Iterator

from observability.redaction import announced, cards
from observability.redaction.countries import lengths
from observability.redaction.dialling import DATE, with_extension
from observability.redaction.placeholders import PHONE
from observability.redaction.spans import PHONE as RANK
from observability.redaction.spans import Span

# Anything with seven digits and no more than three separators between two of them.
_CANDIDATE = re.compile(r"[+(0-9](?:[ ()./\-]{0,3}[0-9]){6,}")
_INTERNATIONAL = re.compile(r"\+[ ]?\(?[1-9](?:(?:[ .\-/]|[ ]?\((?:0\))?|\)[ .\-]?|[ ]-[ ])?\d){5,16}")
# The usual form, told at a glance.
_E164 = re.compile(r"\+[1-9]\d{7,14}(?![\w@(]|[.\-:/]\w|[ ]\(?\d|[ ]-)")
_ANY_PLUS = re.compile(r"\+[1-9]\d{0,15}(?:[ \-]\d{2,8}){0,5}(?!\d)")
_THOUSANDS = re.compile(r"\+\d{1,3}(?: \d{3})+")
_EXIT_CODE = re.compile(
    r"(?:00|011[ .\-])[ ]?(?=[1-9])\d(?:(?:[ .\-/]|[ ]?\((?:0\))?|\)[ .\-]?)?\d){6,14}(?!\d)"
)
_NANP = re.compile(
    r"(?:1[ .\-])?(?:\(\d{3}\)[ .\-/]{0,2}\d{3}[ .\-]?\d{4}|[2-9]\d{2}([ .\-/])[2-9]\d{2}(?:\1|-)\d{4})(?!\d)"
)
_NATIONAL = re.compile(
    # A trunk zero and groups: 020 7946 0958, (030) 123 45-67, 06 12 34 56 78, 0711/123456, 098765-43210.
    r"(?:\(0\d{1,5}\)[ ]?|0\d{1,5}[ .\-/]{1,2}|0\d{1,5}[ ]-[ ])\d{2,8}(?:[ .\-]\d{2,6}){0,4}(?!\d)"
    # An area code in brackets: (11) 91234-5678.
    r"|\(\d{2,4}\)[ \-]?\d{3,5}[ .\-]\d{4}(?!\d)"
    # Russia 8 (495) 123-45-67, China 138 1234 5678, Australia 1300 123 456, India 98765 43210.
    r"|8[ \-]?\(?\d{3}\)?[ \-]\d{3}[ \-]\d{2}[ \-]\d{2}(?!\d)"
    r"|1[3-9]\d([ \-])\d{4}\1\d{4}(?!\d)"
    r"|1[38]00([ \-])\d{3}\2\d{3}(?!\d)"
    r"|[6-9]\d{4}[ \-]\d{5}(?!\d)"
)
# 415-555-0132/0133
_AND_ANOTHER = re.compile(r"/\d{1,4}(?![\d/.\-:])")
_DECIMAL = re.compile(r"\d+\.\d+")
_DIGITS = re.compile(r"\d+")


# Bare, but with a trunk zero and as long as a number: 07700900123. Behind "order" or a key it is an id.
_TRUNK = re.compile(r"0[1-9]\d{8,9}(?![\w@]|[.\-:/]\w)")
_ID_WORD = (
    r"\b(?:ids?|orders?|invoice|ref|reference|ticket|case|job|seq|sequence|sku|account|acct|no|nr|number"
    r"|batch|code|item|parcel|tracking|isbn|ean|upc|gtin|serial|lot|transaction|txn|payment|booking|confirmation|row|line"
    r"|offset|bytes|build|rev|revision|took|total|version|key|pid|lsn|xid|task)s?\.?"
)
_ID_BEFORE = re.compile(rf"(?i)(?:[=:#/\\\[{{]|{_ID_WORD})[ \"']{{0,2}}\Z")
_ID_WORD_BEFORE = re.compile(rf"(?i){_ID_WORD}[ :=#\"']{{0,4}}\Z")
# 123-456-7890 and 555-123-4567, which no one has, and everyone writes.
_MADE_UP = re.compile(r"(?:1[ .\-])?(?:123|[2-9]\d\d)([.\-])\d{3}\1\d{4}(?!\d)")
_PERCENT = re.compile(r"%(?:20|28|29|2[BbDd])")


def find(text: str) -> Iterator[Span]:
    """Yield what to replace in folded `text`."""
    if "%2" in text and _PERCENT.search(text):
        yield from _percent_coded(text)
    else:
        yield from _find(text)


def _percent_coded(text: str) -> Iterator[Span]:
    """Yield what stands in a text of a URL: %28415%29%20555-0132."""
    plain: list[str] = []
    offsets: list[int] = []
    done = 0
    for code in _PERCENT.finditer(text):
        offsets += (*range(done, code.start()), code.start())
        plain += (text[done : code.start()], chr(int(code[0][1:], 16)))
        done = code.end()
    offsets += range(done, len(text) + 1)
    plain.append(text[done:])
    for span in _find("".join(plain)):
        yield Span(offsets[span.start], offsets[span.end], span.shown, span.rank)


def _find(text: str) -> Iterator[Span]:
    unexplained = False
    for candidate in _CANDIDATE.finditer(text):
        start, stop = candidate.span()
        if stop - start >= 13:
            yield from cards.find(text, start, stop)
        if start and (text[start - 1].isupper() or text[start - 2 : start - 1].isupper()):
            yield from cards.find_accounts(text, start, stop)
        found = list(_in_candidate(text, start, stop))
        yield from found
        if sum(span.end - span.start for span in found) < stop - start and not _is_plainly_none(
            text, start, stop
        ):
            if announced.named_after(text, start, stop):
                yield Span(start, stop, PHONE, RANK)
            else:
                unexplained = True
    if unexplained:
        yield from announced.find(text)


def _is_plainly_none(text: str, start: int, stop: int) -> bool:
    """Tell whether the digits are part of a word or a date, so that no word before them can change that."""
    before = text[start - 1 : start]
    if before.isascii() and before.isalpha():
        return True
    if _joined(text, start):
        return True
    dated = DATE.match(text, start)
    return dated is not None and dated.end() >= stop


def _in_candidate(text: str, start: int, stop: int) -> Iterator[Span]:
    at = start
    while at < stop:
        end = _number_at(text, at)
        if end is not None:
            number = text[at:end]
            bracket = text[at - 1 : at] == "(" and ")" in number and "(" not in number
            yield Span(at - bracket, end, PHONE, RANK)
            at = end
            continue
        # On to the next group; a date is passed as a whole, lest its year becomes an area code.
        dated = DATE.match(text, at)
        at = dated.end() if dated else _DIGITS.match(text, at).end() if text[at].isdigit() else at + 1  # type: ignore[union-attr]
        while at < stop and text[at] not in "+(0123456789":
            at += 1


def _number_at(text: str, at: int) -> int | None:
    """Return where the telephone number that begins at `at` ends, or None."""
    before = text[at - 1] if at else ""
    if text[at] == "+":
        return _international(text, at, before)
    if text[max(0, at - 3) : at].upper() == "%2B" and text[at] in "123456789":
        return _plain_international(text, at)
    if before.isalnum() or before in ("_", "#", "+", "$", "£", "€", "%"):
        return None
    joined = _joined(text, at)
    if joined and before != ":":
        return None
    if not joined and text.startswith(("00", "011"), at) and (found := _EXIT_CODE.match(text, at)):
        skip = 3 if text.startswith("011", at) else 2
        if text[at + skip - 1] != "-" and _plausible(found[0][skip:]) and not _continues(text, found.end()):
            return with_extension(text, found.end())
    if DATE.match(text, at):
        return None
    # After a colon (a file's line, or a time) only what is plainly a number to call.
    if text[at] == "0" and not joined and (found := _TRUNK.match(text, at)):
        named = _ID_BEFORE.search(text, max(0, at - 16), at) or found[0].startswith("0123456789")
        return None if named else found.end()
    for shape in (_NANP,) if joined else (_NANP, _NATIONAL, _MADE_UP):
        if (found := shape.match(text, at)) and _fits(text, found, shape is _NANP):
            return with_extension(text, found.end())
    return None


def _international(text: str, at: int, before: str) -> int | None:
    if not before.isalnum() and (usual := _E164.match(text, at)):
        known = lengths(usual[0][1:])
        if known is not None and known[0] < usual.end() - at <= known[1] + 1:
            return with_extension(text, usual.end())
    found = _INTERNATIONAL.match(text, at)
    if found is None:
        return None
    run = _DIGITS.match(text, at + 1)
    # Base64 and sums have a + too; a number that is glued to a word is long and unbroken.
    if before.isalpha() and (run is None or len(run[0]) < 10):
        return None
    end = _trimmed(text, at, found.end(), plus=1)
    if before.isdigit() and end is not None and sum(map(str.isdigit, text[at:end])) < 10:
        return None
    return end


def _plain_international(text: str, at: int) -> int | None:
    found = re.compile(r"\d(?:[ .\-+]?\d|%20\d|%28\d|%29\d){6,16}").match(text, at)
    return found.end() if found else None


def _trimmed(text: str, at: int, end: int, plus: int) -> int | None:
    """Cut groups off the end until the digits make a number of their country; None when none do."""
    while True:
        digits = re.sub(r"\(0\)|\D", "", text[at + plus : end])
        known = lengths(digits)
        if known is None or len(digits) < known[0] or len(digits) < 7:
            return _misdialled(text, at)
        trunk = 1 if re.match(r"\+\d{1,3}[ .\-(]{1,2}0", text[at:end]) else 0
        whole = not text[end : end + 1].isdigit()
        if whole and len(digits) <= known[1] + trunk and not _continues(text, end):
            return None if _is_coordinate(text, at, end) else with_extension(text, end)
        shorter = re.search(r"[^\d]+\d+\Z", text[at:end])
        if shorter is None or shorter.start() < 2:
            return None
        end = at + shorter.start()


def _misdialled(text: str, at: int) -> int | None:
    """Return the end of what begins with a plus and is as long as a number, though no country has such."""
    found = _ANY_PLUS.match(text, at)
    if found is None or _continues(text, found.end()) or _THOUSANDS.fullmatch(found[0]):
        return None
    return found.end() if 9 <= sum(map(str.isdigit, found[0])) <= 15 else None


def _plausible(part: str) -> bool:
    digits = re.sub(r"\(0\)|\D", "", part)
    known = lengths(digits)
    return known is not None and max(known[0], 9) <= len(digits) <= known[1] + 1


def _fits(text: str, found: re.Match[str], american: bool) -> bool:
    """Tell a national number from sums, statuses, amounts and counters of the same shape."""
    shape = found[0]
    if _continues(text, found.end()) and not (american and _AND_ANOTHER.match(text, found.end())):
        return False
    at = found.start()
    if american:
        # nginx: "GET / HTTP/1.1" 200 512 1234.
        spaced = " " in shape and "(" not in shape and "-" not in shape
        return not (spaced and re.search(r"[\"\d][ ]\Z", text[max(0, at - 2) : at]))
    if found.re is _MADE_UP:
        return not _ID_WORD_BEFORE.search(text, max(0, at - 24), at)
    digits = re.sub(r"\D", "", shape)
    if shape.startswith("0"):
        if _DECIMAL.fullmatch(shape):
            return False
        # Parcels: 1Z 999 AA1 01 2345 6784.
        if re.search(r"[A-Z]\d+[ ]\Z", text[max(0, at - 8) : at]):
            return False
        return 9 <= len(digits) <= 12 and not shape.startswith("00")
    if re.fullmatch(r"[6-9]\d{4}[ \-]\d{5}", shape):
        return not re.search(r"\d[ ,]\Z", text[max(0, at - 2) : at])
    return len(digits) >= (8 if shape.startswith("(0") else 9)


def _joined(text: str, at: int) -> bool:
    """Tell whether the digits at `at` go on from something before: INV-415-…, 3.0123…, 12:0300."""
    before = text[at - 1] if at else ""
    if before in ("-", ".", ":", "/") and at > 1:
        return text[at - 2].isdigit() or (before == "-" and text[at - 2].isalnum())
    return False


def _continues(text: str, end: int) -> bool:
    """Tell whether a number goes on after `end` in a way that no telephone number does."""
    after = text[end : end + 2]
    if not after:
        return False
    if after[0].isalpha():
        return re.match(r"(?:x|ext)\.?\s?\d", text[end : end + 6]) is None
    return after[0] in "_@" or (
        len(after) == 2
        and after[0] in "-.:/"
        and after[1].isalnum()
        and (after[0] not in "/:" or after[1].isdigit())
    )


def _is_coordinate(text: str, at: int, end: int) -> bool:
    """+52.5200 13.4050 and +1,234.56: one point after the first digits, and no more of them."""
    return re.match(r"\+\d{1,3}\.\d{3,}(?:[ ]|\Z)", text[at:end]) is not None
