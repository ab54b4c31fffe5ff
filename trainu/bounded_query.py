"""Queries of pages, with a limit on their time: a page that asks for too much says so, and holds nobody up.

Kernel: imports no app. The rule: parameters of PostgreSQL hold until the transaction ends, and no longer.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction

_CANCELED = "57014"

# Alone, PostgreSQL reads whole partitions: it believes that a bloom index over unsorted words finds nothing.
BY_BLOOM = {
    "enable_seqscan": "off",
    "enable_indexscan": "off",
    "enable_indexonlyscan": "off",
    # To start a second process takes longer than what is left to read.
    "max_parallel_workers_per_gather": "0",
}


class TooBroad(Exception):
    """The question would read too much; a shorter time or one more filter mends it."""


@contextmanager
def bounded(milliseconds: int, **parameters: str) -> Iterator[None]:
    """Run queries with a limit on each one's time, in which PostgreSQL gives up; raises TooBroad then.

    parameters: of PostgreSQL, for these queries.
    """
    with given_up_is_too_broad(), transaction.atomic():
        # Many partitions make any plan look costly enough to compile, which takes longer than to run it.
        set_parameters(statement_timeout=str(milliseconds), jit="off", **parameters)
        yield


@contextmanager
def given_up_is_too_broad() -> Iterator[None]:
    """Raise TooBroad where PostgreSQL gives a query up, by whatever limit the connection has."""
    try:
        yield
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == _CANCELED:
            raise TooBroad from None
        raise


def set_parameters(**parameters: str) -> None:
    """Set parameters of PostgreSQL until the transaction ends."""
    calls = ", ".join(["set_config(%s, %s, true)"] * len(parameters))
    with connection.cursor() as cursor:
        cursor.execute(f"select {calls}", [word for pair in parameters.items() for word in pair])
