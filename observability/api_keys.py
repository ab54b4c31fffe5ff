"""Issue keys, and recognise them: a request pays a hash and a look into this process's own memory.

The rule: a key is never stored, logged or shown again after it was issued. A revoked key stops
working everywhere within HELD_S.
"""

import hashlib
import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.utils import timezone

from observability.audit.actions import Action
from observability.audit.recording import record
from observability.models import ApiKey
from trainu.problem import Problem

# How long a process trusts what it has read of a key, and the ones it has found to be unknown.
HELD_S = 15.0
_MOST_HELD = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling: what a key may do, as read from its row."""

    id: int
    scopes: frozenset[str]
    limit_per_minute: int
    expires_at: datetime | None


_held: dict[bytes, tuple[float, Caller | None]] = {}
_lock = threading.Lock()


def issue(
    name: str,
    scopes: Iterable[str],
    *,
    expires_at: datetime | None = None,
    limit_per_minute: int | None = None,
) -> tuple[ApiKey, str]:
    """Make a key; return its row and the key itself, which exists nowhere else from now on.

    Raises ValueError for an unknown scope or none, IntegrityError when the name is taken.
    """
    chosen = sorted(set(scopes))
    if unknown := set(chosen) - set(ApiKey.Scope.values):
        known = ", ".join(ApiKey.Scope.values)
        raise ValueError(f"There is no scope {', '.join(sorted(unknown))}. There are: {known}.")
    if not chosen:
        raise ValueError(f"Give the key at least one scope of: {', '.join(ApiKey.Scope.values)}.")
    prefix = secrets.token_hex(4)
    key = f"trainu_{prefix}_{secrets.token_urlsafe(32)}"
    row = ApiKey(name=name, scopes=chosen, prefix=prefix, digest=_digest(key), expires_at=expires_at)
    if limit_per_minute is not None:
        row.limit_per_minute = limit_per_minute
    with transaction.atomic():
        row.save(force_insert=True)
        granted = {"scopes": chosen, "limit_per_minute": row.limit_per_minute, "expires_at": expires_at}
        record(
            Action.API_KEY_ISSUE,
            target=row,
            changes={field: (None, value) for field, value in granted.items()},
        )
    return row, key


def revoke(key: ApiKey, *, now: datetime) -> None:
    """Stop a key for good; a second time changes nothing."""
    with transaction.atomic():
        if ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
            record(Action.API_KEY_REVOKE, target=key, changes={"revoked_at": (None, now)})
    forget()


def forget() -> None:
    """Read every key again at its next use, because one has changed in this process."""
    with _lock:
        _held.clear()


def require(key: str | None, *scopes: str) -> Caller:
    """Return who calls; raises Problem 401 for no valid key, 403 for a missing scope.

    Raises django.db.OperationalError when the key is not in memory and the database is away.
    """
    caller = _recognise(key) if key else None
    if caller is None or (caller.expires_at and caller.expires_at <= timezone.now()):
        raise Problem(401, "invalid_api_key", "Send a valid API key: Authorization: Bearer trainu_….")
    for scope in scopes:
        if scope not in caller.scopes:
            raise Problem(403, "missing_scope", f"This key lacks the scope {scope}.")
    return caller


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _recognise(key: str) -> Caller | None:
    digest = _digest(key)
    now = time.monotonic()
    held = _held.get(digest)
    if held and held[0] > now:
        return held[1]
    caller = _read(digest)
    with _lock:
        if len(_held) >= _MOST_HELD:
            _held.clear()
        _held[digest] = (now + HELD_S, caller)
    return caller


def _read(digest: bytes) -> Caller | None:
    """Read the row and note its use, in one statement and at most once per HELD_S and process."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update observability_apikey set last_used_at = now()"
            " where digest = %s and revoked_at is null"
            " returning id, scopes, limit_per_minute, expires_at",
            [digest],
        )
        row = cursor.fetchone()
    return Caller(row[0], frozenset(row[1]), row[2], row[3]) if row else None
