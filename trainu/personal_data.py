"""Where one person's data may be: each app declares its places, erasure looks into all of them.

Kernel: imports no app. The rule: a table that may hold a person's id, or a text that mentions it, is
a place, registered in its app's ready(); what is not declared is not erased.
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
