"""The dashboards there are: how each is built, who may see it, and what it may be asked.

The rule: page, live part, file and API go by this list alone, so that a dashboard is registered once, from
its own module, and is nowhere else named.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from observability.dashboards.panels import Dashboard, Section
from observability.dashboards.question import DEFAULT_DAYS, Question

Filter = Literal["trainer", "segment", "location", "operation"]


class Build(Protocol):
    """Counts a dashboard. Raises BadQuestion for what it cannot answer, TooBroad where it takes too long."""

    def __call__(self, question: Question, *, now: datetime) -> Dashboard: ...


class Live(Protocol):
    """Makes the live sections of a dashboard. Raises as `Build` does."""

    def __call__(self, question: Question, *, now: datetime) -> list[Section]: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A dashboard. name: as in its address. permission: "app.view_…". filters: those its question may have.

    choices: by filter, what the page offers for it, asked when the page is shown; a reader may write others.
    is_live: whether the page asks for its numbers again by itself. live: makes the sections that are live, of
    which the page asks for nothing else then; without it, it asks for all of them.
    """

    name: str
    title: str
    permission: str
    build: Build
    default_days: int = DEFAULT_DAYS
    filters: tuple[Filter, ...] = ()
    is_live: bool = False
    choices: Callable[[Filter], list[str]] | None = None
    live: Live | None = None


_entries: dict[str, Entry] = {}


def register(entry: Entry) -> None:
    """Add a dashboard; one of the same name is replaced."""
    _entries[entry.name] = entry


def forget(name: str) -> None:
    """Take a dashboard away."""
    _entries.pop(name, None)


def find(name: str) -> Entry | None:
    """Return a dashboard by its name; None where there is none."""
    return _entries.get(name)


def entries() -> list[Entry]:
    """Return all dashboards in the order in which they were registered."""
    return list(_entries.values())
