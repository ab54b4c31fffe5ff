"""How pages of the admin write what they show. Everything ends escaped: payloads come from strangers.

Kernel: imports no app.
"""

import json
import re
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

_LONGEST = 20_000
# Marks that turn or hide the text around them, and halves of characters, which no answer can carry.
_UNSEEN = re.compile("[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def pretty(value: Any) -> str:
    """Return JSON on several lines; very long documents are cut, and say so."""
    return cut(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def pretty_text(payload: str) -> str:
    """Return JSON text on several lines; as it is where it cannot be read."""
    try:
        return pretty(json.loads(payload))
    except (ValueError, RecursionError):
        return cut(payload)


def cut(text: str) -> str:
    """Return the beginning of a long text, and how much is left out; unseen marks are spelt out."""
    shown = seen(text[:_LONGEST])
    return shown if len(text) <= _LONGEST else f"{shown}\n… {len(text) - _LONGEST:,} characters more"


def seen(text: str) -> str:
    """Return a text in which marks that nobody sees are spelt out, as JSON would."""
    return _UNSEEN.sub(lambda mark: f"\\u{ord(mark[0]):04x}", text)


def pill(words: str, tone: str) -> SafeString:
    """Return a coloured label. tone: ok, warn, bad or info."""
    return format_html('<span class="pill pill-{}">{}</span>', tone, words)


def code(text: str) -> SafeString:
    """Return text in the typewriter face."""
    return format_html("<code>{}</code>", text)


def block(text: str) -> SafeString:
    """Return text of several lines as a box that can be scrolled, by keyboard too."""
    return format_html('<pre class="code" tabindex="0">{}</pre>', text)
