"""The test database as migrations have left it, again after every test that commits.

The rule: only tables that hold something else are touched. Django's own way (truncate all, run the signals of
a migration) makes the files of 250 tables and partitions anew, a second of work a test.
"""

from collections.abc import Sequence

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

SCHEMA = "as_migrated"
_TABLES = """
select relname from pg_class
where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'django_migrations'
order by relname
"""
# What was written into a column that the database fills itself is refused.
_COLUMNS = """
select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
where attrelid = %s::regclass and attnum > 0 and not attisdropped and attgenerated = ''
"""
# Beyond it the room of deleted rows is given back: every later test would read over it.
_LARGE_BYTES = 4_000_000


def remember() -> None:
    """Keep what is there now, which is what migrations and their signals have written."""
    with connection.cursor() as cursor:
        cursor.execute(f"create schema {SCHEMA}")
        for name in _with_rows(cursor, _tables(cursor)):
            cursor.execute(f'create table {SCHEMA}."{name}" as table public."{name}"')


def restore() -> None:
    """Make every table what it was when it was remembered, past the triggers that guard the audit log."""
    with connection.cursor() as cursor:
        # Partitions come and go, so it is asked each time.
        tables = _tables(cursor)
        cursor.execute("select relname from pg_class where relnamespace = %s::regnamespace", [SCHEMA])
        kept = {name for (name,) in cursor.fetchall()}
        with transaction.atomic():
            cursor.execute("set local session_replication_role = replica")
            used = _with_rows(cursor, [name for name in tables if name not in kept])
            for name in used:
                cursor.execute(f'delete from public."{name}"')
            for name in kept.intersection(tables):
                _put_back(cursor, name)
        for name in used:
            cursor.execute("select pg_table_size(%s::regclass)", [f'public."{name}"'])
            if cursor.fetchone()[0] > _LARGE_BYTES:
                cursor.execute(f'vacuum public."{name}"')


def _tables(cursor: CursorWrapper) -> list[str]:
    cursor.execute(_TABLES)
    return [name for (name,) in cursor.fetchall()]


def _with_rows(cursor: CursorWrapper, names: Sequence[str]) -> list[str]:
    cursor.execute(
        " union all ".join(f"select '{name}' where exists (table public.\"{name}\")" for name in names)
    )
    return [name for (name,) in cursor.fetchall()]


def _put_back(cursor: CursorWrapper, name: str) -> None:
    now, before = f'table public."{name}"', f'table {SCHEMA}."{name}"'
    cursor.execute(f"select exists ({now} except all {before}) or exists ({before} except all {now})")
    if cursor.fetchone()[0]:
        cursor.execute(_COLUMNS, [f'public."{name}"'])
        columns = cursor.fetchone()[0]
        cursor.execute(f'delete from public."{name}"')
        cursor.execute(
            f'insert into public."{name}" ({columns}) overriding system value'
            f' select {columns} from {SCHEMA}."{name}"'
        )
