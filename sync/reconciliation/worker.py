"""Works reconciliations off: a request at a time each, a few of them side by side.

The rules: live jobs go first, so a reconciliation sends two requests a second at most, each out of the
location's budget. GoHighLevel is asked outside of any transaction; what its answer changes, what is told of
it and the cursor commit together.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.utils import timezone
from pydantic import SecretStr

from sync import budgets, locations
from sync.database_thread import DatabaseThread
from sync.ghl import words
from sync.ghl.errors import READ, Code, Outcome, Verdict, classify
from sync.ghl.response import Answer, Failure
from sync.ghl.transport import Carrier
from sync.models import Location, Reconciliation
from sync.reconciliation import runs, stages
from sync.reconciliation.runs import Lost
from sync.reconciliation.stages import NoList
from sync.tokens import Keeper

log = structlog.get_logger(__name__)

PACE_S = 0.5
SIDE_BY_SIDE = 8
# A request that fails is sent again after these seconds; then the reconciliation stops.
RETRIES_S = (5.0, 15.0, 60.0, 300.0, 900.0)
# Who has to wait longer puts it down, and whoever works next goes on with it.
LONGEST_WAIT_S = 15.0
_DEFAULT_DEFERRAL_S = 10.0

State = Reconciliation.State
Progress = Callable[[Reconciliation], None]


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing may be sent for the location. words: why, and what to do."""

    words: str


class Worker:
    """Works in one event loop. clock, pause: what time it is and how it passes, for tests.

    longest_wait_s: a rest up to this long is waited for with the reconciliation in hand.
    """

    def __init__(
        self,
        carrier: Carrier,
        *,
        database: DatabaseThread,
        clock: Callable[[], datetime] = timezone.now,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        longest_wait_s: float = LONGEST_WAIT_S,
    ) -> None:
        self._carrier = carrier
        self._clock = clock
        self._pause = pause
        self._longest_wait_s = longest_wait_s
        self._database = database
        self._tokens = Keeper(carrier, database=database, clock=clock)

    async def work_off(self, is_over: Callable[[], bool], *, most: int = SIDE_BY_SIDE) -> int:
        """Work off what is due until nothing is, or it is over; return how many were in hand."""
        taken = 0
        while not is_over():
            due = await self._database(runs.take, now=self._clock(), most=most)
            if not due:
                break
            taken += len(due)
            await asyncio.gather(*(self._guarded(run, is_over) for run in due))
        return taken

    async def _guarded(self, run: Reconciliation, is_over: Callable[[], bool]) -> None:
        """Carry one on that takes no neighbour with it when our own software fails."""
        try:
            await self.carry_on(run, is_over)
        except Exception:
            log.exception("reconciliation_broke", reconciliation_id=run.pk, location_id=run.location.pk)
            await self._database(_broke, run.pk, run.fence, now=self._clock())

    async def carry_on(
        self,
        run: Reconciliation,
        is_over: Callable[[], bool] = lambda: False,
        progress: Progress = lambda run: None,
    ) -> None:
        """Work on one that is in hand: to its end, to a longer rest, or until it is over.

        Whoever has taken it over meanwhile goes on; this then ends without a word.
        """
        try:
            while run.state == State.RUNNING:
                if is_over():
                    await self._database(runs.save, run, now=self._clock(), next_at=self._clock())
                    return
                rest_s = await self._step(run)
                progress(run)
                if rest_s > self._longest_wait_s:
                    again_at = self._clock() + timedelta(seconds=rest_s)
                    await self._database(runs.save, run, now=self._clock(), next_at=again_at)
                    return
                await self._pause(rest_s)
        except Lost:
            return

    async def _step(self, run: Reconciliation) -> float:
        """Send one request and take its answer in; return how many seconds to rest."""
        if stages.has_ended(run):
            await self._database(runs.end, run, now=self._clock())
            return 0.0
        permit = await self._database(_permit, run, now=self._clock())
        if isinstance(permit, Held):
            await self._database(runs.stop, run, permit.words, now=self._clock())
            return 0.0
        if isinstance(permit, datetime):
            return max(PACE_S, (permit - self._clock()).total_seconds())
        result = await self._ask(run)
        return await self._database(_settle, run, result, now=self._clock())

    async def _ask(self, run: Reconciliation) -> Answer | Failure | Verdict:
        token = await self._tokens.token(run.location.pk)
        if isinstance(token, Verdict):
            return token
        result = await self._send(run, token)
        if classify(READ, result, now=self._clock()).code is Code.UNAUTHORIZED:
            renewed = await self._tokens.renewed(run.location.pk, token)
            return renewed if isinstance(renewed, Verdict) else await self._send(run, renewed)
        return result

    async def _send(self, run: Reconciliation, token: SecretStr) -> Answer | Failure:
        run.requests += 1
        return await self._carrier.send(stages.request(run), token)


def work_off(
    base_url: str,
    is_over: Callable[[], bool],
    *,
    clock: Callable[[], datetime] = timezone.now,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    thread: Callable[[], DatabaseThread] = DatabaseThread,
) -> int:
    """Work off what is due, from code without an event loop; return how many were in hand."""

    async def run() -> int:
        async with thread() as database, Carrier(base_url, connections=SIDE_BY_SIDE) as carrier:
            worker = Worker(carrier, database=database, clock=clock, pause=pause)
            return await worker.work_off(is_over)

    return asyncio.run(run())


def carry_on(
    base_url: str,
    begun: Sequence[Reconciliation],
    progress: Progress,
    *,
    longest_wait_s: float,
    clock: Callable[[], datetime] = timezone.now,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    thread: Callable[[], DatabaseThread] = DatabaseThread,
) -> None:
    """Work on some that are in hand, one after another, to their ends or to a longer rest."""

    async def run() -> None:
        async with thread() as database, Carrier(base_url, connections=1) as carrier:
            worker = Worker(
                carrier, database=database, clock=clock, pause=pause, longest_wait_s=longest_wait_s
            )
            for one in begun:
                await worker.carry_on(one, progress=progress)

    asyncio.run(run())


@transaction.atomic
def _permit(run: Reconciliation, *, now: datetime) -> Held | datetime | None:
    """Return None when a request may go now; else when to ask again, or why none may."""
    location = Location.objects.get(pk=run.location.pk)
    if locations.is_held(location, now):
        return Held(runs.held(location))
    grant = budgets.take({location.pk: 1}, now=now).get(location.pk)
    if grant is None or not grant.requests:
        return grant.again_at if grant else now + timedelta(seconds=_DEFAULT_DEFERRAL_S)
    return None


def _settle(run: Reconciliation, result: Answer | Failure | Verdict, *, now: datetime) -> float:
    """Take an answer in, or what came instead; return how many seconds to rest. Raises Lost."""
    verdict = result if isinstance(result, Verdict) else classify(READ, result, now=now)
    with transaction.atomic():
        if verdict.outcome is Outcome.OK and isinstance(result, Answer):
            try:
                stages.take_in(run, result, now=now)
            except NoList:
                verdict = Verdict(Outcome.TRANSIENT, Code.BAD_RESPONSE)
            else:
                return _went_on(run, now)
        if verdict.outcome is Outcome.DEFERRED:
            rest_s = verdict.wait_s or _DEFAULT_DEFERRAL_S
            if isinstance(result, Answer) and result.status == 429:
                budgets.hold(run.location.pk, now + timedelta(seconds=rest_s))
            runs.save(run, now=now)
            return rest_s
        if stages.pass_over(run, verdict, now=now):
            return _went_on(run, now)
        if verdict.code is Code.BAD_RESPONSE and stages.narrow(run):
            return _went_on(run, now)
        if verdict.outcome is Outcome.TRANSIENT and run.failures < len(RETRIES_S):
            rest_s = max(RETRIES_S[run.failures], verdict.wait_s or 0.0)
            run.failures += 1
            runs.save(run, now=now)
            return rest_s
        explained = words.explain(verdict)
        runs.stop(run, f"{explained.words} {_next_step(verdict)}", now=now)
        return 0.0


@transaction.atomic
def _broke(pk: int, fence: int, *, now: datetime) -> None:
    """Let one that failed in our own hands be tried again later, from where it was last saved."""
    run = Reconciliation.objects.select_related("location").get(pk=pk)
    if run.fence != fence or run.state != State.RUNNING:
        return
    if run.failures < len(RETRIES_S):
        run.failures += 1
        again_at = now + timedelta(seconds=RETRIES_S[run.failures - 1])
        runs.save(run, now=now, next_at=again_at)
        return
    explained = words.explain(Verdict(Outcome.TRANSIENT, Code.CLIENT_ERROR))
    runs.stop(run, f"{explained.words} Tell the developers, with the number {run.pk}.", now=now)


def _went_on(run: Reconciliation, now: datetime) -> float:
    run.failures = 0
    runs.save(run, now=now)
    return PACE_S


def _next_step(verdict: Verdict) -> str:
    if verdict.outcome is Outcome.CONFIGURATION:
        return words.explain(verdict).next_step
    return "The next reconciliation begins where this one should have come to."
