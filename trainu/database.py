"""How each kind of process talks to PostgreSQL: time limits, pooling, and who it says it is.

The rule: no statement, lock or idle transaction waits for ever, in any process.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg.conninfo import conninfo_to_dict

# Milliseconds, by process kind: (statement_timeout, lock_timeout, idle_in_transaction_session_timeout).
TIME_LIMITS_MS = {
    "web": (15_000, 3_000, 30_000),
    "worker": (60_000, 10_000, 60_000),
    "command": (0, 10_000, 300_000),
}


def configuration(url: str, *, process: str, data_dir: Path, pool_size: int) -> dict[str, Any]:
    """Return Django's DATABASES["default"].

    url: a libpq URL (postgresql://…) or empty for the embedded server. process: web, worker or command.
    pool_size: connections a web process may hold; workers and commands hold one each, because a pool
    does not survive the forks of django-q2. Raises ImproperlyConfigured for a URL libpq cannot read.
    """
    chosen: dict[str, Any] = {"OPTIONS": _limits(process), "TEST": {"NAME": "test_trainu"}}
    if process == "web":
        # No idle minimum and no check on checkout: after a database restart the psycopg pool would
        # otherwise sleep between failing checks, up to half a minute (`heal` clears it instead). And it
        # gives up connecting after a second, for while it waits to try again, nobody else may.
        chosen["OPTIONS"]["pool"] = {
            "min_size": 0,
            "max_size": pool_size,
            "timeout": 2,
            "reconnect_timeout": 1,
            "max_idle": 60,
            "max_lifetime": 1800,
        }
    else:
        chosen |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    if not url:
        return chosen | {"ENGINE": "trainu.embedded", "NAME": "trainu", "HOST": "", "DATA_DIR": str(data_dir)}
    for key, value in _parsed(url).items():
        if key in _SETTINGS:
            chosen[_SETTINGS[key]] = value
        else:
            chosen["OPTIONS"][key] = value
    return chosen | {"ENGINE": "django.db.backends.postgresql"}


_SETTINGS = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}


def heal(connection: BaseDatabaseWrapper) -> None:
    """Drop a connection that died, and have the pool throw out the others that died with it.

    Without this, each stale connection of the pool would cost one more request its answer.
    """
    if connection.connection is None or not connection.connection.closed:
        return
    connection.close()
    if pool := getattr(connection, "pool", None):
        pool.check()


def _leave_to_parent() -> None:
    """In a forked child, let go of the connections and pools of its parent without touching them.

    Both would otherwise speak over one socket. Django's pool besides has threads that the child lacks: a
    task that asks it for a connection hangs, with django-q2 the whole cluster.
    """
    pools: dict[str, Any] = DatabaseWrapper._connection_pools  # type: ignore[attr-defined]
    # Kept, for a pool that is thrown away would wait for its threads.
    _of_parents.append(dict(pools))
    pools.clear()
    for alias in connections:
        # psycopg itself leaves a connection alone that another process has opened.
        with suppress(AttributeError):
            del connections[alias]


_of_parents: list[dict[str, Any]] = []
os.register_at_fork(after_in_child=_leave_to_parent)


def _limits(process: str) -> dict[str, Any]:
    """Return libpq's options that name the process and bound its waits."""
    statement_ms, lock_ms, idle_ms = TIME_LIMITS_MS[process]
    return {
        # Django's own cursors never prepare; the one insert of observability.store asks for it, and with
        # Django's default (None) would not get it: half of a small request is planning that statement.
        "prepare_threshold": 5,
        "application_name": f"trainu-{process}",
        "options": (
            f"-c statement_timeout={statement_ms} -c lock_timeout={lock_ms}"
            f" -c idle_in_transaction_session_timeout={idle_ms}"
        ),
    }


def _parsed(url: str) -> dict[str, Any]:
    try:
        return dict(conninfo_to_dict(url))
    except psycopg.ProgrammingError:
        # Whatever libpq says may quote the password.
        raise ImproperlyConfigured(
            "DATABASE_URL cannot be read. It looks like postgresql://user:password@host:5432/name."
        ) from None
