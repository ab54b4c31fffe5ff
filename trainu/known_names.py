"""The names of the people whom the work in hand is about, so that redaction can find them in free text.

Kernel: imports no app. The rule: names live here in memory for the length of a request or a task, and
are written nowhere.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[tuple[str, ...]] = ContextVar("known_names", default=())


def current() -> tuple[str, ...]:
    """Return the full names that are known in this unit of work."""
    return _current.get()


@contextmanager
def bound(names: Iterable[str]) -> Iterator[None]:
    """Add full names (of the user, of a contact) for a block; empty ones are left out."""
    added = tuple(name.strip() for name in names if name and name.strip())
    token = _current.set(_current.get() + added)
    try:
        yield
    finally:
        _current.reset(token)
