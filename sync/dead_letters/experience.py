"""What worked the last time that something died of a cause, with figures: for whoever has to choose a verb.

The rule: what has ended is told, from rows that count already; nothing here reads more than a bounded number
of letters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from sync.models import BulkOperation, CauseGroup

MOST_OPERATIONS = 5
# Of the letters that recovered last, and of those that died last.
MOST_LETTERS = 500
# From this share on, a way is said to have worked.
_MOST_OF_THEM = 0.5

_COPIES = """
select count(*) filter (where letter.state = 'recovered'), count(*) filter (where letter.state = 'open')
from (
    (select state, job_id from sync_deadletter where group_id = %(group)s and state = 'recovered'
     order by died_at desc, id desc limit %(most)s)
    union all
    (select state, job_id from sync_deadletter where group_id = %(group)s and state = 'open'
     order by died_at desc, id desc limit %(most)s)
) letter
join sync_syncjob job on job.id = letter.job_id
where job.replaces_id is not null
"""


@dataclass(frozen=True, slots=True)
class Tried:
    """A bulk operation that is over. tried: letters that were sent or moved. recovered: of a redrive."""

    operation_id: int
    kind: str
    at: datetime
    by: str
    reason: str
    tried: int
    recovered: int
    failed_same_cause: int
    failed_new_cause: int
    superseded: int
    is_stopped: bool

    @property
    def share(self) -> float:
        return self.recovered / self.tried if self.tried else 0.0


@dataclass(frozen=True, slots=True)
class Experience:
    """operations: newest first. changed_*: letters that were sent with changed data, of those seen last."""

    operations: Sequence[Tried]
    recovered: int
    discarded: int
    superseded: int
    changed_recovered: int
    changed_failed: int

    @property
    def advice(self) -> str:
        """What follows from it, in a sentence; empty where nothing is known."""
        redriven = [one for one in self.operations if one.kind == BulkOperation.Kind.REDRIVE and one.tried]
        if redriven and redriven[0].share >= _MOST_OF_THEM:
            return "Last time it was enough to redrive them as they were."
        if self.changed_recovered > self.changed_failed:
            return "With corrected data they recovered."
        if redriven:
            return "To redrive them as they were was not enough last time: mend the cause first."
        if self.recovered:
            return f"To redrive them has worked: {self.recovered:,} recovered."
        if self.discarded:
            return "So far they were discarded: nobody has got one through."
        return ""


def of(group: CauseGroup) -> Experience:
    """Return what was tried on a group's letters, in two questions."""
    over = group.operations.filter(
        state__in=[BulkOperation.State.DONE, BulkOperation.State.CANCELED, BulkOperation.State.STOPPED],
        kind__in=[BulkOperation.Kind.REDRIVE, BulkOperation.Kind.DISCARD],
    )
    operations = [_tried(one) for one in over.order_by("-pk")[:MOST_OPERATIONS]]
    with connection.cursor() as cursor:
        cursor.execute(_COPIES, {"group": group.pk, "most": MOST_LETTERS})
        changed_recovered, changed_failed = cursor.fetchone()
    return Experience(
        operations, group.recovered, group.discarded, group.superseded, changed_recovered, changed_failed
    )


def _tried(one: BulkOperation) -> Tried:
    return Tried(
        operation_id=one.pk,
        kind=one.kind,
        at=one.started_at,
        by=one.by,
        reason=one.reason,
        tried=one.recovered + one.failed_same_cause + one.failed_new_cause + one.superseded + one.done,
        recovered=one.recovered,
        failed_same_cause=one.failed_same_cause,
        failed_new_cause=one.failed_new_cause,
        superseded=one.superseded,
        is_stopped=one.state == BulkOperation.State.STOPPED
        or bool(one.state_reason and one.state == BulkOperation.State.DONE),
    )
