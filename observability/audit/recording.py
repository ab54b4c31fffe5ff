"""Write an entry: the one function that every act of an operator ends in.

The rule: no entry, no act. It is written in the transaction of the act and raises when it cannot be
written; the act is then undone with it. An entry carries ids, never names, addresses or secrets.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from django.db import IntegrityError, models, transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from observability import partitions
from observability.audit import actor as acting
from observability.audit.actions import Action
from observability.audit.changes import Change, shown, text
from observability.models import AuditEntry
from observability.redaction import redact
from trainu import correlation
from trainu.transactions import sqlstate

Target = models.Model | tuple[str, object] | None

_NO_PARTITION = "23514"


def record(
    action: Action | str,
    *,
    actor: str | None = None,
    target: Target = None,
    reason: str = "",
    changes: Mapping[str, Change] | None = None,
    now: datetime | None = None,
) -> UUID:
    """Write that something was done; return the entry's id. Call it inside the transaction of the act.

    action: of the vocabulary; any other raises ValueError. actor: who did it, where it is not whoever
    works now. target: a row, or (type, id). reason: in the actor's words; redacted. changes: by field
    (before, after), or None where the values are not for showing. now: aware.
    Raises django.db.Error when it cannot be written, also at commit; a transaction that is not READ COMMITTED
    may then be told to run again (SQLSTATE 40001), as `trainu.transactions.atomic_retry` does.
    """
    by = actor or acting.current()
    target_type, target_id = _target(target)
    entry = AuditEntry(
        recorded_at=now or timezone.now(),
        id=uuid7(),
        actor_kind=by.partition(":")[0],
        actor_id=text(by, 100),
        action=Action(action).value,
        target_type=text(target_type, 100),
        target_id=text(target_id, 200),
        reason=text(redact(reason.strip()), 500),
        correlation_id=correlation.current(),
        changes=shown(changes or {}),
    )
    _insert(entry)
    return entry.id


def _target(target: Target) -> tuple[str, str]:
    if target is None:
        return "", ""
    if isinstance(target, models.Model):
        return target._meta.label_lower, str(target.pk)
    kind, key = target
    return kind, str(key)


def _insert(entry: AuditEntry) -> None:
    try:
        with transaction.atomic():
            entry.save(force_insert=True)
    except IntegrityError as error:
        if sqlstate(error) != _NO_PARTITION or "no partition" not in str(error):
            raise
        partitions.AUDIT.ensure([entry.recorded_at.astimezone(UTC).date()])
        with transaction.atomic():
            entry.save(force_insert=True)
