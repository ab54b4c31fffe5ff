"""Letters moved from one state to another, many at once: what verbs and bulk operations have in common.

The rules: inside the caller's transaction; letters are locked in the order of their ids, then their groups,
then what they are about. Nobody is told and nothing is audited here.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from sync import jobs, retrying
from sync.dead_letters import preflight
from sync.dead_letters.outcome import Outcome
from sync.models import CauseGroup, DeadLetter, SyncJob
from sync.webhooks import queue as webhook_queue

State = DeadLetter.State

MOST = 500
NO_LETTER = "There is no such letter."
NOT_DEAD = "What it is about is not dead any more, or was erased. Nothing can be tried again."
_WHY_NOT = {
    State.OPEN: "It is open already.",
    State.REDRIVING: "It is being tried again. Wait until that has ended.",
    State.RECOVERED: "It has recovered. There is nothing left to do.",
    State.DISCARDED: "It was discarded. Restore it first.",
    State.SUPERSEDED: "Something newer has made it needless. There is nothing left to do.",
}


def locked(which: Q) -> list[DeadLetter]:
    """Return letters, locked in the order of their ids, and their groups locked with them."""
    letters = list(lockable(which))
    lock_groups(letter.group_id for letter in letters)
    return letters


def lockable(which: Q) -> QuerySet[DeadLetter]:
    """Return letters that are locked as they are read."""
    return DeadLetter.objects.filter(which).order_by("id").select_for_update()


def locked_one(letter_id: int) -> DeadLetter | None:
    """Return one letter, locked with its group; None where there is none."""
    return next(iter(locked(Q(pk=letter_id))), None)


def why_not(letter: DeadLetter) -> str:
    """Return why a letter in its state cannot be worked on, and what to do."""
    return _WHY_NOT[State(letter.state)]


def lock_groups(ids: Iterable[int]) -> None:
    """Lock groups in the order of their ids, before a statement's trigger locks some of them."""
    wanted = set(ids)
    if wanted:
        list(
            CauseGroup.objects.filter(pk__in=wanted)
            .order_by("id")
            .select_for_update()
            .values_list("pk", flat=True)
        )


def redrive(ids: Collection[int], *, now: datetime, look_first: bool = True, share: float = 0.0) -> Outcome:
    """Give what open letters are about one more try.

    look_first: ask GoHighLevel before sending. share: of the location's rate, for those of one location to
    come due one after another; 0: all are due now. What is overtaken is superseded and not sent.
    """
    usable, refused = _sorted_out(ids, {State.OPEN})
    by_job = {letter.job_id: letter.pk for letter in usable if letter.job_id}
    by_webhook = {letter.webhook_id: letter.pk for letter in usable if letter.webhook_id}
    found = preflight.of_jobs(by_job)
    overtaken = {job for job, finding in found.items() if finding.kind == "overtaken"}
    undecided = {by_job[job]: one.words for job, one in found.items() if one.kind != "overtaken"}
    superseded = _supersede(by_job, overtaken, now)
    revived = jobs.revive(by_job.keys() - found.keys(), now=now, look_first=look_first)
    if revived and share:
        retrying.spread(revived, now=now, share=share)
    processed = webhook_queue.revive(by_webhook, now=now) if by_webhook else set()
    done = {by_job[job] for job in revived} | {by_webhook[webhook] for webhook in processed}
    DeadLetter.objects.filter(pk__in=done).update(state=State.REDRIVING)
    left = {letter.pk for letter in usable} - done - superseded - undecided.keys()
    return Outcome(frozenset(done), frozenset(superseded), undecided, refused | dict.fromkeys(left, NOT_DEAD))


def discard(ids: Collection[int], reason: str, *, by: str, now: datetime) -> Outcome:
    """Close open letters without another try; `restore` undoes it."""
    usable, refused = _sorted_out(ids, {State.OPEN})
    done = [letter.pk for letter in usable]
    DeadLetter.objects.filter(pk__in=done).update(
        state=State.DISCARDED, resolved_at=now, discard_reason=reason, discarded_by=by
    )
    return Outcome(frozenset(done), refused=refused)


def restore(ids: Collection[int]) -> Outcome:
    """Open discarded letters again."""
    usable, refused = _sorted_out(ids, {State.DISCARDED}, otherwise="It was not discarded.")
    done = [letter.pk for letter in usable]
    DeadLetter.objects.filter(pk__in=done).update(
        state=State.OPEN, resolved_at=None, discard_reason="", discarded_by=""
    )
    return Outcome(frozenset(done), refused=refused)


def assign(ids: Collection[int], user_id: int | None) -> Outcome:
    """Make somebody responsible for open letters; None: nobody."""
    usable, refused = _sorted_out(ids, {State.OPEN, State.REDRIVING})
    done = [letter.pk for letter in usable]
    DeadLetter.objects.filter(pk__in=done).update(assigned_to=user_id)
    return Outcome(frozenset(done), refused=refused)


def _sorted_out(
    ids: Collection[int], states: set[State], *, otherwise: str = ""
) -> tuple[list[DeadLetter], dict[int, str]]:
    """Return the letters in one of these states, locked, and why the others cannot be taken."""
    if len(ids) > MOST:
        raise ValueError(f"At most {MOST} letters at once; start a bulk operation for more.")
    there = locked(Q(pk__in=ids))
    refused = dict.fromkeys(set(ids) - {letter.pk for letter in there}, NO_LETTER)
    for letter in there:
        if letter.state not in states:
            refused[letter.pk] = otherwise or why_not(letter)
    return [letter for letter in there if letter.pk not in refused], refused


def _supersede(by_job: dict[UUID, int], overtaken: set[UUID], now: datetime) -> set[int]:
    if not overtaken:
        return set()
    chosen = SyncJob.objects.filter(pk__in=overtaken, state=SyncJob.State.DEAD)
    ended = set(chosen.order_by("position").select_for_update().values_list("pk", flat=True))
    SyncJob.objects.filter(pk__in=ended).update(state=SyncJob.State.SUPERSEDED, cause="", settled_at=now)
    letters = {by_job[job] for job in ended}
    DeadLetter.objects.filter(pk__in=letters).update(state=State.SUPERSEDED, resolved_at=now)
    return letters
