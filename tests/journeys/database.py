"""A test database whose commits are real, for whatever several connections or processes must see."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from observability.models import AuditCheckpoint, AuditEntry, AuditLink
from tests import as_migrated

# Triggers refuse to delete these, which only a superuser of the database gets past.
GUARDED = (AuditEntry, AuditLink, AuditCheckpoint)


@contextmanager
def committing(blocker: Any) -> Iterator[None]:
    """Allow queries for the time of a block, and throw away what they left."""
    with blocker.unblock():
        before = _other_sessions()
        try:
            yield
        finally:
            # What outlives its test would write into the next one.
            eventually(lambda: _other_sessions() <= before, 5.0)
            as_migrated.restore()


@contextmanager
def unguarded() -> Iterator[CursorWrapper]:
    """Do what a superuser of the database can: go past its triggers."""
    with connection.cursor() as cursor:
        cursor.execute("set session_replication_role = replica")
        try:
            yield cursor
        finally:
            cursor.execute("set session_replication_role = origin")


def _other_sessions() -> set[int]:
    """Return the process ids of the database's other sessions."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select pid from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
            " and backend_type = 'client backend'"
        )
        return {pid for (pid,) in cursor.fetchall()}


def settle() -> int:
    """Wait for transactions that are none of the test's, such as autovacuum's: they hold the horizon.

    Returns the horizon.
    """
    deadline = time.monotonic() + 10
    with connection.cursor() as cursor:
        cursor.execute("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        [present] = cursor.fetchone()
        while True:
            cursor.execute("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
            [horizon] = cursor.fetchone()
            if horizon >= present or time.monotonic() > deadline:
                return int(horizon)
            time.sleep(0.01)


def eventually(true: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Wait until it is true; tell whether it came so far."""
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return true()
