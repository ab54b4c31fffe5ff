"""How the observer's pages write what they show. Everything ends escaped: payloads come from strangers."""

import json
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

_LONGEST = 20_000


def pretty(value: Any) -> str:
    """Return JSON on several lines; very long documents are cut, and say so."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n… {len(text) - _LONGEST:,} characters more"


def pretty_text(payload: str) -> str:
    """Return JSON text on several lines; as it is where it cannot be read."""
    try:
        return pretty(json.loads(payload))
    except ValueError:
        return payload[:_LONGEST]


def pill(words: str, tone: str) -> SafeString:
    """Return a coloured label. tone: ok, warn, bad or info."""
    return format_html('<span class="pill pill-{}">{}</span>', tone, words)


def code(text: str) -> SafeString:
    """Return text in the typewriter face."""
    return format_html("<code>{}</code>", text)
