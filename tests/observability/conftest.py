"""Who looks at the observer's pages."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Staff
from tests.journeys import database

__all__ = ["Staff"]


@pytest.fixture
def transactional_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A database whose commits are real, for threads and for transactions that must end."""
    with database.committing(django_db_blocker):
        yield
