"""A lane: claims due jobs, makes their attempts side by side, settles them in batches. Runs in any number.

The rules: a lane holds nothing that a kill could lose; what it has in hand comes back when its lease ends.
It claims no more than it can begin at once. PostgreSQL is asked in one thread, GoHighLevel in the event
loop. When it has to stop, it gives the requests under way a second, and settles the rest as unknown.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import structlog
from django.db import Error, InterfaceError, OperationalError
from django.utils import timezone

from sync import (
    attempt,
    attempt_log,
    breaker,
    kill_switch,
    probes,
    queue,
    recovery,
    settlement,
    superseding,
)
from sync.attempt import Ended, Past
from sync.database_thread import DatabaseThread
from sync.drafts import departure
from sync.ghl.transport import Carrier
from sync.kill_switch import Gate
from sync.mass_send import watch
from sync.queue import Claimed
from sync.tokens import Keeper
from trainu import lanes

log = structlog.get_logger(__name__)

CONCURRENCY = 200
POLL_S = 0.2
# Rows are settled when there are so many, or when the first of them has waited so long.
SETTLE_ROWS = 200
SETTLE_S = 0.05
PROBE_EVERY_S = 2.0
MOST_PROBES = 10
STOP_S = 1.0
_AGAIN_S = 0.5
_MOST_TAKEN_BACK = 50


class Lane:
    """One lane. concurrency: attempts at a time. clock: what time it is, for tests.

    recovers: take back what lost lanes had in hand, and try that alone, instead of what is regularly due.
    on_beat: called in the database's thread every few seconds.
    """

    def __init__(
        self,
        carrier: Carrier,
        *,
        concurrency: int = CONCURRENCY,
        clock: Callable[[], datetime] = timezone.now,
        recovers: bool = False,
        on_beat: Callable[[], None] = lambda: None,
    ) -> None:
        self.settled = 0
        self._carrier = carrier
        self._clock = clock
        self._concurrency = 1 if recovers else concurrency
        self._recovers = recovers
        self._on_beat = on_beat
        self._database = DatabaseThread()
        self._tokens = Keeper(carrier, database=self._database, clock=clock)
        self._gate = Gate(self._database, self._look_out)
        self._in_hand: dict[UUID, tuple[Claimed, datetime]] = {}
        self._begun: asyncio.Queue[tuple[Claimed, Past | None]] = asyncio.Queue()
        self._probing: set[asyncio.Task[None]] = set()
        self._ended: list[Ended] = []
        self._first_ended = 0.0
        self._failures = 0
        self._claim_at = 0.0
        self._probe_at = 0.0
        self._beat_at = 0.0
        self._news = asyncio.Event()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in hand and the last claim found nothing."""
        return not self._in_hand and not self._ended and not self._probing and self._claim_at > 0.0

    async def run(self, until: Callable[[], bool]) -> int:
        """Work until told to stop; return how many attempts were settled."""
        try:
            async with self._carrier:
                workers = [asyncio.create_task(self._work()) for _ in range(self._concurrency)]
                while not until():
                    await self._turn()
                await self._stop(workers)
        finally:
            self._database.close()
        return self.settled

    async def _turn(self) -> None:
        """Claim if there is room and it is time, settle if there is enough, else wait for news."""
        now = time.monotonic()
        free = self._concurrency - len(self._in_hand)
        if now >= self._beat_at:
            self._beat_at = now + lanes.BEAT_EVERY_S
            await self._database(self._on_beat)
        if now >= self._probe_at and not self._recovers:
            self._probe_at = now + PROBE_EVERY_S
            await self._probe()
        if self._is_time_to_settle():
            await self._settle()
            return
        if free * 4 >= self._concurrency and now >= self._claim_at:
            await self._claim(free)
        self._news.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), SETTLE_S if self._ended else self._pause())

    def _pause(self) -> float:
        return max(0.001, min(POLL_S, self._claim_at - time.monotonic()))

    async def _claim(self, most: int) -> None:
        now = self._clock()
        try:
            if self._recovers:
                for _ in range(_MOST_TAKEN_BACK):
                    if not await self._database(recovery.take_back, now=now):
                        break
                # Here it is looked at too where no message leaves: what waits for its location is a mass too.
                with contextlib.suppress(Error):
                    await self._database(self._look_out, False)
            jobs = await self._database(queue.claim, now=now, most=most, suspects=self._recovers)
            overtaken = await self._overtaken(jobs)
            held = await self._held(jobs, now)
            pasts = {job.id: await self._past(job) for job in jobs if job.is_lookup}
        except (OperationalError, InterfaceError) as error:
            # Whatever was claimed comes back with its lease.
            log.warning("lane_without_database", error=type(error).__name__)
            self._claim_at = time.monotonic() + _AGAIN_S
            return
        self._gate.expect(sum(job.operation == kill_switch.OPERATION and job.id not in held for job in jobs))
        for job in jobs:
            if job.id in overtaken:
                self._take(recovery.overtaken(job, wholly=overtaken[job.id], now=now))
            elif job.id in held:
                self._take(held[job.id])
            else:
                self._begin(job, pasts.get(job.id))
        if len(jobs) < most:
            self._claim_at = time.monotonic() + POLL_S

    def _look_out(self, at_once: bool) -> None:
        try:
            watch.look(now=self._clock(), at_once=at_once)
        except Exception:
            # Until somebody can look, the gate is shut.
            log.exception("mass_send_not_looked_for")
            raise

    async def _overtaken(self, jobs: list[Claimed]) -> dict[UUID, bool]:
        revived = [job.id for job in jobs if job.is_redrive]
        return await self._database(superseding.by_done, revived) if revived else {}

    async def _held(self, jobs: list[Claimed], now: datetime) -> dict[UUID, Ended]:
        """Return the messages of drafts that may not leave now, and how they end."""
        messages = [job for job in jobs if job.operation == kill_switch.OPERATION and not job.is_lookup]
        if not messages:
            return {}
        try:
            return await self._database(departure.held, messages, now=now)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("drafts_not_looked_at", jobs=len(messages))
        if len(messages) == 1:
            # Where nobody can tell, it does not leave.
            return {messages[0].id: attempt.unsent(messages[0], attempt.NOT_LOOKED_AT, now=now)}
        held: dict[UUID, Ended] = {}
        for one in messages:
            held |= await self._held([one], now)
        return held

    async def _past(self, job: Claimed) -> Past:
        return await self._database(attempt_log.past, job.id, job.location_id, job.operation, job.created_at)

    def _begin(self, job: Claimed, past: Past | None) -> None:
        self._in_hand[job.id] = (job, self._clock())
        self._begun.put_nowait((job, past))

    async def _work(self) -> None:
        """Make one attempt after another. So many of these run as attempts may go on at a time."""
        while True:
            job, past = await self._begun.get()
            ended = await attempt.make(
                job, self._carrier, self._tokens, clock=self._clock, past=past, gate=self._gate
            )
            del self._in_hand[job.id]
            self._take(ended)

    def _take(self, ended: Ended) -> None:
        if not self._ended:
            self._first_ended = time.monotonic()
        self._ended.append(ended)
        if ended.verdict and breaker.seen(ended.verdict).failed:
            self._failures += 1
        if self._is_time_to_settle():
            self._news.set()

    def _is_time_to_settle(self) -> bool:
        if not self._ended:
            return False
        if len(self._ended) >= SETTLE_ROWS or not self._in_hand:
            return True
        # The breaker must know of an outage before the next jobs are claimed.
        return self._failures >= breaker.OPENS_AFTER or time.monotonic() - self._first_ended >= SETTLE_S

    async def _settle(self) -> None:
        batch, self._ended = self._ended, []
        self._failures = 0
        try:
            await self._database(settlement.settle, batch, now=self._clock())
            self.settled += len(batch)
            if any(one.job.ordering_key for one in batch):
                # The next of their order may go now.
                self._claim_at = 0.0
        except (OperationalError, InterfaceError) as error:
            # They stay in hand; those whose lease ends meanwhile are settled by somebody else.
            log.warning("lane_without_database", error=type(error).__name__)
            self._ended = batch + self._ended
            await asyncio.sleep(_AGAIN_S)
        except Exception:
            log.exception("settling_failed", jobs=len(batch))
            if len(batch) > 1:
                for one in batch:
                    await self._settle_alone(one)
        self._first_ended = time.monotonic()

    async def _settle_alone(self, one: Ended) -> None:
        """Keep what cannot be settled from holding up the rest: it comes back when its lease ends."""
        try:
            await self._database(settlement.settle, [one], now=self._clock())
            self.settled += 1
        except Exception:
            log.exception("settling_failed", job_id=str(one.job.id))

    async def _probe(self) -> None:
        try:
            due = await self._database(breaker.due, now=self._clock(), most=MOST_PROBES)
        except (OperationalError, InterfaceError):
            return
        for location_id in due:
            work = probes.ask(
                location_id, self._carrier, self._tokens, database=self._database, clock=self._clock
            )
            task = asyncio.create_task(work)
            self._probing.add(task)
            task.add_done_callback(self._on_probed)

    def _on_probed(self, task: asyncio.Task[None]) -> None:
        self._probing.discard(task)
        self._claim_at = 0.0
        self._news.set()

    async def _stop(self, workers: list[asyncio.Task[None]]) -> None:
        """Let what is under way end, for a moment; settle everything."""
        ends = time.monotonic() + STOP_S
        while self._in_hand and time.monotonic() < ends:
            await asyncio.sleep(0.02)
        for task in [*workers, *self._probing]:
            task.cancel()
        await asyncio.gather(*workers, *self._probing, return_exceptions=True)
        for job, begun_at in self._in_hand.values():
            self._ended.append(attempt.given_up(job, started_at=begun_at))
        self._in_hand.clear()
        if self._ended:
            await self._settle()
