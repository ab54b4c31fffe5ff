"""What a dashboard in PostHog is declared as: plain values, and the marker by which they are found again.

The rule: identity is the marker at the end of a description (of a text tile: at the end of its body), never
the name and never a tag: names are changed by people, and tags are silently ignored by some PostHogs. Whoever
takes the marker away, or writes behind it, has taken the thing over; it is left alone from then on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from observability.dashboards.definitions import WORDS

Json = dict[str, Any]

# What PostHog takes: a longer description or text is refused with 400.
LONGEST_NAME = 400
LONGEST_DESCRIPTION = 400
LONGEST_TEXT = 4_000

_HINT = "Made by TrainU; what is changed here by hand is undone with its next run."

_MARKER = re.compile(r"\[trainu:([a-z0-9_]+(?:\.[a-z0-9_]+)?)\]")


def marked(text: str, key: str) -> str:
    """Return a text with the marker of `key` at its end."""
    return f"{text.strip()} [trainu:{key}]"


def key_of(text: object) -> str | None:
    """Return the key that a text is marked with at its end, or None: then it is not ours."""
    if not isinstance(text, str):
        return None
    found = list(_MARKER.finditer(text.rstrip()))
    return found[-1][1] if found and found[-1].end() == len(text.rstrip()) else None


def mentions_key(text: object) -> bool:
    """Whether a text has a marker somewhere, and yet not at its end."""
    return isinstance(text, str) and key_of(text) is None and _MARKER.search(text) is not None


def words(*names: str, also: str = "") -> str:
    """Return what numbers mean, as the dashboards of the admin say it. also: what holds in PostHog only."""
    return " ".join([*(WORDS[name] for name in names), also]).strip()


@dataclass(frozen=True, slots=True)
class Insight:
    """One chart. key: unique on its dashboard. query: a node of PostHog's query schema."""

    key: str
    name: str
    means: str
    query: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard with its insights and, above them, one text that says what their numbers mean."""

    key: str
    name: str
    means: str
    insights: tuple[Insight, ...]

    @property
    def text_key(self) -> str:
        return f"{self.key}.definitions"

    @property
    def text(self) -> str:
        """Return the body of the text tile, in Markdown, marked."""
        lines = [f"### {self.name}", *(f"- **{one.name}**: {one.means}" for one in self.insights)]
        return marked("\n".join(lines) + "\n\n" + _HINT, self.text_key)

    def insight_key(self, insight: Insight) -> str:
        """Return the key that the insight is marked with, unique over all dashboards."""
        return f"{self.key}.{insight.key}"
