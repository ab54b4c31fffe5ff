"""Fixtures that every test may want. PostgreSQL is real and ours; nothing of our own is mocked.

The whole run stays below four minutes on two cores; tests/examples.py says how a night tries more.
"""

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import hypothesis
import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client, TransactionTestCase

from observability import api_keys, counters, custom_events, health, rate_limit, sync_receivers, timings
from observability.admin import incident_news
from observability.errors import counts
from observability.health import alerting
from observability.metrics import scrape
from sync.admin import flight, held
from sync.webhooks import pace, troubles
from tests import as_migrated

Staff = Callable[..., Client]

# A machine that others work on too is no fault of what is tried. What CI=true sets besides (no chance) stays.
hypothesis.settings.register_profile(
    "tests", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="write the words of dashboards anew, to be read")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run whole folders in two processes, which then have a database server each; single files in this one.

    `-n 0` runs everything in one process, as a server that DATABASE_URL names demands.
    """
    is_whole = all(Path(argument).is_dir() for argument in config.args)
    return 2 if is_whole and not os.environ.get("DATABASE_URL") else 0


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each of two processes begin with what takes long, after it has been shuffled: at the end one would
    go on with a journey alone. The first gets the front half."""
    journeys, pages, rest = [], [], []
    for item in items:
        kind = {"journeys": journeys, "browser": pages}.get(item.path.parent.name, rest)
        kind.append(item)
    middle = max(len(items) // 2 - len(journeys), 0)
    items[:] = journeys + rest[:middle] + pages + rest[middle:]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the collector of garbage leave what was imported and collected alone, which lives as long as it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Make the server quick, and keep what migrations have written for after tests that commit."""
    with django_db_blocker.unblock():
        if settings.DATABASES["default"]["ENGINE"] == "trainu.embedded":
            _quicken()
        as_migrated.remember()
    with patch.object(TransactionTestCase, "_fixture_teardown", lambda case: as_migrated.restore()):
        yield


def _quicken() -> None:
    """Let our own server skip waiting for the disk: no test pulls the plug of the whole machine."""
    with connection.cursor() as cursor:
        cursor.execute("alter system set fsync = off")
        # Statistics taken in the middle of a test, of a table that is about to grow a thousandfold, are worse
        # than none: now and then a plan took half a minute.
        cursor.execute("alter system set autovacuum = off")
        cursor.execute("select pg_reload_conf()")


@pytest.fixture
def _worst_errors_leave_nothing(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Remove what was counted of the worst errors, which commits on a connection of its own."""
    yield
    # A test that commits has closed it, and left nothing at all.
    if connection.connection is not None:
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            # Checks of health look from threads of their own, and so may make the forwarder's row for good.
            cursor.execute("delete from observability_errorminute; delete from observability_forwarder")


@pytest.fixture
def _django_db_helper(_worst_errors_leave_nothing: None, _django_db_helper: None) -> None:
    """Let a test's transaction be over before that is removed: it would be undone with the rest."""


@pytest.fixture(autouse=True)
def _clean_memory() -> Iterator[None]:
    """Forget what a process holds across requests, so that no test sees the keys of another."""
    yield
    api_keys.forget()
    counters.forget()
    counts.forget()
    custom_events.forget()
    flight.forget()
    health.monitor.forget()
    alerting.begin()
    scrape.scrape.forget()
    held.forget()
    incident_news.forget()
    rate_limit.forget()
    sync_receivers.reports.forget()
    timings.recorder.reset()
    troubles.forget()
    pace.forget()


@pytest.fixture
def key(db: None) -> str:
    """An API key that may report events."""
    return api_keys.issue("tests", ["events:write"], limit_per_minute=0)[1]


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
