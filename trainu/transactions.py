"""Whole transactions that are run again when PostgreSQL has undone them for somebody else's sake.

Kernel: imports no app. The rule: only the outermost transaction is repeated, as a whole, and what it
does must be undone by a rollback; anything else waits for `transaction.on_commit`.
"""

import random
import time
from collections.abc import Callable
from functools import partial, wraps
from typing import ParamSpec, TypeVar

import structlog
from django.db import Error, connection, transaction
from django.dispatch import Signal

log = structlog.get_logger(__name__)

RETRIES = 3
LONGEST_PAUSE_S = 1.0
_FIRST_PAUSE_S = 0.05

# https://www.postgresql.org/docs/current/errcodes-appendix.html
CONFLICTS = {"40001": "serialization_failure", "40P01": "deadlock"}

# Sent for each transaction that PostgreSQL undid. sqlstate: str. retried: whether it is run again.
undone = Signal()

P = ParamSpec("P")
R = TypeVar("R")


def sqlstate(error: BaseException | None) -> str:
    """Return PostgreSQL's five letters for what went wrong, or an empty string."""
    while error is not None:
        state = getattr(error, "sqlstate", None)
        if state:
            return str(state)
        error = error.__cause__
    return ""


def atomic_retry(work: Callable[P, R]) -> Callable[P, R]:
    """Run a function in a transaction, and again after a deadlock or a serialisation failure.

    Three retries, with pauses of random length up to a second. Inside another transaction it is a plain
    call: a deadlock has undone the outer one too, so its owner must decide. Raises what `work` raises,
    and the conflict itself when the last try meets one, or what is left for after the commit does.
    """

    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if connection.in_atomic_block:
            return work(*args, **kwargs)
        for attempt in range(RETRIES + 1):
            stands: list[bool] = []
            try:
                with transaction.atomic():
                    # First of all: what `work` leaves for after the commit may meet conflicts of its own.
                    transaction.on_commit(partial(stands.append, True))
                    return work(*args, **kwargs)
            except Error as error:
                state = sqlstate(error)
                if stands or state not in CONFLICTS:
                    raise
                retried = attempt < RETRIES
                undone.send_robust(sender=None, sqlstate=state, retried=retried)
                if not retried:
                    raise
                log.warning("transaction_retried", conflict=CONFLICTS[state], attempt=attempt + 1)
            time.sleep(random.uniform(0, min(LONGEST_PAUSE_S, _FIRST_PAUSE_S * 4**attempt)))
        raise AssertionError("unreachable: the last try returns or raises")

    return run
