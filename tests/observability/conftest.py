"""Who looks at the observer's pages."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.journeys import database

Staff = Callable[..., Client]


@pytest.fixture
def transactional_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A database whose commits are real, for threads and for transactions that must end."""
    with database.committing(django_db_blocker):
        yield


@pytest.fixture
def boss(admin_user: User) -> Client:
    """A browser in which a superuser is signed in."""
    client = Client()
    client.force_login(admin_user)
    return client


@pytest.fixture
def staff(db: None) -> Staff:
    """Sign in as a member of staff who holds exactly these permissions."""

    def signed_in(*codenames: str, **options: Any) -> Client:
        user = User.objects.create_user("nora", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        assert user.user_permissions.count() == len(codenames)
        client = Client(**options)
        client.force_login(user)
        return client

    return signed_in
