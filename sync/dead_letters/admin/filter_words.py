"""A filter of dead letters as people read it, and who did something, by their name.

The rule: names are asked for once a page, however many rows it has. What is kept of a filter is redacted,
so what is read here is too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth import get_user_model

from sync.dead_letters.chosen import Chosen
from sync.dead_letters.filters import query_of
from sync.models import BulkOperation, CauseGroup, Location
from trainu.admin_rendering import seen

_MOMENTS = ("died_before", "died_after")
_KNOWN = {one.name for one in fields(Chosen)}


@dataclass(frozen=True, slots=True)
class Names:
    """What ids are called: of groups, locations and people."""

    groups: Mapping[int, str] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    people: Mapping[int, str] = field(default_factory=dict)

    def who(self, by: str) -> str:
        """Return the name of somebody whom the audit log names so: staff:12, key:3."""
        kind, _, number = by.partition(":")
        if kind == "staff" and number.isdigit():
            return self.people.get(int(number), f"somebody who has left (number {number})")
        return f"API key {number}" if kind == "key" else by


def names_of(documents: Iterable[Mapping[str, Any]], by: Iterable[str] = ()) -> Names:
    """Return the names of all that filters speak of, and of those who did something: three queries."""
    documents = list(documents)
    groups = {one["group_id"] for one in documents if one.get("group_id")}
    places = {one["location_id"] for one in documents if one.get("location_id")}
    people = {int(number) for kind, _, number in (one.partition(":") for one in by) if number.isdigit()}
    people |= {one["assignee_id"] for one in documents if one.get("assignee_id")}
    users = get_user_model()._default_manager
    return Names(
        {one.pk: title(one) for one in CauseGroup.objects.filter(pk__in=groups)},
        dict(Location.objects.filter(pk__in=places).values_list("pk", "name")),
        {one.pk: called(one) for one in users.filter(pk__in=people)},
    )


def called(user: Any) -> str:
    """Return what a member of staff is called."""
    return str(user.get_full_name() or user.get_username())


def title(group: CauseGroup) -> str:
    """Return what a cause is called: what was to be done, and what was said."""
    return seen(f"{group.subject}: {group.message or group.code.replace('_', ' ')}")


def in_words(document: Mapping[str, Any], names: Names) -> str:
    """Return which letters a kept filter means, to be read after "letters"."""
    said = [words for name, value in document.items() if (words := _part(name, value, names))]
    return ", ".join(said) or "of every cause"


def query(operation: BulkOperation) -> str:
    """Return an operation's filter as an address's query; a redacted value finds nothing by itself."""
    given = {name: value for name, value in operation.chosen.items() if name in _KNOWN}
    moments = {name: datetime.fromisoformat(given[name]) for name in _MOMENTS if name in given}
    return query_of(Chosen(**given | moments))


def _part(name: str, value: Any, names: Names) -> str:
    match name:
        case "group_id":
            return f"of the cause “{names.groups.get(value, value)}”"
        case "location_id":
            return f"of {seen(names.places.get(value, value))}"
        case "code":
            return f"with the code {seen(value)}"
        case "subject":
            return f"of {seen(value)}"
        case "died_before" | "died_after":
            at = datetime.fromisoformat(value).astimezone(UTC)
            return f"that died {name.removeprefix('died_')} {at.day} {at:%b %Y, %H:%M:%S} UTC"
        case "status":
            return f"with the HTTP status {value}"
        case "assignee_id":
            who = names.people.get(value, "somebody who has left") if value else "nobody"
            return f"assigned to {who}"
        case "died_times":
            return f"that died at least {value} times"
        case "payload_name":
            return f"whose data have a certain {seen(value)}"
        case "operation_id":
            return f"that bulk operation {value} has worked on"
    return ""
