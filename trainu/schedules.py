"""Periodic work: each app declares what django-q2 shall start, and how often. One line, one schedule.

Kernel: imports no app. The rule: an app registers its schedules in its ready(); they are mirrored into
django-q2 after every migration, and staff may switch them there.
"""

from dataclasses import dataclass

_LANE = " lane"


@dataclass(frozen=True, slots=True)
class Entry:
    """func: dotted name of an entry point without arguments. A name that ends in " lane" is a long task."""

    name: str
    func: str
    minutes: int

    @property
    def lane(self) -> str | None:
        """The name under which a long task runs and gives signs of life (see trainu.lanes)."""
        return self.name.removesuffix(_LANE) if self.name.endswith(_LANE) else None


_registered: dict[str, Entry] = {}


def register(*entries: Entry) -> None:
    """Let work be started periodically; raises ValueError when another schedule has the name already."""
    for entry in entries:
        if _registered.setdefault(entry.name, entry) != entry:
            raise ValueError(f"There already is a schedule called {entry.name}.")


def registered() -> list[Entry]:
    """Return every schedule, in the order of their names."""
    return [_registered[name] for name in sorted(_registered)]


def find(name: str) -> Entry | None:
    """Return the schedule of that name, or None."""
    return _registered.get(name)


def lanes() -> list[str]:
    """Return the names of all lanes that are to run, in their order."""
    return [entry.lane for entry in registered() if entry.lane]
