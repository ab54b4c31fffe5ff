"""Remove rows of ordinary tables in bounded batches, each a transaction of its own.

The rule: the table is walked once, a window of pages after the other, so that the time is linear and
no index on the row's time is needed; rows that somebody holds locked are left for the next run.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

from django.apps import apps
from django.db import OperationalError, connection, models, transaction
from django.db.models import Min, Q, QuerySet

from trainu.datasets import Table
from trainu.transactions import sqlstate

BATCH = 5_000
# About a batch of ordinary rows: a window is read again for each batch that it holds.
WINDOW_PAGES = 64
# A count for people goes no further.
COUNTED = 100_000
_CANCELED = "57014"


def due(table: Table, *, cutoff_at: datetime) -> QuerySet[Any]:
    """Return the rows that are to go: deleted, or emptied where that is not done yet."""
    return _subject_to(table).filter(**{f"{table.at}__lt": _as_field(table, cutoff_at)})


def count(table: Table, *, cutoff_at: datetime, time_limit_ms: int = 5_000) -> int | None:
    """Return how many rows are to go, at most COUNTED; None where counting takes too long."""
    found = _bounded(lambda: due(table, cutoff_at=cutoff_at).order_by()[:COUNTED].count(), time_limit_ms)
    return None if found is None else int(found)


def is_late(table: Table, *, cutoff_at: datetime, time_limit_ms: int) -> bool | None:
    """Tell whether any row is to go; None where that takes too long to find out."""
    found = _bounded(lambda: due(table, cutoff_at=cutoff_at).order_by().exists(), time_limit_ms)
    return None if found is None else bool(found)


def oldest(table: Table, *, time_limit_ms: int = 3_000) -> datetime | None:
    """Return the oldest time among the rows; None where there is none, or it takes too long."""
    found = _bounded(lambda: _subject_to(table).order_by().aggregate(at=Min(table.at))["at"], time_limit_ms)
    if isinstance(found, date) and not isinstance(found, datetime):
        return datetime.combine(found, datetime.min.time(), tzinfo=UTC)
    return found if isinstance(found, datetime) else None


def remove(table: Table, *, cutoff_at: datetime, note: Callable[[int], object]) -> Iterator[int]:
    """Remove what is to go; yields after each batch how many rows it took, or 0 for a window without any.

    note: called with the number of rows inside the transaction that removes them.
    """
    model = apps.get_model(table.model)
    rows = due(table, cutoff_at=cutoff_at).order_by()
    for start in range(0, _pages(model), WINDOW_PAGES):
        # Written into the statement, for PostgreSQL reads a range of pages only where it sees both ends.
        window = rows.extra(
            where=[f'"{model._meta.db_table}".ctid >= %s::tid and "{model._meta.db_table}".ctid < %s::tid'],
            params=[f"({start},0)", f"({start + WINDOW_PAGES},0)"],
        )
        while True:
            with transaction.atomic():
                taken = _batch(model, window, table.blank)
                if taken:
                    note(taken)
            yield taken
            if taken < BATCH:
                break


def _batch(model: type[models.Model], window: QuerySet[Any], blank: dict[str, Any] | None) -> int:
    name = f'"{model._meta.db_table}".ctid'
    locked = window.select_for_update(skip_locked=True, of=("self",))
    referred_to = any(relation.one_to_many or relation.one_to_one for relation in model._meta.related_objects)
    if referred_to and blank is None:
        # Django follows the foreign keys; the database alone would refuse.
        keys = list(locked.values_list("pk", flat=True)[:BATCH])
        model._base_manager.filter(pk__in=keys).delete()
        return len(keys)
    places = list(locked.extra(select={"place": f"{name}::text"}).values_list("place", flat=True)[:BATCH])
    if not places:
        return 0
    if blank is not None:
        chosen = model._base_manager.extra(where=[f"{name} = any(%s::tid[])"], params=[places])
        return int(chosen.update(**blank))
    with connection.cursor() as cursor:
        cursor.execute(
            f'delete from "{model._meta.db_table}" where ctid = any(%s::tid[])',
            [places],
        )
        return int(cursor.rowcount)


def _subject_to(table: Table) -> QuerySet[Any]:
    """Return the rows that the policy is about."""
    rows: QuerySet[Any] = apps.get_model(table.model)._base_manager.filter(table.where())
    if table.blank is not None:
        rows = rows.exclude(Q(**table.blank))
    return rows


def _as_field(table: Table, cutoff_at: datetime) -> datetime | date:
    field = apps.get_model(table.model)._meta.get_field(table.at)
    return cutoff_at if isinstance(field, models.DateTimeField) else cutoff_at.astimezone(UTC).date()


def _pages(model: type[models.Model]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "select pg_relation_size(%s::regclass) / current_setting('block_size')::int",
            [f'"{model._meta.db_table}"'],
        )
        return int(cursor.fetchone()[0])


def _bounded(question: Any, time_limit_ms: int) -> Any:
    """Ask something that may read a whole table; None where it takes longer than the limit."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("select set_config('statement_timeout', %s, true)", [str(time_limit_ms)])
            return question()
    except OperationalError as error:
        if sqlstate(error) == _CANCELED:
            return None
        raise
