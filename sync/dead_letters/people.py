"""Who acted, in words: the audit log's names of people and programs as staff know them.

The rule: one query for as many as a page shows. Who is not there any more keeps their number.
"""

from collections.abc import Iterable

from django.contrib.auth import get_user_model

MOST = 200


def names(actors: Iterable[str]) -> dict[str, str]:
    """Return by actor (staff:12, key:3, command:purge, system) what to call them."""
    wanted = {actor for actor in actors if actor}
    ids = {id for kind, _, id in (actor.partition(":") for actor in wanted) if kind == "staff"}
    known = {str(id): name for id, name in _users(id for id in ids if id.isascii() and id.isdigit())}
    return {actor: _name(actor, known) for actor in wanted}


def choices() -> list[tuple[int, str]]:
    """Return who can be made responsible: id and name, by name, of those who work here."""
    people = get_user_model()._default_manager.filter(is_active=True, is_staff=True)
    return list(people.order_by("username").values_list("pk", "username")[:MOST])


def _users(ids: Iterable[str]) -> list[tuple[int, str]]:
    chosen = [int(id) for id in ids if len(id) < 10]
    if not chosen:
        return []
    return list(get_user_model()._default_manager.filter(pk__in=chosen).values_list("pk", "username"))


def _name(actor: str, known: dict[str, str]) -> str:
    kind, _, id = actor.partition(":")
    if kind == "staff":
        return known.get(id, f"user {id}")
    if kind == "key":
        return f"API key {id}"
    if kind == "command":
        return f"the command {id}" if id else "a command"
    return "the service" if kind == "system" else actor
