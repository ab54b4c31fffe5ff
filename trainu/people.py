"""Who acted and who may act: members of staff by the names that the audit log and pages give them.

Kernel: imports no app. The rule: what is stored names people by number; names are looked up for a page, all
of its people in one query. Who is not there any more keeps their number.
"""

from collections.abc import Iterable

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest

from trainu.roles import TRAINER

# Choices of a form are bounded; a team of support staff is smaller.
MOST_CHOICES = 200


def acting(request: HttpRequest) -> str:
    """Return who works on this page, as the audit log names people: staff:12."""
    return f"staff:{request.user.pk}"


def names(actors: Iterable[str]) -> dict[str, str]:
    """Return by actor (staff:12, key:3, command:purge, system) what to call them; nobody has no name."""
    wanted = set(actors)
    ids = {id for kind, _, id in (actor.partition(":") for actor in wanted) if kind == "staff"}
    known = {str(id): name for id, name in _users(id for id in ids if id.isascii() and id.isdigit())}
    return {actor: _name(actor, known) for actor in wanted}


def colleagues() -> list[AbstractBaseUser]:
    """Return who works here and can be made responsible, by name: trainers who are nothing besides cannot."""
    user = get_user_model()
    of_user = Q(user=OuterRef("pk"))
    groups = user.groups.through._default_manager.filter(of_user)
    own = user.user_permissions.through._default_manager.filter(of_user)
    is_trainer_alone = (
        Q(Exists(groups.filter(group__name=TRAINER.name)))
        & ~Q(Exists(groups.exclude(group__name=TRAINER.name)))
        & ~Q(Exists(own))
        & Q(is_superuser=False)
    )
    users = user._default_manager.filter(~is_trainer_alone, is_active=True, is_staff=True)
    return list(users.order_by(user.USERNAME_FIELD)[:MOST_CHOICES])


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
