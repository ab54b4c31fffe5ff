"""Settling: what a batch of attempts has changed, in one transaction, and told to whoever listens.

The rules: jobs, attempts, dead letters, budgets, breakers and the signals commit together or not at all. A
job whose lease was lost is left to whoever has it now; that it was tried is kept all the same. Rows are
locked in the order jobs, kill switch, budgets, breakers, locations, drafts.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sync import attempt_log, breaker, budgets, kill_switch, locations, queue, signals, superseding
from sync.attempt import Ended
from sync.breaker import Seen
from sync.dead_letters import letters
from sync.dead_letters.death import Death
from sync.drafts import delivery
from sync.drafts.delivery import End
from sync.ghl import words
from sync.ghl.errors import Outcome, Verdict
from sync.ghl.response import Answer
from sync.mirror import appointments, contacts
from sync.queue import Settled
from sync.signals import AttemptEnded
from sync.transitions import State
from trainu.transactions import atomic_retry


@atomic_retry
def settle(ended: Sequence[Ended], *, now: datetime) -> set[UUID]:
    """Write how these attempts ended; return the jobs that were still theirs to settle."""
    mine = queue.settle([_settled(one) for one in ended], now=now)
    attempt_log.write(ended)
    ours = [one for one in ended if one.job.id in mine]
    overtaken = superseding.among(
        [one.job.id for one in ours if one.job.ordering_key and _waits_to_send(one)], now=now
    )
    _check_messages(ended, now)
    _tell_letters(ours, now)
    _tell_mirror(ours, now)
    _note_limits(ended, now)
    breaker.note(_seen(ended), now=now)
    _hold_locations(ended, now)
    _tell_drafts(ours, now)
    told = [_told(one, is_overtaken=one.job.id in overtaken, now=now) for one in ours]
    if told:
        signals.attempts_ended.send(sender=None, attempts=told)
    return mine


def _settled(one: Ended) -> Settled:
    ids = dict(one.result.ids)
    code = attempt_log.code_of(one)
    return Settled(one.job.id, one.job.fence, one.next, code, ids, one.is_suspect)


def _waits_to_send(one: Ended) -> bool:
    return one.next.state is State.WAITING and not one.next.look_up


def _check_messages(ended: Sequence[Ended], now: datetime) -> None:
    """Whatever was sent, whoever had the job in hand: the kill switch may have had to hold it."""
    sent = [
        (one.started_at, one.job.released_at)
        for one in ended
        if one.job.operation == kill_switch.OPERATION and one.kind == "send" and one.request is not None
    ]
    if sent:
        kill_switch.check_sent(sent, now=now)


def _tell_letters(ours: Sequence[Ended], now: datetime) -> None:
    deaths = [_death(one) for one in ours if one.next.state is State.DEAD]
    if deaths:
        letters.died(deaths, now=now)
    ends = {State.SUCCEEDED, State.SUPERSEDED}
    revived = {one.job.id: one.next.state for one in ours if one.job.is_redrive and one.next.state in ends}
    if revived:
        letters.ended(revived, now=now)


def _death(one: Ended) -> Death:
    answer = one.answer if isinstance(one.answer, Answer) else None
    return Death(
        job_id=one.job.id,
        webhook_id=None,
        location_id=one.job.location_id,
        subject=one.job.operation,
        cause=one.next.cause.value if one.next.cause else "",
        code=attempt_log.code_of(one),
        status=answer.status if answer else None,
        words=answer.message if answer else "",
    )


def _tell_mirror(ours: Sequence[Ended], now: datetime) -> None:
    """Contacts that we have made are no leads of theirs, and appointments were booked by us."""
    made: dict[tuple[str, str], datetime] = {}
    booked: dict[str, set[str]] = {}
    for one in ours:
        if one.next.state is not State.SUCCEEDED:
            continue
        location_id = one.job.location_id
        if one.job.operation == contacts.MAKES_CONTACTS and (id := one.result.ids.get("contact_id")):
            made[id, location_id] = min(one.job.created_at, made.get((id, location_id), one.job.created_at))
        elif one.job.operation == "appointment.create" and (id := one.result.ids.get("appointment_id")):
            booked.setdefault(location_id, set()).add(id)
    if made:
        contacts.made(made, now=now)
    for location_id, ids in sorted(booked.items()):
        appointments.ours(location_id, ids, now=now)


def _tell_drafts(ours: Sequence[Ended], now: datetime) -> None:
    ends = {
        one.job.id: End(one.next.state, one.next.cause or "")
        for one in ours
        if one.job.operation == kill_switch.OPERATION and one.next.state is not State.WAITING
    }
    delivery.ended(ends, now=now)


def _note_limits(ended: Iterable[Ended], now: datetime) -> None:
    rests: dict[str, datetime] = {}
    extra: dict[str, int] = {}
    for one in ended:
        location_id, verdict = one.job.location_id, one.verdict
        if one.requests > 1:
            extra[location_id] = extra.get(location_id, 0) + one.requests - 1
        if verdict and verdict.outcome is Outcome.DEFERRED and _is_limit(one):
            until = now + timedelta(seconds=verdict.wait_s or 0.0)
            rests[location_id] = max(until, rests.get(location_id, until))
    budgets.charge(extra, now=now)
    for location_id, until in sorted(rests.items()):
        budgets.hold(location_id, until)


def _is_limit(one: Ended) -> bool:
    return isinstance(one.answer, Answer) and one.answer.status == 429


def _seen(ended: Iterable[Ended]) -> dict[str, Seen]:
    seen: dict[str, Seen] = {}
    for one in ended:
        if one.requests:
            what = breaker.seen(one.result) if isinstance(one.result, Verdict) else Seen(answered=1)
            if what != Seen():
                seen[one.job.location_id] = seen.get(one.job.location_id, Seen()) + what
    return seen


def _hold_locations(ended: Iterable[Ended], now: datetime) -> None:
    refused: dict[str, Verdict] = {}
    for one in ended:
        if one.next.pauses and one.verdict:
            refused.setdefault(one.job.location_id, one.verdict)
    for location_id, verdict in sorted(refused.items()):
        locations.hold(location_id, words.fault_code(verdict), words.explain(verdict).words, now=now)


def _told(one: Ended, *, is_overtaken: bool, now: datetime) -> AttemptEnded:
    following = one.next
    state = State.SUPERSEDED if is_overtaken else following.state
    return AttemptEnded(
        job_id=one.job.id,
        location_id=one.job.location_id,
        operation=one.job.operation,
        kind=one.kind,
        number=one.job.fence,
        outcome=attempt_log.outcome_of(one),
        code=attempt_log.code_of(one),
        state=state.value,
        cause=following.cause.value if following.cause else "",
        started_at=one.started_at,
        duration_ms=one.duration_ms,
        ended_at=now,
        created_at=one.job.created_at,
        retry_at=now + following.wait if state is State.WAITING else None,
        correlation_id=one.job.correlation_id,
    )
