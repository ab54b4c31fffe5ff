"""A letter tried again with other data: as a job of its own that replaces the old one.

The rules: the copy stands behind whatever was enqueued since, as what a person wants now. What the job is
about stays; values are in no audit entry. The letter goes with the copy: it recovers or dies with that.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db import transaction

from sync import jobs, signals
from sync.dead_letters import moves, wording
from sync.dead_letters.letters import TARGET_KIND
from sync.dead_letters.refusal import Refused
from sync.drafts import delivery
from sync.ghl.operations.misfits import Misfit
from sync.models import DeadLetter, SyncJob
from sync.signals import Act
from trainu import correlation
from trainu.transactions import atomic_retry

# What a job is about. Another contact or appointment is another job.
LOCKED = frozenset({"contact_id", "appointment_id", "opportunity_id", "task_id"})
CHANGED_MEANWHILE = (
    "Somebody has changed or tried it in the meantime, so nothing was sent. Look at the letter as it is now,"
    " and begin again."
)
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """Names of fields, in their order. No values: they may be personal."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.added, *self.changed, *self.removed)


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference:
    """Return which fields of a payload differ."""
    both = sorted(before.keys() & after.keys())
    return Difference(
        added=tuple(sorted(after.keys() - before.keys())),
        changed=tuple(name for name in both if before[name] != after[name]),
        removed=tuple(sorted(before.keys() - after.keys())),
    )


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a job would be replaced by. after: the payload as it would be stored."""

    after: dict[str, Any]
    difference: Difference


def propose(job: SyncJob, payload: dict[str, Any]) -> Proposal:
    """Return what a payload would change about a job.

    Raises Refused, with misfits that name fields and never values: a payload that does not fit, that is
    about something else, or that is the same.
    """
    try:
        _, checked = jobs.check(job.operation, payload)
    except jobs.Refused as refusal:
        raise Refused(refusal.code, str(refusal), refusal.misfits) from None
    after = checked.document()
    other = [name for name in sorted(LOCKED) if job.payload.get(name, _ABSENT) != after.get(name, _ABSENT)]
    if other:
        raise Refused(
            "locked_field",
            f"What the job is about cannot be changed ({', '.join(other)}). Discard the letter and enqueue"
            " another job.",
            tuple(Misfit((name,), "What the job is about cannot be changed.") for name in other),
        )
    found = difference(job.payload, after)
    if not found:
        raise Refused("nothing_changed", "The data is the same. Redrive the letter as it is.")
    return Proposal(after, found)


def mark(job: SyncJob) -> str:
    """Return a word that is another one as soon as a job was tried, or its data or state changed.

    Raises Refused for data nested so deeply that nobody could read it.
    """
    try:
        content = json.dumps([str(job.pk), job.state, job.fence, job.payload], sort_keys=True)
    except RecursionError:
        raise Refused("too_deep", "Its data is nested too deeply to be worked on here.") from None
    return sha256(content.encode()).hexdigest()


@atomic_retry
@transaction.atomic
def redrive_with_changes(
    letter_id: int, payload: dict[str, Any], *, by: str, reason: str, now: datetime, seen: str = ""
) -> UUID:
    """Replace a dead job by one with this payload; return its id.

    seen: the `mark` of the job that the payload was made from; empty: whatever there is.
    Raises Refused: no reason, a letter that is not open or is of a webhook, a job that is not the one that
    was seen any more, a payload that does not fit.
    """
    why = wording.reason(reason)
    job = editable(letter_id)
    if seen and seen != mark(job):
        raise Refused("changed_meanwhile", CHANGED_MEANWHILE)
    changed = propose(job, payload).difference
    with correlation.bound(job.correlation_id):
        copy = jobs.enqueue(job.operation, job.location_id, payload, ordering_key=_own_order(job), now=now)
    # Told by the engine like any redrive; it has six tries of its own, for nothing of it was ever sent.
    SyncJob.objects.filter(pk=copy.job_id).update(replaces=job, is_redrive=True)
    SyncJob.objects.filter(pk=job.pk).update(state=SyncJob.State.SUPERSEDED, cause="", settled_at=now)
    DeadLetter.objects.filter(pk=letter_id).update(job=copy.job_id, state=DeadLetter.State.REDRIVING)
    if job.operation == jobs.MESSAGE:
        delivery.replaced(job.pk, copy.job_id, payload)
    fields = {"fields": (None, ", ".join(changed.names)), "job": (job.pk, copy.job_id)}
    act = Act("dead_letter.change", TARGET_KIND, str(letter_id), why, by, fields)
    signals.acted.send(sender=None, acts=[act])
    return copy.job_id


@transaction.atomic
def editable(letter_id: int) -> SyncJob:
    """Return the dead job of an open letter, both locked until the caller's transaction ends.

    Raises Refused: an unknown letter, one that is not open or is of a webhook, a job that is not dead.
    """
    letter = moves.locked_one(letter_id)
    if letter is None:
        raise Refused("unknown_letter", moves.NO_LETTER)
    if letter.job_id is None:
        raise Refused("webhook", "A webhook is what GoHighLevel has said; its data cannot be changed.")
    if letter.state != DeadLetter.State.OPEN:
        raise Refused("wrong_state", moves.why_not(letter))
    job = SyncJob.objects.select_for_update().get(pk=letter.job_id)
    if job.state != SyncJob.State.DEAD:
        raise Refused("not_dead", moves.NOT_DEAD)
    return job


def _own_order(job: SyncJob) -> str:
    """Return the ordering key that its sender chose; empty where it was the operation's own."""
    try:
        kind, checked = jobs.check(job.operation, job.payload)
    except jobs.Refused:
        return ""
    return "" if job.ordering_key == (kind.ordering_key(checked) or "") else job.ordering_key
