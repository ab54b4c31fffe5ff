"""Who looks at the observer's pages."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Staff
from tests.journeys import database
from tests.posthog_app import KEY, PostHogApp, posthog_app

__all__ = ["Staff"]


@pytest.fixture
def transactional_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A database whose commits are real, for threads and for transactions that must end."""
    with database.committing(django_db_blocker):
        yield


@pytest.fixture
def app(settings: Any) -> Iterator[PostHogApp]:
    """PostHog's app on loopback, and settings that lead to it."""
    with posthog_app() as running:
        settings.POSTHOG_PERSONAL_KEY = KEY
        settings.POSTHOG_PROJECT_ID = 1
        settings.POSTHOG_APP_HOST = running.url
        yield running
