"""The simulated GoHighLevel as a server: it carries requests to the gateway, and its webhooks out.

The rule: one event loop in one thread owns the network; everything else happens under one lock, so a
test may call the Python methods while requests come in.
"""

import asyncio
import socket
import struct
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from trainu.demo.ghl import (
    calendars,
    contacts,
    control,
    conversations,
    locations,
    notes,
    oauth,
    opportunities,
    search,
)
from trainu.demo.ghl.call import Call, Refused, Reply
from trainu.demo.ghl.faults import Fault, Faults
from trainu.demo.ghl.gateway import Gateway
from trainu.demo.ghl.ledger import Ledger
from trainu.demo.ghl.limits import Limits
from trainu.demo.ghl.oauth import Tokens
from trainu.demo.ghl.staff import Staff
from trainu.demo.ghl.state import Clock, Location, Settings, World
from trainu.demo.ghl.webhooks import Delivery, Webhooks

ROOMS = (contacts, search, notes, calendars, conversations, opportunities, locations)
# SO_LINGER of zero seconds: closing sends a reset instead of an end.
_RESET = struct.pack("ii", 1, 0)
_LOOK_S = 0.05


class Simulator:
    """A GoHighLevel. Use it as a context manager, or start() and stop() it; url tells where it is.

    Its parts are open: world, ledger, limits, faults, tokens, webhooks, staff, settings, clock.
    """

    def __init__(self, *, seed: int = 1, limits: bool = True) -> None:
        self.seed = seed
        self.clock = Clock()
        self.settings = Settings()
        self.ledger = Ledger()
        self.limits = Limits()
        self.limits.enabled = limits
        self.faults = Faults(seed)
        self.webhooks = Webhooks(seed, self.clock, self._wake)
        self.world = World(seed, self.clock, self.settings, self.ledger, self.webhooks.emit)
        self.lock = self.world.lock
        self.tokens = Tokens(self.world)
        self.staff = Staff(self.world)
        routes = [route for room in ROOMS for route in room.ROUTES] + oauth.routes(self.tokens)
        self.gateway = Gateway(self.world, self.tokens, self.limits, self.faults, routes)
        self.port = 0
        self.trickle_every_s = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._awake = asyncio.Event()
        self._end = asyncio.Event()
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None
        self._runner: web.ServerRunner | None = None
        self._site: web.SockSite | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def public_key(self) -> str:
        """The PEM that verifies its webhooks."""
        return self.webhooks.signer.public_pem

    def location(self, location_id: str = "", *, token: str = "", **fields: Any) -> tuple[Location, str]:
        """Add a location and return it with a private integration token."""
        with self.lock:
            location = self.world.move_in(Location(location_id or self.world.new_id(), **fields))
            return location, self.tokens.private(location.id, token=token)

    def fail(self, kind: str, **fields: Any) -> Fault:
        """Put a fault in force (see Fault) and return it."""
        with self.lock:
            return self.faults.add(Fault(kind, **fields))

    def heal(self) -> None:
        """End every fault."""
        with self.lock:
            self.faults.clear()

    def deliver(self, **options: Any) -> None:
        """Set how webhooks are delivered (see Delivery); what is not named is as by default."""
        with self.lock:
            self.webhooks.delivery = Delivery(**options)

    def flush(self) -> None:
        """Send the webhooks that were held back."""
        self._wake()

    def settle(self, timeout_s: float = 5.0) -> bool:
        """Wait until every webhook has been delivered or given up; return whether that came to pass."""
        deadline = time.monotonic() + timeout_s
        while self.webhooks.unsettled and time.monotonic() < deadline:
            time.sleep(0.005)
        return not self.webhooks.unsettled

    def deliveries(self) -> Counter[tuple[str, str]]:
        """Return how often each (contact id, marker or hash of the text) was sent."""
        with self.lock:
            return self.ledger.deliveries()

    def start(self, port: int = 0) -> Self:
        """Serve in a thread; return when it listens."""
        self._thread = threading.Thread(target=asyncio.run, args=(self.run(port),), daemon=True)
        self._thread.start()
        while not self._ready.wait(0.02):
            if not self._thread.is_alive():
                raise RuntimeError("The simulated GoHighLevel did not start. Is its port taken?")
        return self

    def stop(self) -> None:
        """Stop serving, cutting whatever still hangs."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(10)

    def refuse_connections(self) -> None:
        """Close the listening socket and every connection: nobody is at home, the control API neither."""
        self._in_loop(self._close())

    def accept_connections(self) -> None:
        """Listen again, at the same port."""
        self._in_loop(self._listen(self.port))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def run(self, port: int) -> None:
        """Serve until stopped."""
        self._loop = asyncio.get_running_loop()
        await self._listen(port)
        async with aiohttp.ClientSession() as session:
            tasks = [
                self._loop.create_task(self.webhooks.pump(session, self._awake)),
                self._loop.create_task(self._trickle()),
            ]
            self._ready.set()
            await self._end.wait()
            await self._close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.webhooks.stop()

    async def _listen(self, port: int) -> None:
        server = web.Server(self._handle, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.05)
        await self._runner.setup()
        listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self._site = web.SockSite(self._runner, listener)
        await self._site.start()
        self.port = listener.getsockname()[1]

    async def _close(self) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        call = Call(request.method, request.raw_path, request.headers, await request.read())
        if call.path.startswith("/_control"):
            with self.lock:
                return _response(control.answer(self, call))
        with self.lock:
            reply = self.gateway.answer(call)
        if reply.after_s:
            await asyncio.sleep(reply.after_s)
        if reply.late:
            with self.lock:
                reply = self.gateway.serve(call)
        while reply.hang and request.transport is not None and self._runner is not None:
            await asyncio.sleep(_LOOK_S)
        if reply.cut or reply.hang:
            _cut(request)
        return _response(reply)

    async def _trickle(self) -> None:
        """Let staff act by themselves, one thing every so many seconds."""
        while True:
            await asyncio.sleep(self.trickle_every_s or _LOOK_S)
            if self.trickle_every_s and self.world.locations:
                with self.lock:
                    try:
                        self.staff.act()
                    except Refused:
                        continue

    def _wake(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._awake.set)

    def _in_loop(self, work: Any) -> None:
        assert self._loop is not None, "start it first"
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


def _cut(request: web.BaseRequest) -> None:
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()


def _response(reply: Reply) -> web.Response:
    return web.Response(status=reply.status or 500, body=reply.body, headers=reply.headers)


def populate(simulator: Simulator, *, locations: int, contacts_each: int) -> list[tuple[str, str]]:
    """Fill a simulator for the demo; return (location id, token) of each location.

    Both come from the seed, so whoever fills another simulator with the same numbers knows them too.
    """
    homes = []
    with simulator.lock:
        for number in range(locations):
            location, token = simulator.location(name=f"Studio {number + 1}")
            for _ in range(contacts_each):
                simulator.staff.new_contact(location.id)
            homes.append((location.id, token))
    return homes
