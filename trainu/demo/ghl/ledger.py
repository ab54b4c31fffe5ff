"""What truly happened at the simulated GoHighLevel, counted where it happened.

The rule: it is written at the moment of the effect, whatever answer follows, or none. It may be read
while requests come in.
"""

import re
from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

_MARKER = re.compile(r"ref:([A-Za-z0-9][\w.-]*)")


@dataclass(frozen=True, slots=True)
class Write:
    """One change of a thing. number: its place among all changes. via: which verb made it."""

    number: int
    at: float
    via: str
    fields: dict[str, Any]


class Ledger:
    """Messages a person received, things created, fields written, requests that arrived."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start anew."""
        self._deliveries: Counter[tuple[str, str]] = Counter()
        self._creations: Counter[tuple[str, str]] = Counter()
        self._history: defaultdict[str, list[Write]] = defaultdict(list)
        self._writes = 0
        self._arrivals: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
        self.answers: Counter[tuple[str, str, int]] = Counter()

    def arrived(self, location_id: str, at: float) -> None:
        self._arrivals[location_id].append(at)

    def answered(self, location_id: str, route: str, status: int) -> None:
        self.answers[location_id, route, status] += 1

    def delivered(self, contact_id: str, text: str) -> None:
        self._deliveries[contact_id, key_of(text)] += 1

    def created(self, kind: str, text: str) -> None:
        self._creations[kind, key_of(text)] += 1

    def wrote(self, thing_id: str, fields: dict[str, Any], *, via: str, at: float) -> None:
        self._writes += 1
        self._history[thing_id].append(Write(self._writes, at, via, fields))

    def deliveries(self) -> Counter[tuple[str, str]]:
        """Return how often each (contact id, message) was sent: by its marker, else by its text's hash."""
        return self._deliveries.copy()

    def doubles(self) -> dict[tuple[str, str], int]:
        """Return the messages that somebody received more than once: empty, when all is well."""
        return {key: times for key, times in list(self._deliveries.items()) if times > 1}

    def creations(self, kind: str | None = None) -> Counter[tuple[str, str]]:
        """Return how often each (kind, marker or hash) was created.

        kind: contact, note, task, appointment, opportunity; None for all of them.
        """
        return Counter({key: times for key, times in list(self._creations.items()) if kind in (None, key[0])})

    def history(self, thing_id: str) -> list[Write]:
        """Return every write to a contact, appointment, task or opportunity, oldest first."""
        return list(self._history.get(thing_id, ()))

    def values(self, thing_id: str, name: str) -> list[Any]:
        """Return the values one field was given, in the order in which they took effect."""
        return [write.fields[name] for write in self.history(thing_id) if name in write.fields]

    def requests(self, location_id: str) -> Counter[int]:
        """Return how many requests arrived in each second since 1970."""
        return Counter(int(at) for at in self._arrivals.get(location_id, ()))

    def total(self, location_id: str | None = None) -> int:
        """Return how many requests arrived, of one location or of all."""
        if location_id is not None:
            return len(self._arrivals.get(location_id, ()))
        return sum(len(times) for times in list(self._arrivals.values()))

    def most_in(self, location_id: str, seconds: float = 10.0) -> int:
        """Return the most requests that arrived within any stretch of so many seconds."""
        times = sorted(self._arrivals.get(location_id, ()))
        return max((bisect_left(times, at + seconds) - first for first, at in enumerate(times)), default=0)


def key_of(text: str) -> str:
    """Return what names a text: the marker in it, `ref:…`, or else the start of its hash."""
    found = _MARKER.search(text)
    return found[1] if found else sha256(text.encode()).hexdigest()[:16]
