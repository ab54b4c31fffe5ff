"""Bulk operations as people see them: started on a frozen set, approved, paused, resumed, canceled.

The rules: what is started is what was shown: a set of another size is refused, a large one needs its number
typed, one that sends many messages a second person. Letters that come later are untouched. The work is done
by `ramp`, in steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from sync import signals
from sync.dead_letters import approval, preflight, wording
from sync.dead_letters.chosen import Chosen
from sync.dead_letters.letters import check_user
from sync.dead_letters.refusal import Refused
from sync.models import BulkItem, BulkOperation, DeadLetter
from sync.models.dead_letter import OPEN_STATES
from sync.signals import Act
from trainu.transactions import atomic_retry

Kind = BulkOperation.Kind
State = BulkOperation.State
TARGET_KIND = "sync.bulkoperation"
# Above that, the number has to be typed.
CONFIRM_ABOVE = 1_000
MOST = 100_000

_IT_IS = {
    State.PROPOSED: "It waits for a second person",
    State.RUNNING: "It is running",
    State.PAUSED: "It is paused",
    State.STOPPED: "It has stopped by itself",
    State.CANCELED: "It is canceled",
    State.DONE: "It is done",
}

# What each kind can work on.
STATES: dict[str, tuple[str, ...]] = {
    Kind.REDRIVE: ("open",),
    Kind.DISCARD: ("open",),
    Kind.RESTORE: ("discarded",),
    Kind.ASSIGN: OPEN_STATES,
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an operation is. held: of those under way, how many wait for their location."""

    ended: int
    total: int
    held: int

    @property
    def percent(self) -> int:
        return 100 if not self.total else self.ended * 100 // self.total


def letters(kind: str, chosen: Chosen) -> QuerySet[DeadLetter]:
    """Return the letters that an operation would work on now, in no order. Raises Refused."""
    kind = _kind(kind)
    found = DeadLetter.objects.filter(chosen.rows(), state__in=STATES[kind]).order_by()
    if kind == Kind.RESTORE and chosen.operation_id is not None:
        # What was discarded again since, somebody has decided anew.
        found = found.filter(bulk_items__operation=chosen.operation_id, bulk_items__ended_at=F("resolved_at"))
    return found


def count(kind: str, chosen: Chosen) -> int:
    """Return how many letters an operation would work on now, counted no further than MOST + 1."""
    return letters(kind, chosen)[: MOST + 1].count()


@atomic_retry
@transaction.atomic
def start(
    kind: str,
    chosen: Chosen,
    *,
    by: str,
    reason: str,
    shown_count: int,
    now: datetime,
    confirmed_count: int | None = None,
    assignee_id: int | None = None,
    look_first: bool = True,
) -> BulkOperation:
    """Freeze the set of letters and begin; where it takes a second person, wait for them.

    shown_count: how many there were when whoever asks was shown them. confirmed_count: the number they
    typed, needed above CONFIRM_ABOVE. Raises Refused, code "count_changed" where there are others now.
    """
    kind = _kind(kind)
    why = wording.reason(reason)
    if kind == Kind.ASSIGN:
        check_user(assignee_id)
    operation = BulkOperation.objects.create(
        kind=kind,
        chosen=chosen.document(),
        group_id=chosen.group_id,
        reason=why,
        by=by,
        assignee_id=assignee_id if kind == Kind.ASSIGN else None,
        look_first=look_first,
        started_at=now,
        looked_at=now,
    )
    found = _freeze(operation, chosen)
    _check_count(found, shown_count, confirmed_count)
    operation.refresh_from_db()
    approval.ask(operation)
    changes = {"kind": (None, kind), "letters": (None, found), "chosen": (None, str(chosen))}
    changes["state"] = (None, operation.state)
    act = Act("bulk.start", TARGET_KIND, str(operation.pk), why, by, changes)
    signals.acted.send(sender=None, acts=[act])
    return operation


def approve(operation_id: int, *, by: str, now: datetime) -> BulkOperation:
    """Let one begin that waits for a second person. Raises Refused, also for who has started it."""
    states, fields = {State.PROPOSED}, {"approved_by": by, "looked_at": now}
    return _change("approve", operation_id, states, State.RUNNING, by=by, fields=fields)


def pause(operation_id: int, *, by: str, reason: str = "") -> BulkOperation:
    """Begin no further items until somebody resumes it. What is under way ends by itself. Raises Refused."""
    return _change("pause", operation_id, {State.RUNNING}, State.PAUSED, by=by, reason=reason)


def resume(operation_id: int, *, by: str, reason: str = "") -> BulkOperation:
    """Go on; after it has stopped by itself, with a single item again. Raises Refused."""
    return _change("resume", operation_id, {State.PAUSED, State.STOPPED}, State.RUNNING, by=by, reason=reason)


def cancel(operation_id: int, *, by: str, now: datetime, reason: str = "") -> BulkOperation:
    """Begin no further items, for good. What is under way ends by itself. Raises Refused."""
    begun = {State.PROPOSED, State.RUNNING, State.PAUSED, State.STOPPED}
    fields = {"ended_at": now}
    return _change("cancel", operation_id, begun, State.CANCELED, by=by, reason=reason, fields=fields)


def progress(operation: BulkOperation) -> Progress:
    """Return how far an operation is, as its row says."""
    ended = operation.total - operation.pending - operation.sent
    held = 0
    if operation.sent:
        # Never more than a step of them.
        under_way = DeadLetter.objects.filter(
            Q(bulk_items__operation=operation, bulk_items__state=BulkItem.State.SENT), job__isnull=False
        )
        places = list(under_way.order_by().values_list("location_id", flat=True))
        waiting = preflight.held(places)
        held = sum(place in waiting for place in places)
    return Progress(ended, operation.total, held)


def _kind(kind: str) -> Kind:
    if kind not in Kind.values:
        raise Refused("unknown_kind", f"There is no such kind. There are: {', '.join(Kind.values)}.")
    return Kind(kind)


_FREEZE = """
insert into sync_bulkitem (operation_id, letter_id, group_id, state, words)
select %s, chosen.id, chosen.group_id, 'pending', '' from ({letters}) chosen(id, group_id) order by chosen.id
"""


def _freeze(operation: BulkOperation, chosen: Chosen) -> int:
    """Write the items; return how many. One statement: it sees the letters of one moment."""
    rows = letters(operation.kind, chosen).values_list("pk", "group_id")[: MOST + 1]
    statement, parameters = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(_FREEZE.format(letters=statement), [operation.pk, *parameters])
        return int(cursor.rowcount)


def _check_count(found: int, shown: int, confirmed: int | None) -> None:
    if not found:
        raise Refused("nothing_chosen", "There is no such letter any more.")
    if found > MOST:
        raise Refused("too_many", f"At most {MOST:,} letters at once. Choose fewer, by group or location.")
    if found != shown:
        raise Refused(
            "count_changed", f"There are {found:,} letters now, not {shown:,}. Look again, and confirm that."
        )
    if found > CONFIRM_ABOVE and confirmed != found:
        raise Refused("not_confirmed", f"Type the number of letters to go on: {found}.")


@transaction.atomic
def _change(
    act: str,
    operation_id: int,
    states: set[State],
    state: State,
    *,
    by: str,
    reason: str = "",
    fields: Mapping[str, Any] | None = None,
) -> BulkOperation:
    operation = BulkOperation.objects.select_for_update().filter(pk=operation_id).first()
    if operation is None:
        raise Refused("unknown_operation", "There is no such bulk operation.")
    if operation.state not in states:
        raise Refused("wrong_state", f"{_IT_IS[State(operation.state)]}, so that is not possible.")
    if operation.state == State.PROPOSED and state is State.RUNNING:
        approval.check(operation, by)
    before = operation.state
    if before == State.STOPPED and state is State.RUNNING:
        operation.step_size = 0
    operation.state, operation.state_reason = state, ""
    given = fields or {}
    for name, value in given.items():
        setattr(operation, name, value)
    operation.save(update_fields=["state", "state_reason", "step_size", *given])
    if state is State.CANCELED:
        pending = BulkItem.objects.filter(operation=operation, state=BulkItem.State.PENDING)
        pending.update(state=BulkItem.State.CANCELED, ended_at=operation.ended_at)
        operation.refresh_from_db()
    changes = {"state": (before, state.value)}
    signals.acted.send(
        sender=None, acts=[Act(f"bulk.{act}", TARGET_KIND, str(operation.pk), reason, by, changes)]
    )
    return operation
