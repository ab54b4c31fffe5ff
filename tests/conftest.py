"""Fixtures that every test may want. PostgreSQL is real and ours; nothing of our own is mocked."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from observability import api_keys, counters, custom_events, health, rate_limit, timings
from observability.errors import counts


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Let our own server skip waiting for the disk: no test pulls the plug of the whole machine."""
    if settings.DATABASES["default"]["ENGINE"] != "trainu.embedded":
        return
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("alter system set fsync = off")
        cursor.execute("select pg_reload_conf()")


@pytest.fixture
def transactional_db(transactional_db: None) -> Iterator[None]:
    """Django empties every table after such a test, which the audit log's triggers would refuse.

    The connection is closed by Django afterwards, and the setting gone with it.
    """
    yield
    with connection.cursor() as cursor:
        cursor.execute("set session_replication_role = replica")


@pytest.fixture(autouse=True)
def _clean_memory() -> Iterator[None]:
    """Forget what a process holds across requests, so that no test sees the keys of another."""
    yield
    api_keys.forget()
    counters.forget()
    counts.forget()
    custom_events.forget()
    health.monitor.forget()
    rate_limit.forget()
    timings.recorder.reset()


@pytest.fixture
def key(db: None) -> str:
    """An API key that may report events."""
    return api_keys.issue("tests", ["events:write"], limit_per_minute=0)[1]
