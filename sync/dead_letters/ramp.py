"""How bulk operations run: 1, 10, 100, then 500 at a time, and no further where the cause is still there.

The rules: a step begins when the one before it has ended, item by item; what a step has shown decides.
An item and what it is about move in one transaction, so whoever is killed sends nothing twice. One
transaction works on one operation, under its lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Count

from sync.dead_letters import moves
from sync.dead_letters.outcome import Outcome
from sync.models import BulkItem, BulkOperation, DeadLetter
from trainu.transactions import atomic_retry

log = structlog.get_logger(__name__)

Kind = BulkOperation.Kind
State = BulkOperation.State
ItemState = BulkItem.State

SIZES = (1, 10, 100, 500)
# In the first two steps one failure of the old cause is enough; later, some may be ill by themselves.
CAREFUL = 10
MOST_FAILURES = 0.1
# Of a location's rate: what people redrive comes behind what is new.
SHARE = 0.5
# Operations that are looked at in one call.
_AT_ONCE = 20

_UNDER_WAY = """
select id from sync_bulkoperation where state = 'running' or sent > 0 order by looked_at limit %s
"""
# Died again, whatever has become of it since; or ended well. What died as overtaken was not sent.
_ENDED = """
update sync_bulkitem item
set ended_at = %(now)s, state = case
    when letter.deaths > item.deaths and letter.code = 'overtaken' then 'needs_decision'
    when letter.deaths > item.deaths and letter.group_id = item.group_id then 'failed_same_cause'
    when letter.deaths > item.deaths then 'failed_new_cause'
    when letter.state = 'superseded' then 'superseded'
    else 'recovered' end
from sync_deadletter letter
where item.operation_id = %(operation)s and item.state = 'sent' and letter.id = item.letter_id
  and (letter.deaths > item.deaths or letter.state in ('recovered', 'superseded'))
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a step has shown, by item."""

    recovered: int = 0
    same_cause: int = 0
    new_cause: int = 0

    @property
    def failed(self) -> int:
        return self.same_cause + self.new_cause


def verdict(size: int, shown: Shown) -> str:
    """Return why an operation must not go on after a step, in plain words; empty where it may."""
    tried = shown.recovered + shown.failed
    if size <= CAREFUL and shown.same_cause:
        return f"Stopped: {shown.same_cause} of {tried} failed again of the same cause. It is still there."
    if shown.failed > tried * MOST_FAILURES:
        return f"Stopped: {shown.failed} of {tried} failed again, more than one in ten. Look at why first."
    return ""


def next_size(size: int, shown: Shown) -> int:
    """Return how many items come next. Nothing grows before something has recovered."""
    if not size:
        return SIZES[0]
    return min((larger for larger in SIZES if larger > size), default=size) if shown.recovered else size


def step(*, now: datetime) -> bool:
    """Do a bit of work for every operation that is under way; return whether there was any to do."""
    with connection.cursor() as cursor:
        cursor.execute(_UNDER_WAY, [_AT_ONCE])
        ids = [id for (id,) in cursor.fetchall()]
    moved = [_looked_after(id, now=now) for id in ids]
    return any(moved)


def _looked_after(operation_id: int, *, now: datetime) -> bool:
    try:
        return _work(operation_id, now=now)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        # Its neighbours go on. What it was about to do has been undone, and is tried again.
        log.exception("bulk_operation_failed", bulk_operation=operation_id)
        return False


@atomic_retry
@transaction.atomic
def _work(operation_id: int, *, now: datetime) -> bool:
    """Work on one operation; return whether anything has changed. Whom another lane has is left to it."""
    locked = BulkOperation.objects.select_for_update(skip_locked=True).filter(pk=operation_id)
    operation = locked.first()
    if operation is None:
        return False
    ended = _note_ended(operation, now)
    operation.refresh_from_db()
    operation.looked_at = now
    moved = operation.state == State.RUNNING and not operation.sent and _go_on(operation, now)
    operation.save(update_fields=["state", "state_reason", "step", "step_size", "looked_at", "ended_at"])
    return bool(ended or moved)


def _note_ended(operation: BulkOperation, now: datetime) -> int:
    if not operation.sent:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_ENDED, {"operation": operation.pk, "now": now})
        return int(cursor.rowcount)


def _go_on(operation: BulkOperation, now: datetime) -> bool:
    """Decide after a step: stop, end, or begin the next one."""
    ramped = operation.kind == Kind.REDRIVE
    shown = _shown(operation) if ramped else Shown()
    if ramped and operation.step_size and (why := verdict(operation.step_size, shown)):
        operation.state, operation.state_reason = State.STOPPED, why
        if not operation.pending:
            operation.state, operation.ended_at = State.DONE, now
        return True
    if not operation.pending:
        operation.state, operation.ended_at = State.DONE, now
        return True
    operation.step += 1
    operation.step_size = next_size(operation.step_size, shown) if ramped else moves.MOST
    pending = BulkItem.objects.filter(operation=operation, state=ItemState.PENDING).order_by("pk")
    ids = list(pending.values_list("letter_id", flat=True)[: operation.step_size])
    _write(operation, ids, _move(operation, ids, now), now)
    return True


def _shown(operation: BulkOperation) -> Shown:
    of_step = BulkItem.objects.filter(operation=operation, step=operation.step)
    rows = of_step.order_by().values_list("state").annotate(count=Count("pk"))
    counts = dict(rows)
    return Shown(
        counts.get(ItemState.RECOVERED, 0),
        counts.get(ItemState.FAILED_SAME_CAUSE, 0),
        counts.get(ItemState.FAILED_NEW_CAUSE, 0),
    )


def _move(operation: BulkOperation, ids: Sequence[int], now: datetime) -> Outcome:
    match operation.kind:
        case Kind.REDRIVE:
            return moves.redrive(ids, now=now, look_first=operation.look_first, share=SHARE)
        case Kind.DISCARD:
            return moves.discard(ids, operation.reason, by=operation.by, now=now)
        case Kind.RESTORE:
            return moves.restore(ids)
        case _:
            return moves.assign(ids, operation.assignee_id)


_WRITE = """
update sync_bulkitem item
set state = w.state, words = w.words, step = %s, deaths = w.deaths,
    ended_at = case when w.state <> 'sent' then %s end
from unnest(%s::bigint[], %s::text[], %s::text[], %s::int[]) as w(letter_id, state, words, deaths)
where item.operation_id = %s and item.letter_id = w.letter_id
"""


def _write(operation: BulkOperation, ids: Sequence[int], outcome: Outcome, now: datetime) -> None:
    """Write what has become of the items of a step."""
    sent = operation.kind == Kind.REDRIVE
    done = ItemState.SENT if sent else ItemState.DONE
    deaths = dict(DeadLetter.objects.filter(pk__in=outcome.done).values_list("pk", "deaths")) if sent else {}
    ends = dict.fromkeys(outcome.done, (done.value, ""))
    ends |= dict.fromkeys(outcome.superseded, (ItemState.SUPERSEDED.value, ""))
    ends |= {id: (ItemState.NEEDS_DECISION.value, words) for id, words in outcome.undecided.items()}
    ends |= {id: (ItemState.SKIPPED.value, words) for id, words in outcome.refused.items()}
    states, words = zip(*(ends[id] for id in ids), strict=True)
    columns = [list(ids), list(states), list(words), [deaths.get(id) for id in ids]]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [operation.step, now, *columns, operation.pk])
