"""Where one person's data may be, and how a text from outside loses it: for apps that do not know each other.

Kernel: imports no app. The rule: a table that may hold a person's id, or a text that mentions it, is
a place, registered in its app's ready(); what is not declared is not erased. Without a redactor no text
is shown at all.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A place, or a part of one that is searched by itself (a partition). Parts share name and label.

    find: given the person's id, returns how many rows hold it. erase: removes it from them (deletes or
    pseudonymises) and returns how many rows it changed; runs inside the caller's transaction, so that
    the proof commits with it. Both finish within a minute: larger places are declared in parts.
    """

    name: str
    label: str
    find: Callable[[str], int]
    erase: Callable[[str], int]
    part: str = ""

    @property
    def key(self) -> str:
        """What names this part among all."""
        return f"{self.name}:{self.part}" if self.part else self.name


Supply = Callable[[], Iterable[Place]]

_registered: dict[str, Supply] = {}


def register(name: str, supply: Supply) -> None:
    """Let a supplier of places be asked at each erasure, so that partitions made since are among them."""
    _registered[name] = supply


def registered() -> list[Place]:
    """Return every place there is now, in a fixed order."""
    return [place for name in sorted(_registered) for place in _registered[name]()]


MASKED = "[masked]"
Redactor = Callable[[str], str]

_redactors: list[Redactor] = []


def use_redactor(redactor: Redactor) -> None:
    """Have texts redacted by this function from now on; it must not raise."""
    _redactors[:] = [redactor]


def redacted(text: str) -> str:
    """Return a text from outside as it may be kept and shown; all of it masked where nobody can tell."""
    return _redactors[0](text) if _redactors else MASKED
