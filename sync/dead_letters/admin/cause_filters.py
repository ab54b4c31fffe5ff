"""The filters of causes as they stand in addresses: read, written again, and offered as chips.

The rule: what cannot be read is refused and chooses nothing else by mistake; an address is a saved view.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest

from sync.dead_letters.admin.cause_words import LABELS
from sync.dead_letters.fixers import Fixer
from sync.dead_letters.refusal import Refused
from sync.dead_letters.standing import NEWS, Standing
from sync.models import Location

# Choices of a filter are bounded; whoever has more locations comes from the location's own page.
MOST_LOCATIONS = 200
_STATES: Mapping[str, tuple[str, frozenset[Standing]]] = {
    "": ("Not resolved", frozenset()),
    "new": ("Nobody has acknowledged", NEWS),
    **{one.value: (LABELS[one], frozenset({one})) for one in Standing if one is not Standing.OPEN},
    "all": ("All", frozenset(Standing)),
}
_OWNERS = {"": "Anybody", "me": "Me", "nobody": "Nobody"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which causes somebody wants to see. state, owner: as in the address. me: the reader's own number."""

    state: str = ""
    fixer: Fixer | None = None
    owner: str = ""
    location_id: str = ""
    me: int = 0
    older_than: tuple[datetime, int] | None = None

    @property
    def is_narrowed(self) -> bool:
        return bool(query(self))

    def arguments(self) -> dict[str, Any]:
        """Return what `groups.page` is to be given."""
        return {
            "standing": _STATES[self.state][1],
            "fixer": self.fixer,
            "owner_id": {"": None, "me": self.me, "nobody": 0}[self.owner],
            "location_id": self.location_id,
            "older_than": self.older_than,
        }


def asked(request: HttpRequest) -> Asked:
    """Return which causes an address means. Raises Refused for what cannot be read."""

    def word(name: str) -> str:
        # PostgreSQL's text holds no NUL, so nothing that is stored could match one.
        return request.GET.get(name, "").replace("\x00", "").strip()[:100]

    state, fixer, owner = word("state"), word("fixer"), word("owner")
    if state not in _STATES or owner not in _OWNERS or (fixer and fixer not in set(Fixer)):
        raise Refused("invalid_filter", "There is no such filter. Clear the filters, and choose again.")
    return Asked(
        state=state,
        fixer=Fixer(fixer) if fixer else None,
        owner=owner,
        location_id=word("location"),
        me=int(request.user.pk or 0),
        older_than=_position(word("older")),
    )


def query(wanted: Asked, *, older: tuple[datetime, int] | None = None) -> str:
    """Return filters as the query of an address, without the question mark; `asked` reads it."""
    given = {
        "state": wanted.state,
        "fixer": wanted.fixer.value if wanted.fixer else "",
        "owner": wanted.owner,
        "location": wanted.location_id,
        "older": f"{(older[0] - _EPOCH) // timedelta(microseconds=1)}-{older[1]}" if older else "",
    }
    return urlencode({name: value for name, value in given.items() if value})


def choices(wanted: Asked) -> list[dict[str, Any]]:
    """Return the filters as chips: a title each, and what may be chosen."""
    places = list(Location.objects.order_by("name").values_list("pk", "name")[:MOST_LOCATIONS])
    if wanted.location_id and wanted.location_id not in dict(places):
        places.append((wanted.location_id, wanted.location_id))
    first = replace(wanted, older_than=None)
    return [
        _chip("State", wanted.state, [(key, words) for key, (words, _) in _STATES.items()], first, "state"),
        _chip(
            "Who can fix it",
            wanted.fixer or "",
            [("", "Anybody"), *((one, one.label) for one in Fixer)],
            first,
            "fixer",
        ),
        _chip("Owner", wanted.owner, list(_OWNERS.items()), first, "owner"),
        _chip("Location", wanted.location_id, [("", "All"), *places], first, "location_id"),
    ]


def _chip(
    title: str, chosen: str, offered: list[tuple[str, str]], wanted: Asked, field: str
) -> dict[str, Any]:
    def address(key: str) -> str:
        value: Any = (Fixer(key) if key else None) if field == "fixer" else key
        return f"?{query(replace(wanted, **{field: value}))}"

    return {
        "title": title,
        "choices": [
            {"selected": key == chosen, "display": words, "query_string": address(key)}
            for key, words in offered
        ],
    }


def _position(text: str) -> tuple[datetime, int] | None:
    if not text:
        return None
    at, _, id = text.partition("-")
    try:
        found = (_EPOCH + timedelta(microseconds=int(at)), int(id))
    except (ValueError, OverflowError):
        found = (_EPOCH, 0)
    if not 0 < found[1] < 2**63:
        raise Refused("invalid_filter", "This page of the list is not there. Begin with the first one.")
    return found
