"""One attempt of a job: its request sent, or its effect looked up, and what becomes of the job by that.

The rule: an attempt always ends with an `Ended`, whatever happens, except when it is cancelled; nothing is
written here. What was sent and whose answer is not known counts as maybe done.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

import structlog
from pydantic import SecretStr

from sync import kill_switch, transitions
from sync.ghl import lookup
from sync.ghl.errors import Code, Outcome, Verdict, classify
from sync.ghl.lookup import Finding
from sync.ghl.operations import OPERATIONS, AnyOperation, Sought, marker
from sync.ghl.request import Request
from sync.ghl.response import Answer, Cause, Failure
from sync.ghl.transport import Carrier, MayLeave
from sync.queue import Claimed
from sync.tokens import REFUSED, Keeper
from sync.transitions import Next, Standing
from trainu import correlation

log = structlog.get_logger(__name__)

# Shorter than a lease, so that a lookup of many requests ends while the job is still ours.
LOOKUP_LASTS_S = 35.0
JITTER_S = 2.0

LOST = Verdict(Outcome.TRANSIENT, Code.CLIENT_ERROR)
UNUSABLE = Verdict(Outcome.PERMANENT, Code.CLIENT_ERROR)
NOT_LOOKED_AT = Verdict(Outcome.DEFERRED, Code.CLIENT_ERROR, wait_s=60.0)
OVERTAKEN = Verdict(Outcome.PERMANENT, Code.OVERTAKEN)


@dataclass(frozen=True, slots=True)
class Past:
    """What a lookup must know of before. sent_at: when the first attempt to send began.

    claimed: ids that other jobs are known to have made.
    """

    sent_at: datetime
    claimed: Collection[str] = frozenset()


@dataclass(slots=True)
class Ended:
    """An attempt that ended. result: verdict or finding. request, answer: as sent and received, not masked.

    requests: how many went to GoHighLevel for it; one of them was paid for at the claim.
    """

    job: Claimed
    kind: Literal["send", "lookup"]
    result: Verdict | Finding
    next: Next
    started_at: datetime
    duration_ms: float
    request: Request | None = None
    answer: Answer | Failure | None = None
    requests: int = 0
    is_suspect: bool = False

    @property
    def verdict(self) -> Verdict | None:
        return self.result if isinstance(self.result, Verdict) else None


@dataclass(slots=True)
class Sender:
    """Sends the requests of one attempt, and remembers the last of them. may_leave: see `Carrier.send`."""

    carrier: Carrier
    tokens: Keeper
    location_id: str
    may_leave: MayLeave | None = None
    request: Request | None = None
    answer: Answer | Failure | None = None
    requests: int = 0

    async def __call__(self, request: Request) -> Answer | Failure | Verdict:
        """Send with the location's token; once more with another one where GoHighLevel refuses the first."""
        token = await self.tokens.token(self.location_id)
        if isinstance(token, Verdict):
            return token
        answer = await self._send(request, token)
        if isinstance(answer, Answer) and answer.status == 401:
            # A refusal is before anything is done, so sending again repeats nothing.
            other = await self.tokens.renewed(self.location_id, token)
            if isinstance(other, SecretStr):
                answer = await self._send(request, other)
            elif other != REFUSED:
                return other
        return answer

    async def _send(self, request: Request, token: SecretStr) -> Answer | Failure:
        self.request, self.answer = request, None
        self.requests += 1
        self.answer = await self.carrier.send(request, token, may_leave=self.may_leave)
        if isinstance(self.answer, Failure) and self.answer.cause is Cause.KILL_SWITCH:
            # It was never on its way.
            self.request = None
            self.requests -= 1
        return self.answer


async def make(
    job: Claimed,
    carrier: Carrier,
    tokens: Keeper,
    *,
    clock: Callable[[], datetime],
    past: Past | None,
    gate: Callable[..., Awaitable[bool]] | None = None,
) -> Ended:
    """Try a job, or look its effect up where that is what it is waiting for; return how it ended.

    past: for a lookup. gate: whether a message may leave now; told when it was released, if it was.
    Raises nothing but CancelledError.
    """
    started_at = clock()
    begun = asyncio.get_running_loop().time()
    is_held_back = job.operation == kill_switch.OPERATION and not job.is_lookup
    may_leave = partial(gate, job.released_at) if gate and job.released_at else gate
    sender = Sender(carrier, tokens, job.location_id, may_leave if is_held_back else None)
    kind = OPERATIONS.get(job.operation)
    result: Verdict | Finding
    try:
        if kind is None:
            result = UNUSABLE
        elif job.is_lookup:
            result = await _look_up(kind, job, sender, past or Past(job.created_at), started_at)
        else:
            result = await _send(kind, job, sender, started_at)
    except Exception:
        with correlation.bound(job.correlation_id):
            log.exception("attempt_failed", job_id=str(job.id), operation=job.operation)
        result = _broken(kind, sender)
    return Ended(
        job=job,
        kind="lookup" if job.is_lookup else "send",
        result=result,
        next=next_of(job, kind, result),
        started_at=started_at,
        duration_ms=(asyncio.get_running_loop().time() - begun) * 1e3,
        request=sender.request,
        answer=sender.answer,
        requests=sender.requests,
    )


def next_of(job: Claimed, kind: AnyOperation | None, result: Verdict | Finding) -> Next:
    """Return what becomes of a job by this result."""
    standing = standing_of(job, kind)
    if job.is_lookup and result is not UNUSABLE and result is not OVERTAKEN:
        return transitions.after_looking_up(standing, result)
    assert isinstance(result, Verdict)
    return transitions.after_sending(standing, result)


def standing_of(job: Claimed, kind: AnyOperation | None) -> Standing:
    """Return what the transitions must know of a job."""
    return Standing(
        tries=job.tries,
        lookups=job.lookups,
        repeatable=kind.repeatable if kind else False,
        settle=timedelta(seconds=kind.settle_s if kind else 0.0),
        is_lookup=job.is_lookup,
        is_redrive=job.is_redrive,
    )


def given_up(job: Claimed, *, started_at: datetime, is_suspect: bool = False) -> Ended:
    """Return how an attempt ended whose process was lost, or that was cancelled: nobody knows."""
    kind = OPERATIONS.get(job.operation)
    following = transitions.after_losing(standing_of(job, kind))
    outcome = Outcome.TRANSIENT if job.is_lookup or (kind and kind.repeatable) else Outcome.AMBIGUOUS
    verdict = Verdict(outcome, Code.CLIENT_ERROR)
    way: Literal["send", "lookup"] = "lookup" if job.is_lookup else "send"
    return Ended(job, way, verdict, following, started_at, 0.0, is_suspect=is_suspect)


def unsent(job: Claimed, verdict: Verdict, *, now: datetime) -> Ended:
    """Return how a claimed job ends whose request was not even begun."""
    return Ended(
        job,
        "lookup" if job.is_lookup else "send",
        verdict,
        next_of(job, OPERATIONS.get(job.operation), verdict),
        now,
        0.0,
    )


async def _send(kind: AnyOperation, job: Claimed, sender: Sender, now: datetime) -> Verdict:
    payload = kind.payload.model_validate_json(job.payload)
    result = await sender(kind.request(payload, job.location_id, marker(job.id)))
    if isinstance(result, Verdict):
        return result
    return classify(kind, result, now=now, jitter_s=random.uniform(0, JITTER_S))


async def _look_up(
    kind: AnyOperation, job: Claimed, sender: Sender, past: Past, now: datetime
) -> Verdict | Finding:
    payload = kind.payload.model_validate_json(job.payload)
    steps = kind.look_up(payload, Sought(job.location_id, marker(job.id), past.sent_at, past.claimed))
    held_back: list[Verdict] = []

    async def send(request: Request) -> Answer | Failure:
        result = await sender(request)
        if isinstance(result, Verdict):
            held_back.append(result)
            raise _NoTokenError
        return result

    try:
        async with asyncio.timeout(LOOKUP_LASTS_S):
            return await lookup.ask(steps, send, now=now)
    except TimeoutError:
        return Verdict(Outcome.TRANSIENT, Code.TIMEOUT)
    except _NoTokenError:
        return held_back[0]


class _NoTokenError(Exception):
    """Leaves a lookup that has no token to ask with."""


def _broken(kind: AnyOperation | None, sender: Sender) -> Verdict:
    """The verdict when our own code failed: before sending it may be tried again, after it nobody knows."""
    if kind is None or sender.request is None or kind.repeatable:
        return LOST
    return Verdict(Outcome.AMBIGUOUS, Code.CLIENT_ERROR)
