"""Webhooks of the simulated GoHighLevel: signed, sent, repeated, lost, in whatever order is asked for.

The rule: a webhook is written down at the moment of its cause, the bytes included; delivery only repeats
those bytes. It goes to loopback only.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import orjson

from trainu.demo.ghl.call import Document
from trainu.demo.ghl.signing import Signer
from trainu.demo.ghl.state import Clock, iso

_KEPT = 100_000
_IN_FLIGHT = 16
_GATHER_S = 0.02
# Of the two policies known of 2026: only 429, six times; or anything but 2xx, twelve times.
RETRIES_S = {
    "429": (600.0,) * 6,
    "any": tuple(60.0 * 2**step for step in range(12)),
    "never": (),
}


@dataclass(slots=True)
class Delivery:
    """How webhooks are delivered.

    url: nothing is sent while it is empty. copies: how often each is sent. shuffle: one after another, in
    an order drawn by the seed. hold: keep all back until `flush`. delay_ms: between these two, many on
    their way at once. drop: the part that is lost. fresh_ids: each copy has its own webhookId, as when
    GHL tells one thing twice. signature: valid, wrong or missing. retry: "any", "429" or "never";
    retry_scale shortens the real pauses.
    """

    url: str = ""
    copies: int = 1
    shuffle: bool = False
    hold: bool = False
    delay_ms: tuple[float, float] = (0.0, 0.0)
    drop: float = 0.0
    fresh_ids: bool = False
    signature: str = "valid"
    retry: str = "any"
    retry_scale: float = 1.0
    timeout_s: float = 10.0
    app_id: str = "appOfTheDemo00000001"
    version_id: str = "versionOfTheDemo0001"

    def __post_init__(self) -> None:
        if self.url and urlsplit(self.url).hostname not in {"127.0.0.1", "localhost", "::1"}:
            raise ValueError("webhooks of the simulated GoHighLevel go to loopback only")
        if self.retry not in RETRIES_S or self.signature not in {"valid", "wrong", "missing"}:
            raise ValueError("retry is any, 429 or never; signature is valid, wrong or missing")
        self.delay_ms = (float(self.delay_ms[0]), float(self.delay_ms[1]))


@dataclass(slots=True)
class Webhook:
    """One webhook, and the statuses its deliveries got (0: no answer)."""

    webhook_id: str
    type: str
    location_id: str
    body: bytes
    lost: bool = False
    statuses: list[int] = field(default_factory=list)


class Webhooks:
    """What was emitted, and the pump that delivers it. emit is called under the lock of the simulator."""

    def __init__(self, seed: int, clock: Clock, wake: Callable[[], None]) -> None:
        self.delivery = Delivery()
        self.signer = Signer(seed)
        self.sent: deque[Webhook] = deque(maxlen=_KEPT)
        self.emitted = 0
        self._clock = clock
        self._wake = wake
        self._rng = Random(f"webhooks {seed}")
        self._waiting: deque[Webhook] = deque()
        self._unsettled = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._limit = asyncio.Semaphore(_IN_FLIGHT)

    def emit(self, kind: str, location_id: str, payload: Callable[[], Document]) -> None:
        """Write a webhook down for delivery; without a URL nothing is made."""
        if not self.delivery.url:
            return
        rng, options = self._rng, self.delivery
        document = {"type": kind, "locationId": location_id, **payload()}
        document["timestamp"] = iso(self._clock.now() * 1000)
        document["appId"], document["versionId"] = options.app_id, options.version_id
        lost = rng.random() < options.drop
        webhook_id = ""
        for copy in range(options.copies):
            if not copy or options.fresh_ids:
                webhook_id = str(UUID(int=rng.getrandbits(128), version=4))
            body = orjson.dumps(document | {"webhookId": webhook_id})
            webhook = Webhook(webhook_id, kind, location_id, body, lost)
            self.sent.append(webhook)
            self.emitted += 1
            if not lost:
                self._waiting.append(webhook)
                self._unsettled += 1
        if not options.hold:
            self._wake()

    @property
    def unsettled(self) -> int:
        """How many wait, travel or are to be tried again."""
        return self._unsettled

    async def pump(self, session: aiohttp.ClientSession, awake: asyncio.Event) -> None:
        """Deliver what waits, until cancelled."""
        while True:
            await awake.wait()
            awake.clear()
            if self.delivery.shuffle:
                await asyncio.sleep(_GATHER_S)
            batch = list(self._waiting)
            self._waiting.clear()
            if self.delivery.shuffle:
                self._rng.shuffle(batch)
            for webhook in batch:
                low, high = self.delivery.delay_ms
                if high:
                    self._later(session, webhook, self._rng.uniform(low, high) / 1000, 0)
                else:
                    await self._deliver(session, webhook, 0)

    async def stop(self) -> None:
        """Give up whatever still travels or waits for its next try."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _later(self, session: aiohttp.ClientSession, webhook: Webhook, pause_s: float, tries: int) -> None:
        async def run() -> None:
            await asyncio.sleep(pause_s)
            async with self._limit:
                await self._deliver(session, webhook, tries)

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, session: aiohttp.ClientSession, webhook: Webhook, tries: int) -> None:
        options = self.delivery
        headers = {"Content-Type": "application/json", "User-Agent": "simulated-gohighlevel"}
        if options.signature != "missing":
            signed = webhook.body if options.signature == "valid" else webhook.body + b" "
            headers["X-GHL-Signature"] = self.signer.sign(signed)
        timeout = aiohttp.ClientTimeout(total=options.timeout_s)
        try:
            async with session.post(
                options.url, data=webhook.body, headers=headers, timeout=timeout
            ) as response:
                await response.read()
                status = response.status
        except (aiohttp.ClientError, OSError, TimeoutError):
            status = 0
        webhook.statuses.append(status)
        pauses = RETRIES_S[options.retry]
        failed = status == 429 if options.retry == "429" else not 200 <= status < 300
        if failed and tries < len(pauses):
            pause_s = pauses[tries] * options.retry_scale * self._rng.uniform(1.0, 1.1)
            self._later(session, webhook, pause_s, tries + 1)
        else:
            self._unsettled -= 1
