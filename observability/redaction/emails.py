"""Email addresses: what stands before the @ goes, the domain stays, for it tells which provider bounced.

Read backwards from each @, so text without one costs a single search.
"""

import re
from collections.abc import Iterator

from observability.redaction.placeholders import ANY, EMAIL, SECRET
from observability.redaction.spans import EMAIL as RANK
from observability.redaction.spans import Span
from observability.redaction.vocabulary import words

_AT = re.compile(r"@|%(?:25)?40|\\u0040|&#(?:64|x40);|&commat;|\s?[\[({]at[\])}]\s?", re.IGNORECASE)
_PLAIN_AT = re.compile("@")
_GATE = re.compile(r"[%\\&\[({](?:(?:25)?40|u0040|#64|#x40|commat|at[\])}])", re.IGNORECASE)
_LABEL = r"[^\W_](?:[^\W_]|-){0,62}"
_DOMAIN = re.compile(
    rf"(?:{_LABEL}(?:\.|\s?[\[({{]dot[\])}}]\s?)){{1,8}}(?:xn--[a-z0-9-]{{2,59}}|[^\W\d_]{{2,24}})(?![^\W_])"
    r"|localhost\b|\[(?:\d{1,3}\.){3}\d{1,3}\]|\[IPv6:[0-9a-fA-F:]{2,40}\]"
    # No package's version begins so high.
    r"|[1-9]\d{1,2}(?:\.\d{1,3}){3}(?![\w.]*\w)",
    re.IGNORECASE,
)
# Matched against the text in reverse: the local part is whatever can be one, from the @ backwards.
_LOCAL_REVERSED = re.compile(r"[\w.+\-%'!#$*^~&/=?{}|`]*")
_QUOTED_LOCAL = re.compile(r"\"(?:[^\"\\\n]|\\.){1,64}\"\Z")
_MAX_LOCAL = 96
# What is no part of the local part though RFC 5322 allows it: it is far more often a URL or a quotation.
_BORDER = re.compile(r"[=?&/|{}`#$]|%(?!2[BbDdEe]|5[Ff]|27)[0-9A-Fa-f]{2}")
_LEADING = re.compile(r"[.+\-%'!*^~]+")
# icon@2x.png, pkg@latest.js: names of files and packages.
_FILE = words("""
    png jpg jpeg gif svg webp avif ico css scss js jsx ts tsx mjs json htm html pdf txt xml csv log yml yaml
    toml ini conf lock whl tgz tar gz exe dll jar mp3 mp4 mov woff woff2 ttf doc docx xls xlsx
""")
# Under these a domain is found even with the name of a file behind it: jane@example.com.csv.
_COMMON_TOP = re.compile(
    r"(?i)\.(?:com|org|net|edu|gov|info|biz|io|co|me|eu|app|dev|example|test|de|at|ch|fr|es|it|pt|nl|be|uk|ie|se|no|dk|fi"
    r"|pl|cz|br|mx|ar|us|ca|au|nz|in|jp|cn|kr|za)\Z"
)
_PASSWORD = re.compile(
    r":((?=[^\s/:,;]{0,40}\d)(?=[^\s/:,;]{0,40}[^\d\s])[^\s/:,;\"'<>|)\]}]{5,64})(?![\w/:])"
)
_GIT = re.compile(r":[\w.\-]+/")
# "Jane Doe" <jane@…>: the name beside an address is as personal as the address.
_QUOTED_NAME = re.compile(r"\\?\"([^\"\\<>\n]{1,80})\\?\"\s{0,2}\Z|'([^'\\<>\n]{1,80})'\s{0,2}\Z")
_CAPITAL = r"[^\W\d_a-z](?:[^\W\d_]|['.\-]){0,30}"
_PLAIN_NAME = re.compile(rf"(?<![\w.])({_CAPITAL}(?:[ ]{_CAPITAL}){{1,3}})\s{{0,2}}\Z")
_HEADER_NAME = re.compile(
    r"(?i:(?:^|[\s\"'{,;])(?:from|to|cc|bcc|reply-to|sender)[\"']?\s?[:=]\s?[\"']?)([^<>@:;,\"'\n]{1,60}?)\s{0,2}\Z"
)


def has_coded_at(text: str) -> bool:
    """Tell whether `text` has an @ that is written as something else: %40, &#64;, (at)."""
    odd = "%" in text or "\\" in text or "&" in text or "[" in text or "(" in text or "{" in text
    return odd and _GATE.search(text) is not None


def find(text: str) -> Iterator[Span]:
    """Yield what to replace in folded `text`: addresses, and the names that stand beside them."""
    at_signs = _AT if has_coded_at(text) else _PLAIN_AT
    if at_signs is _PLAIN_AT and "@" not in text:
        return
    done = 0
    for at in at_signs.finditer(text):
        domain = _domain(text, at.end())
        if domain is None:
            continue
        start = _local_start(text, at.start(), done)
        if start is None:
            # An address that is already out may still stand beside a name.
            if text.startswith(EMAIL, at.start() - len(EMAIL)):
                yield from _name_beside(text, at.start() - len(EMAIL))
            continue
        yield Span(start, at.end(), f"{EMAIL}@", RANK)
        yield from _name_beside(text, start)
        done = domain
        # jane@example.com:hunter2, as lists of leaked accounts have it; in a URL the host follows.
        in_url = text[max(0, start - 3) : start] == "://"
        if not in_url and (password := _PASSWORD.match(text, domain)):
            yield Span(password.start(1), password.end(1), SECRET, RANK)


def keyed(text: str) -> str:
    """Return what to show of the value of a key such as `email`: the domains of the addresses in it."""
    shown = []
    for at in _AT.finditer(text):
        if found := _DOMAIN.match(text, at.end()):
            shown.append(f"{EMAIL}@{found[0]}")
    return ", ".join(shown) or EMAIL


def _domain(text: str, at: int) -> int | None:
    """Return where the domain that begins at `at` ends, or None where there is none."""
    found = _DOMAIN.match(text, at)
    if found is None:
        return None
    domain = found[0]
    top = domain[domain.rfind(".") + 1 :]
    if len(top) < 6 and top.lower() in _FILE:
        stem = domain[: -len(top) - 1]
        return at + len(stem) if _COMMON_TOP.search(stem) else None
    return found.end()


def _local_start(text: str, end: int, floor: int) -> int | None:
    """Return where the local part that ends at `end` begins, or None where there is none."""
    low = max(floor, end - _MAX_LOCAL)
    before = text[low:end]
    if before.endswith('"') and (quoted := _QUOTED_LOCAL.search(before)):
        return low + quoted.start()
    found = _LOCAL_REVERSED.match(before[::-1])
    local = before[len(before) - found.end() :] if found else ""
    if _BORDER.search(local):
        local = local[[border.end() for border in _BORDER.finditer(local)][-1] :]
    if leading := _LEADING.match(local):
        local = local[leading.end() :]
    # \n and \t of a quoted text, as repr and JSON write them.
    if local[:1] in "nrt" and text[end - len(local) - 1 : end - len(local)] == "\\":
        local = local[1:]
    if not local or (local == "git" and _GIT.match(text, _domain(text, end + 1) or end)):
        return None
    return end - len(local)


def _name_beside(text: str, start: int) -> Iterator[Span]:
    """Yield the display name before `<address>`, where there is one."""
    opening = start - 1
    if opening < 1 or text[opening] != "<":
        return
    low = max(0, opening - 100)
    before = text[low:opening]
    found = _QUOTED_NAME.search(before) or _PLAIN_NAME.search(before) or _HEADER_NAME.search(before)
    if found is None:
        return
    group = found.lastindex or 1
    if found[group].strip() and not ANY.fullmatch(found[group].strip()):
        yield Span(low + found.start(group), low + found.end(group), "[name]", RANK)
