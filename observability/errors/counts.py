"""How many errors there were, by minute, severity, category and code: exact, whatever becomes of Sentry.

The rule: counting never raises. SEV1 is written at once, on a connection of its own, so that it stands
even where the failing work rolls back; the others are carried every few seconds.
"""

import os
import time
from collections import Counter as Tally
from copy import deepcopy
from datetime import datetime

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from observability import carrier
from observability.errors.classification import Verdict
from trainu.faults import Severity

Key = tuple[datetime, str, str, str]

# Bounds what a process holds while the database is away.
_MOST = 10_000
# After a try that failed, SEV1 waits with the others for so long: each try may cost _PATIENCE_S.
_AGAIN_AFTER_S = 10.0
_PATIENCE_S = 2

_not_before = 0.0


def add(verdict: Verdict, *, now: datetime | None = None) -> None:
    """Count one error."""
    minute = (now or timezone.now()).replace(second=0, microsecond=0)
    key = (minute, verdict.severity.value, verdict.category[:32], verdict.code[:64])
    if verdict.severity is Severity.SEV1 and _write_at_once(key):
        return
    _waiting.add(key)


def forget() -> None:
    """Start empty, and try SEV1 at once again; a forked child has not tried yet."""
    global _not_before
    _waiting.forget()
    _not_before = 0.0


os.register_at_fork(after_in_child=forget)


def _write(counts: Tally[Key]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        _insert(cursor, counts)


_waiting = carrier.Waiting(_write, most=_MOST)
flush = _waiting.flush


def _write_at_once(key: Key) -> bool:
    """Write one error in a transaction of its own; tell whether it stands."""
    global _not_before
    if time.monotonic() < _not_before:
        return False
    try:
        own = connection.copy()
        own.settings_dict = deepcopy(connection.settings_dict)
        options = own.settings_dict["OPTIONS"]
        # Not from the pool, which may be what is exhausted; and nothing here may wait for long.
        options.pop("pool", None)
        options["connect_timeout"] = _PATIENCE_S
        limits = f"-c statement_timeout={_PATIENCE_S}s -c lock_timeout={_PATIENCE_S}s"
        options["options"] = f"{options.get('options', '')} {limits}"
        try:
            with own.cursor() as cursor:
                _insert(cursor, Tally({key: 1}))
        finally:
            own.close()
    except Exception:  # noqa: BLE001 - it is carried with the others then
        _not_before = time.monotonic() + _AGAIN_AFTER_S
        return False
    return True


def _insert(cursor: CursorWrapper, counts: Tally[Key]) -> None:
    cursor.execute(
        "insert into observability_errorminute as e (minute, severity, category, code, errors)"
        " select * from unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::bigint[])"
        " on conflict (minute, severity, category, code) do update set errors = e.errors + excluded.errors",
        carrier.columns(counts),
    )
