"""Whether a text is done after one pass: what was put in stands so that a second look would find nothing.

A second pass costs as much as the first, and all but a few lines need none. The rule: this says yes only
where that is certain; tests hold that a second pass then changes nothing.

What a pass puts in can make something new only at its borders, through a key or a word that reaches over
it, or by a login that now has an @ behind it. So: plain placeholders, white space or punctuation around
them, none that overlaps another in part, no construct that reads far, no digits that a word may announce.
"""

import re
from collections.abc import Sequence

from observability.redaction import emails, phones, tokens
from observability.redaction.folding import fold
from observability.redaction.placeholders import ANY, EMAIL, NAME, PHONE, SECRET
from observability.redaction.spans import EMAIL as EMAIL_RANK
from observability.redaction.spans import KEYED, TOKEN, Span
from observability.redaction.vocabulary import LAST_WORDS

_BEFORE = frozenset(" \t\n\r\"'(<[{=:,;|>&?/")
_AFTER = frozenset(" \t\n\r\"')>]},;|&<")
_STOPS = frozenset(".!?")
# Whose balance tells what is in what.
_BRACKETS = frozenset("{}[]")
# jane@example.com@example.org
_ONE_MORE = re.compile(r"[^\s\"'<>(),;@]*+@")
# What is put in would be read as the key of what follows.
_SEPARATED = re.compile(r"[\]\"'`)}\\\s]{0,6}[:=]|\][\w.\-\[\]%$]")
# A word that makes a key together with the words before it: "ip address:".
_PHRASE = re.compile(rf"[ ](?:[A-Za-z]{{1,20}}[ ])?(?:{'|'.join(sorted(LAST_WORDS))})\s?[:=]", re.IGNORECASE)
# Options, elements, rows of a database, cards: what stands in them is read as a whole.
_FAR = (" -", "</", "Failing row", "BEGIN:V", "TEL;", "FN:", ";CN=", "%3D", "%3d", '"@', "'@")
_MODEL = re.compile(r"<[A-Z][A-Za-z]{1,40}: ")


def is_settled(before: str, spans: Sequence[Span], redacted: str) -> bool:
    """Tell whether `redacted` is what a further pass would leave.

    before: the folded text in which the spans were found, in order of their beginnings.
    """
    if before.startswith("-") or any(far in before for far in _FAR) or emails.has_coded_at(before):
        return False
    if " " not in redacted and "&" in redacted and " " in before:
        return False
    if ("[" in before and ANY.search(before)) or ("<" in before and _MODEL.search(before)):
        return False
    last = spans[0]
    for span in spans:
        if span.start < last.end and span is not last:
            if span.end > last.end or span.rank < last.rank:
                return False
            continue
        if span.start == last.end:
            return False
        beside = span is not last and span.rank == EMAIL_RANK and before[span.start - 1] == "<"
        if beside or not _is_plain(before, span):
            return False
        last = span
    folded = fold(redacted).text
    return not any(phones.find(folded)) and not ("@" in folded and any(tokens.logins(folded)))


def _is_plain(text: str, span: Span) -> bool:
    """Tell whether a span shows a plain placeholder and stands alone."""
    start, end, shown, rank = span
    if not _BRACKETS.isdisjoint(text[start:end]):
        return False
    if start and text[start - 1] not in _BEFORE:
        return False
    if rank == EMAIL_RANK:
        # The domain stays behind it. A quoted local part may hold anything.
        odd = text[start] == '"' or " " in text[start:end] or _ONE_MORE.match(text, end)
        return shown == f"{EMAIL}@" and not odd
    if rank == KEYED:
        known = shown in (EMAIL, PHONE, SECRET, NAME) or shown.startswith(f"{EMAIL}@")
    elif rank == TOKEN:
        if shown == f"{SECRET}@":
            return not _ONE_MORE.match(text, end)
        known = shown.endswith(SECRET)
    else:
        known = shown in (PHONE, NAME)
    if not known:
        return False
    if _SEPARATED.match(text, end) or _PHRASE.match(text, end):
        return False
    after = text[end : end + 2]
    return not after or after[0] in _AFTER or (after[0] in _STOPS and (len(after) == 1 or after[1] in " \n"))
