"""Runbooks as values: read from their files once a process, found by a code, searched by words.

The rule: a file begins with lines of `key: value` (title, about, kind; serves and related where there are
any), then an empty line, then Markdown. A code leads to one page: its own, or the one that serves it.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

_PAGES = Path(__file__).parent / "pages"
_NEEDED = {"title", "about", "kind"}
_ALLOWED = _NEEDED | {"serves", "related"}


class Kind(StrEnum):
    """What a page is for: a rule of the alerts, a class of causes of dead letters, or a topic."""

    ALERT = "alert"
    CAUSE = "cause"
    TOPIC = "topic"


@dataclass(frozen=True, slots=True)
class Runbook:
    """A page. code: of its file. about: what it is for, in a line. serves: other codes that lead here.

    related: codes of pages that belong to it. text: Markdown.
    """

    code: str
    title: str
    about: str
    kind: Kind
    serves: tuple[str, ...]
    related: tuple[str, ...]
    text: str


@cache
def everything() -> tuple[Runbook, ...]:
    """Return all pages, in the order of their codes."""
    return tuple(parse(path.stem, path.read_text(encoding="utf-8")) for path in sorted(_PAGES.glob("*.md")))


def parse(code: str, source: str) -> Runbook:
    """Return a file as a page; raises ValueError where its first lines are not as the module says."""
    head, _, text = source.partition("\n\n")
    fields: dict[str, str] = {}
    for line in head.splitlines():
        key, colon, value = line.partition(":")
        if not colon or key not in _ALLOWED or key in fields:
            raise ValueError(f"Runbook {code}: {line!r} is no line of its head.")
        fields[key] = value.strip()
    if missing := {key for key in _NEEDED if not fields.get(key)}:
        raise ValueError(f"Runbook {code}: its head lacks {', '.join(sorted(missing))}.")
    return Runbook(
        code=code,
        title=fields["title"],
        about=fields["about"],
        kind=Kind(fields["kind"]),
        serves=_listed(fields.get("serves", "")),
        related=_listed(fields.get("related", "")),
        text=text,
    )


def find(code: str) -> Runbook | None:
    """Return the page that a code leads to, or None."""
    return _by_code().get(code)


def search(words: str) -> list[Runbook]:
    """Return the pages that hold all these words, those first that have them in title, line or codes."""
    wanted = words.casefold().split()

    def holds(text: str) -> bool:
        folded = text.casefold()
        return all(word in folded for word in wanted)

    headed = [one for one in everything() if holds(_head(one))]
    return headed + [one for one in everything() if one not in headed and holds(f"{_head(one)} {one.text}")]


@cache
def _by_code() -> dict[str, Runbook]:
    served = {code: one for one in everything() for code in one.serves}
    return served | {one.code: one for one in everything()}


def _head(one: Runbook) -> str:
    return " ".join((one.title, one.about, one.code, *one.serves))


def _listed(text: str) -> tuple[str, ...]:
    return tuple(code.strip() for code in text.split(",") if code.strip())
