"""Rows of log lines into PostgreSQL, over a connection that belongs to the log store alone.

The rule: a batch is written whole or not at all; a row that PostgreSQL will never take is set aside, and
the others go in without it. Never starts the embedded server, and never logs: it would write that too.
"""

import contextlib
from collections.abc import Callable
from datetime import UTC, date
from typing import Any

import psycopg
from django.db import Error as DjangoError
from django.db import connection as django_connection

from observability.logs.rows import Row

_COPY = f"copy observability_logline ({', '.join(Row._fields)}) from stdin"
_LIMITS = "-c statement_timeout=5000 -c lock_timeout=2000 -c synchronous_commit=off"


class Refused(Exception):
    """The database takes no lines now. left: rows that are not written, in their order."""

    def __init__(self, left: list[Row], reason: str) -> None:
        super().__init__(reason)
        self.left = left


class Writer:
    """Writes batches. on_bad: told of each row that the database will never take."""

    def __init__(self, on_bad: Callable[[Row], None]) -> None:
        self.connection: psycopg.Connection[Any] | None = None
        self._on_bad = on_bad

    def write(self, rows: list[Row]) -> None:
        """Write all rows but the bad ones; raises Refused with what is left to write."""
        chunks = [rows]
        while chunks:
            chunk = chunks.pop()
            try:
                if self._copy(chunk):
                    continue
            except (psycopg.Error, DjangoError, OSError) as error:
                self.close()
                left = [row for waiting in reversed([*chunks, chunk]) for row in waiting]
                raise Refused(left, type(error).__name__) from None
            if len(chunk) == 1:
                self._on_bad(chunk[0])
            else:
                half = len(chunk) // 2
                chunks += [chunk[half:], chunk[:half]]

    def close(self) -> None:
        """Give the connection back; the next write opens another."""
        connection, self.connection = self.connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                connection.close()

    def _copy(self, rows: list[Row]) -> bool:
        """Write the rows as one; return False when one of them is of a kind that never fits."""
        for is_last_try in (False, True):
            connection = self._connected()
            try:
                with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
                    for row in rows:
                        copy.write_row(row)
                return True
            except psycopg.errors.CheckViolation as error:
                # A row that finds no partition violates a check that has no name.
                if error.diag.constraint_name or is_last_try:
                    return False
                _make_partitions(rows)
            except (psycopg.DataError, psycopg.IntegrityError):
                return False
            except psycopg.OperationalError:
                # A connection that died since the last batch; a restart of the server leaves such ones.
                if is_last_try or not connection.closed:
                    raise
                self.close()
        return False

    def _connected(self) -> psycopg.Connection[Any]:
        if self.connection is None:
            self.connection = psycopg.connect(**parameters(), autocommit=True)
        return self.connection


def parameters() -> dict[str, Any]:
    """Return how to connect: as Django does, but without its pool, and with time limits of our own.

    Raises OSError while the embedded server has not been started by whoever needs it.
    """
    settings = django_connection.settings_dict
    if settings["ENGINE"] == "trainu.embedded" and not settings["HOST"]:
        raise OSError("The embedded server is not running.")
    chosen = django_connection.get_connection_params()
    # Django's own cursors and adapters; here is nothing but COPY.
    for name in ("cursor_factory", "context"):
        chosen.pop(name, None)
    return chosen | {
        "application_name": f"{chosen.get('application_name', 'trainu')}-logs",
        "options": f"{chosen.get('options', '')} {_LIMITS}".strip(),
        "connect_timeout": 3,
        "tcp_user_timeout": 5_000,
    }


def _make_partitions(rows: list[Row]) -> None:
    """Make the partitions that the rows want, over Django's connection of this thread."""
    from observability import partitions  # settings import us, and models are not there yet

    tables = {"application": partitions.LOGS, "error": partitions.ERROR_LOGS}
    days: dict[str, set[date]] = {}
    for row in rows:
        days.setdefault(row.kind, set()).add(row.logged_at.astimezone(UTC).date())
    try:
        for kind, wanted in days.items():
            tables[kind].ensure(wanted)
    finally:
        django_connection.close()
