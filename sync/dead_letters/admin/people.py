"""Who did it, as pages say it: names of staff instead of numbers.

The rule: what is stored names people by number, as the audit log does; names are looked up for a page alone.
"""

from collections.abc import Iterable

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

# Choices of a form are bounded; a team of support staff is smaller.
MOST_CHOICES = 200
_STAFF = "staff:"


def acting(request: HttpRequest) -> str:
    """Return who works on this page, as the audit log names people."""
    return f"{_STAFF}{request.user.pk}"


def names(stored: Iterable[str]) -> dict[str, str]:
    """Return what to call each of these, in one question; whoever is no member of staff keeps the number."""
    every = set(stored)
    ids = [id for one in every if (id := one.removeprefix(_STAFF)) != one and id.isascii() and id.isdigit()]
    known = get_user_model()._default_manager.in_bulk([int(id) for id in ids if len(id) < 10])
    users = {f"{_STAFF}{id}": user.get_username() for id, user in known.items()}
    return {one: users.get(one, one) for one in every}


def colleagues() -> list[AbstractBaseUser]:
    """Return who works here and can be made responsible, by name."""
    users = get_user_model()._default_manager.filter(is_active=True, is_staff=True)
    return list(users.order_by(get_user_model().USERNAME_FIELD)[:MOST_CHOICES])
