"""Jobs that wait for their next try, tried now: for a location that is back, or a cause that was mended.

The rule: a try now is a try spent. Many come due one after another, slower than the location may be asked,
so that what is new does not stand behind them. A lookup keeps its time, for GoHighLevel needs it to show its
work.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from sync import budgets, signals
from sync.models import SyncJob
from sync.signals import Act
from sync.transitions import State

MOST = 10_000
# Of the location's rate: the rest is left to what is new.
SHARE = 0.5
LONGEST_REASON = 300
TARGET_KIND = "sync.syncjob"
_ENDED = {
    State.LEASED: "The job is being tried at this moment.",
    State.SUCCEEDED: "The job is done, so there is nothing to try.",
    State.DEAD: "The job is a dead letter. Redrive it there.",
    State.SUPERSEDED: "A newer job has made this one needless. It is not sent any more.",
}


@dataclass(frozen=True, slots=True)
class Retried:
    """How many jobs come due earlier now. is_more: others still wait for longer; call again."""

    jobs: int
    is_more: bool


class Refused(ValueError):
    """A job that cannot be tried now. code: a word for machines; str(): why, and what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


_PLACED = """
    select chosen.id,
           %(now)s + (row_number() over (partition by chosen.location_id order by chosen.position) - 1)
           * make_interval(secs => %(window)s / (location.burst_limit * %(share)s)) as due_at
    from chosen join sync_location location on location.id = chosen.location_id
"""
_SPREAD = f"""
with chosen as (
    select id, location_id, position from sync_syncjob where id = any(%(ids)s::uuid[])
), placed as ({_PLACED})
update sync_syncjob job set next_at = placed.due_at from placed where job.id = placed.id
"""
_WAITS = """
state = 'waiting' and not is_suspect and not is_lookup and tries > 0 and next_at > %(now)s
and {which}
"""
# The furthest first, so that another call takes up those that this one has left.
_RETRY = f"""
with chosen as materialized (
    select id, location_id, position from sync_syncjob where {_WAITS}
    order by next_at desc limit %(most)s for update skip locked
), placed as ({_PLACED}), moved as (
    update sync_syncjob job set next_at = placed.due_at
    from placed where job.id = placed.id and job.state = 'waiting' and job.next_at > placed.due_at
    returning placed.due_at
)
select (select count(*) from moved), (select max(due_at) from placed)
"""
_LATER = f"select exists (select from sync_syncjob where {_WAITS} and next_at > %(last)s)"


def spread(ids: Collection[UUID], *, now: datetime, share: float = SHARE) -> None:
    """Let waiting jobs come due one after another, from now on. share: of their location's rate."""
    with connection.cursor() as cursor:
        cursor.execute(_SPREAD, _given(now, share) | {"ids": list(ids)})


@transaction.atomic
def retry_now(
    *, location_id: str = "", code: str = "", by: str | None, reason: str = "", now: datetime
) -> Retried:
    """Try the waiting jobs of a location, or those that failed with a code, from now on; at most MOST.

    by: who asked for it, None: whoever works now. Raises ValueError unless one of both is given.
    """
    if bool(location_id) == bool(code):
        raise ValueError("Give a location or a code.")
    which = "location_id = %(value)s" if location_id else "code = %(value)s"
    given = _given(now, SHARE) | {"value": location_id or code, "most": MOST}
    with connection.cursor() as cursor:
        cursor.execute(_RETRY.format(which=which), given)
        jobs, last = cursor.fetchone()
        is_more = False
        if jobs:
            cursor.execute(_LATER.format(which=which), given | {"last": last})
            [is_more] = cursor.fetchone()
    if jobs:
        target = ("sync.location", location_id) if location_id else ("sync.code", code)
        act = Act("job.retry_now", *target, reason=reason, actor=by, changes={"jobs": (None, jobs)})
        signals.acted.send(sender=None, acts=[act])
    return Retried(jobs, is_more)


@transaction.atomic
def retry_one(job_id: UUID, *, by: str | None, reason: str = "", now: datetime) -> SyncJob:
    """Let one job come due now; return it. Its location's limits and its order hold all the same.

    by: who asked for it, None: whoever works now. Raises Refused, with code unknown_job, not_waiting,
    is_lookup, already_due or too_long.
    """
    if len(reason) > LONGEST_REASON:
        raise Refused("too_long", f"Say why in up to {LONGEST_REASON} characters.")
    # Whoever claims jobs passes by the locked ones.
    job = SyncJob.objects.select_for_update(no_key=True).defer("payload").filter(pk=job_id).first()
    if job is None:
        raise Refused("unknown_job", "There is no such job. It may be too old to be kept.")
    if (refusal := refusal_of(job, now=now)) is not None:
        raise refusal
    before, job.next_at = job.next_at, now
    job.save(update_fields=["next_at"])
    changes = {"next_at": (before, now)}
    act = Act("job.retry_now", TARGET_KIND, str(job.pk), reason=reason, actor=by, changes=changes)
    signals.acted.send(sender=None, acts=[act])
    return job


def refusal_of(job: SyncJob, *, now: datetime) -> Refused | None:
    """Return why a job cannot be tried now, None where it can."""
    if job.state != State.WAITING:
        return Refused("not_waiting", _ENDED[State(job.state)])
    if job.is_lookup:
        return Refused(
            "is_lookup",
            "The job may have been done already and is looked up first. It keeps its time, for GoHighLevel"
            " needs it to show its work.",
        )
    if job.next_at <= now:
        return Refused(
            "already_due",
            "The job is due already. It goes as soon as its location may be asked and nothing of its order"
            " comes before it.",
        )
    return None


def _given(now: datetime, share: float) -> dict[str, Any]:
    return {"now": now, "share": share, "window": budgets.WINDOW_S}
