"""What a message's text looks like without saying anything of it: enough to tell groups of them apart.

The rule: lengths and counts, and whether there is a link; never a word of the text.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TAG = re.compile(r"<[^<>]*>")
_LINK = re.compile(r"https?://|www\.|\bhref\s*=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Shape:
    """channel: SMS or Email; empty where nothing is left of it. characters: as a reader sees them."""

    channel: str = ""
    characters: int = 0
    words: int = 0
    has_links: bool = False

    def __str__(self) -> str:
        if not self.channel:
            return "Nothing is left of it"
        counts = f"{_counted(self.characters, 'character')}, {_counted(self.words, 'word')}"
        return f"{self.channel}, {counts}, {'with a link' if self.has_links else 'no link'}"


def shape_of(payload: Mapping[str, Any]) -> Shape:
    """Return the shape of a message, as it is stored."""
    channel = payload.get("channel")
    subject, message, html = (_text(payload, name) for name in ("subject", "message", "html"))
    text = message or " ".join(_TAG.sub(" ", html).split())
    said = f"{subject} {text}".strip()
    if channel not in ("SMS", "Email") or not said:
        return Shape()
    is_linked = any(_LINK.search(part) for part in (subject, message, html))
    return Shape(channel, len(text), len(text.split()), is_linked)


def name_of(text_key: int | None) -> str:
    """Return what a text is called, in short: text 4f2a. Empty for those that nobody shares."""
    return "" if text_key is None else f"text {text_key & 0xFFFF:04x}"


def _text(payload: Mapping[str, Any], name: str) -> str:
    part = payload.get(name)
    return part if isinstance(part, str) else ""


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
