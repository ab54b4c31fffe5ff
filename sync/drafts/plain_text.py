"""A text without its formatting: what a person reads of an email's HTML.

The rule: in one pass, whatever it is given. What is no tag of theirs stays; what is cut off in a tag ends.
"""

import html
import re

# Longer ones are cut before they are read: a mail's styles stand before its text.
_LONGEST_READ = 200_000
_NAME = re.compile(r"/?\s*([a-zA-Z][a-zA-Z0-9]*)")
_UNREAD = {name: re.compile(rf"</{name}\b", re.IGNORECASE) for name in ("script", "style", "head", "title")}
_BREAKS = frozenset({"br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "blockquote", "table"})
_BLANKS = re.compile(r"[^\S\n]+")
_LINES = re.compile(r" ?\n[ \n]*")


def of_html(source: str) -> str:
    """Return the text of HTML, a line for each block, without blank ones."""
    return tidied(html.unescape("".join(_parts(source[:_LONGEST_READ]))))


def tidied(text: str) -> str:
    """Return a text without blank lines, double spaces, and what no database keeps."""
    return _LINES.sub("\n", _BLANKS.sub(" ", text.replace("\x00", ""))).strip()


def _parts(source: str) -> list[str]:
    parts: list[str] = []
    at = 0
    while True:
        begins = source.find("<", at)
        if begins < 0:
            return [*parts, source[at:]]
        parts.append(source[at:begins])
        if source.startswith("<!--", begins):
            ends = source.find("-->", begins + 4)
            at = ends + 3
        else:
            ends = source.find(">", begins)
            at = ends + 1
        if ends < 0:
            return parts
        name = _name(source, begins + 1)
        if name in _BREAKS:
            parts.append("\n")
        if name in _UNREAD and source[begins + 1] != "/":
            closed = _UNREAD[name].search(source, at)
            if closed is None:
                return parts
            at = closed.start()


def _name(source: str, at: int) -> str:
    found = _NAME.match(source, at)
    return found[1].lower() if found else ""
