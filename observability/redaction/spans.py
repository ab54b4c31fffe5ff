"""What detectors find, and how it becomes text again."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from observability.redaction.folding import Folded
from observability.redaction.placeholders import ANY


class Span(NamedTuple):
    """start..end of the folded text is to be shown as `shown`; where spans overlap, the lower rank wins."""

    start: int
    end: int
    shown: str
    rank: int


# A value that follows a name (password=…) beats what the value looks like, and so on down.
KEYED, TOKEN, EMAIL, PHONE, NAME = range(5)

_SCHEME = re.compile(r"(?i:bearer|basic|token|digest|apikey|negotiate) \Z")


def replace(text: str, folded: Folded, spans: Iterable[Span]) -> str:
    """Return `text` with the spans replaced, which come in order; overlapping ones become one, lest anything
    peeps out."""
    merged: list[Span] = []
    protected = [m.span() for m in ANY.finditer(folded.text)] if "[" in folded.text else []
    for span in spans:
        if _inside(span, protected):
            continue
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            shown = last.shown if last.rank <= span.rank else span.shown
            merged[-1] = Span(last.start, max(last.end, span.end), shown, min(last.rank, span.rank))
        else:
            merged.append(span)
    parts: list[str] = []
    done = 0
    for span in merged:
        start, end = folded.original(span.start, span.end)
        parts += (text[done:start], span.shown)
        done = end
    parts.append(text[done:])
    return "".join(parts)


def _inside(span: Span, protected: list[tuple[int, int]]) -> bool:
    """Tell whether a span is part of a placeholder, or nothing but one."""
    if not protected:
        return False
    low, high = 0, len(protected)
    while low < high:
        middle = (low + high) // 2
        if protected[middle][1] < span.end:
            low = middle + 1
        else:
            high = middle
    return low < len(protected) and protected[low][0] <= span.start
