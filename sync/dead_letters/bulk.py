"""Bulk operations as people see them: started on a frozen set, paused, resumed, canceled.

The rules: what is started is what was shown: a set of another size is refused, a large one needs its number
typed. Letters that come later are untouched. The work is done by `ramp`, in steps.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Q

from sync import signals
from sync.dead_letters import preflight, wording
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


def count(kind: str, chosen: Chosen) -> int:
    """Return how many letters an operation would work on now, counted no further than MOST + 1."""
    return chosen.count(STATES[Kind(kind)], MOST + 1)


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
    """Freeze the set of letters and begin.

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
        reason=why,
        by=by,
        assignee_id=assignee_id if kind == Kind.ASSIGN else None,
        look_first=look_first,
        started_at=now,
        looked_at=now,
    )
    found = _freeze(operation, chosen)
    _check_count(found, shown_count, confirmed_count)
    changes = {"kind": (None, kind), "letters": (None, found), "chosen": (None, str(chosen))}
    act = Act("bulk.start", TARGET_KIND, str(operation.pk), why, by, changes)
    signals.acted.send(sender=None, acts=[act])
    operation.refresh_from_db()
    return operation


def pause(operation_id: int, *, by: str, reason: str = "") -> BulkOperation:
    """Begin no further items until somebody resumes it. What is under way ends by itself. Raises Refused."""
    return _change("pause", operation_id, {State.RUNNING}, State.PAUSED, by=by, reason=reason)


def resume(operation_id: int, *, by: str, reason: str = "") -> BulkOperation:
    """Go on; after it has stopped by itself, with a single item again. Raises Refused."""
    return _change("resume", operation_id, {State.PAUSED, State.STOPPED}, State.RUNNING, by=by, reason=reason)


def cancel(operation_id: int, *, by: str, now: datetime, reason: str = "") -> BulkOperation:
    """Begin no further items, for good. What is under way ends by itself. Raises Refused."""
    running = {State.RUNNING, State.PAUSED, State.STOPPED}
    return _change("cancel", operation_id, running, State.CANCELED, by=by, reason=reason, now=now)


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
    letters = DeadLetter.objects.filter(chosen.rows(), state__in=STATES[operation.kind]).order_by()
    statement, parameters = letters.values_list("pk", "group_id")[: MOST + 1].query.sql_with_params()
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
    reason: str,
    now: datetime | None = None,
) -> BulkOperation:
    operation = BulkOperation.objects.select_for_update().filter(pk=operation_id).first()
    if operation is None:
        raise Refused("unknown_operation", "There is no such bulk operation.")
    if operation.state not in states:
        raise Refused(
            "wrong_state", f"It is {operation.get_state_display().lower()}, so that is not possible."
        )
    before = operation.state
    if before == State.STOPPED and state is State.RUNNING:
        operation.step_size = 0
    operation.state, operation.state_reason = state, ""
    operation.ended_at = now
    operation.save(update_fields=["state", "state_reason", "step_size", "ended_at"])
    if state is State.CANCELED:
        pending = BulkItem.objects.filter(operation=operation, state=BulkItem.State.PENDING)
        pending.update(state=BulkItem.State.CANCELED, ended_at=now)
        operation.refresh_from_db()
    changes = {"state": (before, state.value)}
    signals.acted.send(
        sender=None, acts=[Act(f"bulk.{act}", TARGET_KIND, str(operation.pk), reason, by, changes)]
    )
    return operation
