"""Tokens for whoever sends: kept in memory for a moment, refreshed by one process at a time.

The rules: GoHighLevel is asked outside of any transaction, and both new tokens are saved in one. Whoever
finds the turn taken uses the old token while it lasts, and waits otherwise. No token stands in a text.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.utils import timezone
from pydantic import SecretStr

from sync import credentials
from sync.credentials import Held
from sync.database_thread import DatabaseThread
from sync.ghl import oauth
from sync.ghl.errors import Code, Outcome, Verdict
from sync.ghl.oauth import Client, Tokens
from sync.ghl.transport import Carrier
from trainu.encryption import Unreadable

# A token that staff enter is used by every lane within this time.
HELD_S = 10.0
_LOOK_AGAIN_S = 0.2
_RETRY_S = 5.0

NO_TOKEN = Verdict(Outcome.CONFIGURATION, Code.UNUSABLE_TOKEN)
REFUSED = Verdict(Outcome.CONFIGURATION, Code.UNAUTHORIZED)


class Keeper:
    """The tokens of one event loop. clock: what time it is, for tests."""

    def __init__(
        self,
        carrier: Carrier,
        *,
        database: DatabaseThread,
        clock: Callable[[], datetime] = timezone.now,
    ) -> None:
        self._carrier = carrier
        self._database = database
        self._clock = clock
        self._held: dict[str, tuple[float, Held]] = {}
        self._flights: dict[str, asyncio.Future[Held | None]] = {}
        self._failed: dict[str, tuple[float, Verdict]] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def token(self, location_id: str) -> SecretStr | Verdict:
        """Return the token to send with, or the verdict on every job of the location without one."""
        held = await self._read(location_id)
        if held is None:
            return NO_TOKEN
        if not held.is_due(self._clock()):
            return held.access
        async with self._turns[location_id]:
            return await self._renew(location_id, None)

    async def renewed(self, location_id: str, refused: SecretStr) -> SecretStr | Verdict:
        """Return another token than the one that was refused, or the verdict that there is none."""
        async with self._turns[location_id]:
            return await self._renew(location_id, refused)

    async def _read(self, location_id: str, *, anew: bool = False) -> Held | None:
        kept = self._held.get(location_id)
        if kept and kept[0] > time.monotonic() and not anew:
            return kept[1]
        if anew:
            return await self._ask_database(location_id)
        # A hundred attempts that begin at once ask once.
        if (flight := self._flights.get(location_id)) is None:
            flight = asyncio.ensure_future(self._ask_database(location_id))
            self._flights[location_id] = flight
            flight.add_done_callback(lambda _: self._flights.pop(location_id, None))
        return await asyncio.shield(flight)

    async def _ask_database(self, location_id: str) -> Held | None:
        try:
            held = await self._database(credentials.held, location_id)
        except Unreadable:
            held = None
        if held is None:
            self._held.pop(location_id, None)
        else:
            self._held[location_id] = (time.monotonic() + HELD_S, held)
        return held

    async def _renew(self, location_id: str, refused: SecretStr | None) -> SecretStr | Verdict:
        """Ask for new tokens, or wait for whoever does. In the turn of this event loop."""
        gives_up = time.monotonic() + credentials.REFRESH_LEASE.total_seconds()
        while True:
            held = await self._read(location_id, anew=True)
            if held is None:
                return NO_TOKEN
            if held.access != refused and not held.is_due(self._clock()):
                return held.access
            if held.refresh is None:
                return REFUSED
            # Whoever waited for the turn while somebody asked in vain does not ask the same again.
            until, verdict = self._failed.get(location_id, (0.0, REFUSED))
            if time.monotonic() < until:
                return verdict
            mine = await self._database(
                credentials.begin_refresh, location_id, now=self._clock(), refused=refused
            )
            if mine is not None:
                return await self._ask(location_id, mine, refused)
            if held.access != refused and held.is_usable(self._clock()):
                return held.access
            if time.monotonic() > gives_up:
                return self._in_vain(
                    location_id, Verdict(Outcome.DEFERRED, Code.UNAUTHORIZED, wait_s=_RETRY_S)
                )
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def _ask(self, location_id: str, held: Held, refused: SecretStr | None) -> SecretStr | Verdict:
        assert held.refresh is not None
        client = Client(settings.GHL_CLIENT_ID, SecretStr(settings.GHL_CLIENT_SECRET))
        answer = await self._carrier.send(oauth.refresh(client, held.refresh), None)
        before = Tokens(held.access, held.refresh, held.expires_at or self._clock())
        tokens = oauth.read(answer, now=self._clock(), before=before)
        if isinstance(tokens, Tokens):
            await self._database(credentials.hold_oauth, location_id, tokens, now=self._clock())
            await self._read(location_id, anew=True)
            return tokens.access
        await self._database(credentials.give_up_refresh, location_id)
        if tokens.outcome is Outcome.CONFIGURATION:
            return self._in_vain(location_id, tokens)
        if held.access != refused and held.is_usable(self._clock()):
            return held.access
        # No job is to blame. Within half a minute GoHighLevel repeats an answer that got lost.
        wait_s = max(_RETRY_S, tokens.wait_s or 0.0)
        return self._in_vain(location_id, Verdict(Outcome.DEFERRED, tokens.code, wait_s=wait_s))

    def _in_vain(self, location_id: str, verdict: Verdict) -> Verdict:
        self._failed[location_id] = (time.monotonic() + _RETRY_S, verdict)
        return verdict
