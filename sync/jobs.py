"""Jobs: taking an intent in, inside the caller's transaction, once for each idempotency key.

The rule: what is enqueued commits with what caused it. Jobs of one ordering key get their place in the
order under a lock, so that who comes later also stands later.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from pydantic import ValidationError
from uuid_utils.compat import uuid7

from sync import backoff, superseding
from sync.ghl.operations import OPERATIONS
from sync.ghl.operations.misfits import Misfit, misfits
from sync.ghl.operations.operation import AnyOperation
from sync.mass_send import text
from sync.models import Location, SyncJob
from sync.transitions import Cause, State
from trainu import correlation

MESSAGE = "message.send"


@dataclass(frozen=True, slots=True)
class Enqueued:
    """A job that was taken in, or one that already was. is_duplicate: its idempotency key was known."""

    job_id: UUID
    state: State
    is_duplicate: bool


class Refused(ValueError):
    """A job that cannot be taken in. code: a word for machines; str(): what is wrong and what to do.

    misfits: of a payload that does not fit, field by field.
    """

    def __init__(self, code: str, message: str, misfits: tuple[Misfit, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.misfits = misfits


def enqueue(
    operation: str,
    location_id: str,
    payload: dict[str, Any],
    *,
    idempotency_key: str = "",
    ordering_key: str = "",
    now: datetime | None = None,
    due_at: datetime | None = None,
) -> Enqueued:
    """Take a job in; it is due at once or when said, and commits with the transaction around it.

    payload: as the operation's schema has it. ordering_key: default is the operation's own. now: default
    is the clock. Raises Refused for an unknown operation or location, for a payload that does not fit, and
    for an idempotency key that was given to something else.
    """
    kind, checked = check(operation, payload)
    if not Location.objects.filter(pk=location_id).exists():
        raise Refused("unknown_location", "There is no such location. Add it in the admin first.")
    moment = now or timezone.now()
    order = ordering_key or kind.ordering_key(checked) or ""
    job = SyncJob(
        id=uuid7(),
        location_id=location_id,
        operation=operation,
        payload=checked.document(),
        idempotency_key=idempotency_key,
        ordering_key=order,
        writes=sorted(kind.writes(checked)),
        text_key=text.key_of(checked.document()) if operation == MESSAGE else None,
        next_at=due_at or moment,
        created_at=moment,
        correlation_id=correlation.current() or correlation.new(),
    )
    with transaction.atomic():
        if order:
            _take_place(location_id, order)
        [stored] = SyncJob.objects.bulk_create([job], ignore_conflicts=bool(idempotency_key))
        if order and job.writes:
            superseding.in_order(location_id, order, now=moment)
        if not idempotency_key:
            return Enqueued(stored.pk, State.WAITING, is_duplicate=False)
        known = SyncJob.objects.get(location_id=location_id, idempotency_key=idempotency_key)
        if (known.operation, known.payload) != (operation, job.payload):
            raise Refused(
                "idempotency_key_reused",
                "This idempotency key belongs to a job with another operation or payload, which stays as it"
                " is. Send this one with a key of its own.",
            )
        return Enqueued(known.pk, State(known.state), is_duplicate=known.pk != job.pk)


def revive(ids: Collection[UUID], *, now: datetime, look_first: bool = True) -> set[UUID]:
    """Give dead jobs one more try; return those that were dead. Inside the caller's transaction.

    look_first: ask GoHighLevel whether it is done already before sending; without, send at once, which for
    what cannot be repeated is a person's decision. What was discarded or refused before its first try has not
    been sent.
    """
    revived = SyncJob.objects.filter(pk__in=ids, state=State.DEAD)
    locked = set(revived.order_by("position").select_for_update().values_list("pk", flat=True))
    SyncJob.objects.filter(pk__in=locked).update(
        state=State.WAITING,
        cause="",
        tries=backoff.MOST_TRIES - 1,
        lookups=0,
        is_lookup=~Q(cause__in=[Cause.WITHDRAWN, Cause.REFUSED], tries=0) if look_first else False,
        is_redrive=True,
        is_suspect=False,
        next_at=now,
        settled_at=None,
    )
    return locked


def check(operation: str, payload: dict[str, Any]) -> tuple[AnyOperation, Any]:
    """Return the operation and its checked payload; raises Refused, naming fields and never values."""
    kind = OPERATIONS.get(operation)
    if kind is None:
        known = ", ".join(sorted(OPERATIONS))
        raise Refused("unknown_operation", f"There is no such operation. There are: {known}.")
    try:
        return kind, kind.payload.parse(payload)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        words = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'payload'}: {one['msg']}" for one in faults[:5]
        )
        raise Refused("invalid_payload", f"{operation}: {words}.", misfits(error)) from None
    except ValueError as error:
        raise Refused("invalid_payload", f"{operation}: {error}", (Misfit((), str(error)),)) from None


def _take_place(location_id: str, order: str) -> None:
    """Wait for whoever is enqueuing for the same key: positions then commit in their order."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{location_id} {order}"])
