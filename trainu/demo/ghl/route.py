"""Which endpoint answers a request: by method and path, as the official documents list them.

The rule: a part of a path in braces is open, all others must be as written, a slash at the end too.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from trainu.demo.ghl.call import Call, Document
from trainu.demo.ghl.state import World

Endpoint = Callable[[World, Call], tuple[int, Document]]


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint. version: the Version header of its document; None needs neither it nor a token."""

    method: str
    template: str
    scope: str
    endpoint: Endpoint
    version: str | None
    name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.method} {self.template}")


_Entry = tuple[tuple[str | None, ...], Route]


class Router:
    """Finds the route of a request; where two fit, the one that leaves fewer parts open."""

    def __init__(self, routes: Iterable[Route]) -> None:
        table: defaultdict[tuple[str, int, str], list[tuple[tuple[str | None, ...], Route]]] = defaultdict(
            list
        )
        for route in routes:
            parts = route.template.split("/")[1:]
            wanted = tuple(None if part.startswith("{") else part for part in parts)
            table[route.method, len(parts), parts[0]].append((wanted, route))
        for fitting in table.values():
            fitting.sort(key=lambda pair: pair[0].count(None))
        self._table = dict(table)

    def find(self, call: Call) -> Route | None:
        """Return the route, with the open parts of the path left in call.ids; None when there is none."""
        parts = call.parts
        for wanted, route in self._table.get((call.method, len(parts), parts[0]), ()):
            ids = []
            for want, have in zip(wanted, parts, strict=True):
                if want is None and have:
                    ids.append(have)
                elif want != have:
                    break
            else:
                call.ids = ids
                return route
        return None
