"""The lane that writes drafts: claims what is due, asks the model side by side, settles. Runs in any number.

The rules: a lane holds nothing that a kill could lose; what it has in hand comes back when its lease ends.
PostgreSQL is asked in one thread, the model in the event loop, and never within a transaction. When it has
to stop, it gives the calls under way a second, and settles the rest as lost.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from sync.database_thread import DatabaseThread
from sync.drafts import queue, writing
from sync.drafts.llm.asking import Asker
from sync.drafts.llm.prompts import Prompt
from sync.drafts.queue import Claimed, Ended
from trainu import lanes

log = structlog.get_logger(__name__)

CONCURRENCY = 20
POLL_S = 0.2
STOP_S = 0.7
_AGAIN_S = 0.5
_RECOVER_EVERY_S = 5.0


class Lane:
    """One lane. clock: what time it is, for tests. on_beat: called in the database's thread now and then."""

    def __init__(
        self,
        asker: Asker,
        *,
        concurrency: int = CONCURRENCY,
        clock: Callable[[], datetime] = timezone.now,
        poll_s: float = POLL_S,
        on_beat: Callable[[], None] = lambda: None,
    ) -> None:
        self.settled = 0
        self._asker = asker
        self._clock = clock
        self._concurrency = concurrency
        self._poll_s = poll_s
        self._on_beat = on_beat
        self._lease = timedelta(seconds=asker.timeout_s) + queue.SLACK
        self._database = DatabaseThread()
        self._in_hand: dict[UUID, Claimed] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._ended: list[Ended] = []
        self._claim_at = self._beat_at = self._recover_at = 0.0
        self._has_claimed = False
        self._news = asyncio.Event()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in hand and the last claim found nothing."""
        return self._has_claimed and not self._in_hand and not self._ended and self._claim_at > 0.0

    async def run(self, until: Callable[[], bool], *, claims: Callable[[], bool] = lambda: True) -> int:
        """Work until told to stop; return how many tries were settled. claims: whether to begin more."""
        try:
            async with self._asker:
                while not until():
                    if not await self._turn(claims()):
                        break
                await self._stop()
        finally:
            self._database.close()
        return self.settled

    async def _turn(self, may_claim: bool) -> bool:
        """Settle what has ended, claim if there is room, wait for news; tell whether there is any need to."""
        now = time.monotonic()
        if now >= self._beat_at:
            self._beat_at = now + lanes.BEAT_EVERY_S
            await self._database(self._on_beat)
        if self._ended:
            await self._settle()
        free = self._concurrency - len(self._in_hand)
        if may_claim and free and time.monotonic() >= self._claim_at:
            await self._claim(free)
        if not may_claim and not self._in_hand and not self._ended:
            return False
        if not self._ended:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), self._pause(free))
        return True

    def _pause(self, free: int) -> float:
        return max(0.001, min(self._poll_s, self._claim_at - time.monotonic())) if free else self._poll_s

    async def _claim(self, most: int) -> None:
        try:
            if time.monotonic() >= self._recover_at:
                await self._database(queue.take_back, now=self._clock())
                self._recover_at = time.monotonic() + _RECOVER_EVERY_S
            begun = await self._database(self._begin, most)
        except (OperationalError, InterfaceError) as error:
            # Whatever was claimed comes back with its lease.
            log.warning("draft_lane_without_database", error=type(error).__name__)
            self._claim_at = time.monotonic() + _AGAIN_S
            return
        self._has_claimed = True
        for claimed, told in begun:
            self._in_hand[claimed.draft.pk] = claimed
            task = asyncio.create_task(self._write(claimed, told))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
        self._claim_at = time.monotonic() + self._poll_s if len(begun) < most else 0.0

    def _begin(self, most: int) -> list[tuple[Claimed, Prompt | None]]:
        claimed = queue.claim(now=self._clock(), most=most, lease=self._lease)
        return [(one, writing.prompt(one.draft)) for one in claimed]

    async def _write(self, claimed: Claimed, told: Prompt | None) -> None:
        ended = await writing.write(claimed, told, self._asker)
        del self._in_hand[claimed.draft.pk]
        self._ended.append(ended)
        self._news.set()

    async def _settle(self) -> None:
        batch, self._ended = self._ended, []
        try:
            await self._database(queue.settle, batch, now=self._clock())
            self.settled += len(batch)
            return
        except (OperationalError, InterfaceError) as error:
            # They stay in hand; those whose lease ends meanwhile are settled by somebody else.
            log.warning("draft_lane_without_database", error=type(error).__name__)
            self._ended = batch + self._ended
            await asyncio.sleep(_AGAIN_S)
            return
        except Exception as error:
            log.exception("drafts_not_settled", drafts=len(batch), error=type(error).__name__)
        # What cannot be settled holds up no other: it comes back when its lease ends.
        for one in batch if len(batch) > 1 else []:
            try:
                await self._database(queue.settle, [one], now=self._clock())
                self.settled += 1
            except Exception as error:
                log.exception(
                    "draft_not_settled", draft_id=str(one.claimed.draft.pk), error=type(error).__name__
                )

    async def _stop(self) -> None:
        """Let what is under way end, for a moment; settle everything."""
        ends = time.monotonic() + STOP_S
        while self._calls and time.monotonic() < ends:
            await asyncio.sleep(0.02)
        calls = list(self._calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        self._ended += [writing.given_up(claimed) for claimed in self._in_hand.values()]
        self._in_hand.clear()
        if self._ended:
            await self._settle()
