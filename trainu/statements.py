"""Statements with whole columns for parameters: bound and prepared on the server, binary both ways.

Kernel: imports no app. The rule: only what handles hundreds of rows at once goes this way; Django's own
cursor would render every value as a literal. Its wrappers are passed by, so the clock among them is told.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

import psycopg
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper


def rows(statement: LiteralString, parameters: Sequence[object] | Mapping[str, object]) -> list[Any]:
    """Run a statement; return its rows. jsonb comes parsed; ask for its text where that is enough."""
    with _run(connection, statement, parameters) as cursor:
        return cursor.fetchall()


def count(
    statement: LiteralString,
    parameters: Sequence[object] | Mapping[str, object],
    *,
    on: BaseDatabaseWrapper = connection,
) -> int:
    """Run a statement; return how many rows it has changed."""
    with _run(on, statement, parameters) as cursor:
        return cursor.rowcount


def _run(
    on: BaseDatabaseWrapper, statement: LiteralString, parameters: Sequence[object] | Mapping[str, object]
) -> "psycopg.Cursor[Any]":
    on.ensure_connection()
    on.validate_no_broken_transaction()
    started = time.perf_counter()
    cursor = psycopg.Cursor(on.connection)
    with on.wrap_database_errors:
        cursor.execute(statement, parameters, prepare=True, binary=True)
    seconds = time.perf_counter() - started
    if on.queries_logged:
        on.queries_log.append({"sql": statement, "time": f"{seconds:.3f}"})
    for wrapper in on.execute_wrappers:
        if observe := getattr(wrapper, "observe", None):
            observe(seconds)
    return cursor
