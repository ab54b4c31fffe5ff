"""The one place that talks to GoHighLevel: carries a Request by aiohttp and says what came back.

The rule: `send` returns and does not raise, whatever the network does; only being cancelled gets through.
What it returns says whether the request may have arrived. It logs nothing, follows no redirect, keeps no
cookie, and reads no proxy or password from the environment.
"""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from pydantic import SecretStr
from yarl import URL

from sync.ghl.request import Request, UnusableToken
from sync.ghl.response import Answer, Cause, Failure, Phase, read

MayLeave = Callable[[], Awaitable[bool]]

MOST_BYTES = 4 * 1024 * 1024
CONNECTIONS = 100
_CHUNK_BYTES = 64 * 1024
# Gates in front of services turn away the names of libraries.
_USER_AGENT = "TrainU-Sync/1.0"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds each phase may take. pool: until a connection is free. connect: until it stands, TLS included.

    read: between two pieces of an answer. total: everything but the wait for the pool. A lease has to
    outlive pool + total.
    """

    pool_s: float = 5.0
    connect_s: float = 5.0
    read_s: float = 12.0
    total_s: float = 15.0


class Carrier:
    """Carries requests over kept-alive connections. Use as `async with`, or call `close`.

    base_url: GoHighLevel's address, or a simulator's. Without TLS only on this machine: ValueError
    otherwise, for a token would travel in clear text.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeouts: Timeouts | None = None,
        connections: int = CONNECTIONS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._base = _checked(base_url)
        self._timeouts = timeouts or Timeouts()
        self._connections = connections
        self._most_bytes = most_bytes
        self._free = asyncio.Semaphore(connections)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections. A request sent afterwards opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(
        self, request: Request, token: SecretStr | None, *, may_leave: MayLeave | None = None
    ) -> Answer | Failure:
        """Send a request once and return its answer, or how far it got without one.

        may_leave: asked when a connection stands, right before the first byte of a request with a body.
        Being cancelled counts as "may have arrived": whoever cancels has to treat it so.
        """
        if self._free.locked():
            try:
                async with asyncio.timeout(self._timeouts.pool_s):
                    await self._free.acquire()
            except TimeoutError:
                return Failure(Phase.BEFORE_SENDING, Cause.POOL_TIMEOUT)
        else:
            await self._free.acquire()
        try:
            return await self._exchange(request, token, may_leave)
        finally:
            self._free.release()

    async def _exchange(
        self, request: Request, token: SecretStr | None, may_leave: MayLeave | None
    ) -> Answer | Failure:
        content = request.content()
        body = None if content is None else _Body(content, may_leave)
        try:
            async with self._open().request(
                request.method,
                URL(self._base + request.target, encoded=True),
                data=body,
                headers=request.headers(token),
                allow_redirects=False,
            ) as response:
                return await self._read(response)
        except UnusableToken:
            return Failure(Phase.BEFORE_SENDING, Cause.UNUSABLE_TOKEN)
        except Exception as error:  # noqa: BLE001 -- texts of these hold addresses and tokens: none may escape
            if body is not None and body.is_held:
                return Failure(Phase.BEFORE_SENDING, Cause.KILL_SWITCH)
            return _failure(error, begun=body is None or body.begun)

    async def _read(self, response: aiohttp.ClientResponse) -> Answer:
        """Return the answer, also where only its head could be read: the status alone says much."""
        body: bytes | None
        try:
            chunks = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                chunks += chunk
                if len(chunks) > self._most_bytes:
                    break
            body = bytes(chunks) if len(chunks) <= self._most_bytes else None
        except (aiohttp.ClientError, OSError):
            body = None
        if body is None:
            response.close()
        return read(response.status, response.headers, body)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, ttl_dns_cache=60),
                timeout=aiohttp.ClientTimeout(
                    total=self._timeouts.total_s,
                    connect=self._timeouts.connect_s,
                    sock_read=self._timeouts.read_s,
                ),
                headers={"User-Agent": _USER_AGENT},
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session


def send_once(base_url: str, request: Request, token: SecretStr | None) -> Answer | Failure:
    """Send one request from code without an event loop, such as an admin page that checks a token."""

    async def once() -> Answer | Failure:
        async with Carrier(base_url, connections=1) as carrier:
            return await carrier.send(request, token)

    return asyncio.run(once())


class _HeldError(Exception):
    """Breaks off a request of which nothing has left."""


class _Body(aiohttp.BytesPayload):
    """A body that knows whether it has begun to leave.

    aiohttp holds the headers back until the body's first byte, so until then nothing has been sent; and
    a request whose body never came is one that GoHighLevel cannot have carried out.
    """

    def __init__(self, content: bytes, may_leave: MayLeave | None) -> None:
        super().__init__(content)
        self.begun = False
        self.is_held = False
        self._may_leave = may_leave

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        if self._may_leave is not None and not await self._may_leave():
            self.is_held = True
            raise _HeldError
        self.begun = True
        await super().write_with_length(writer, content_length)


def _failure(error: Exception, *, begun: bool) -> Failure:
    kind = type(error).__name__
    connecting = _connecting(error)
    if connecting is not None:
        return Failure(Phase.BEFORE_SENDING, connecting, kind)
    phase = Phase.MAYBE_SENT if begun else Phase.BEFORE_SENDING
    if isinstance(error, TimeoutError):
        return Failure(phase, Cause.TIMEOUT if begun else Cause.CONNECT_TIMEOUT, kind)
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.ClientPayloadError):
        return Failure(phase, Cause.NOT_HTTP, kind)
    if isinstance(error, aiohttp.ClientConnectionError | OSError):
        return Failure(phase, Cause.CONNECTION_RESET if begun else Cause.CONNECTION_FAILED, kind)
    return Failure(phase, Cause.CLIENT_ERROR, kind)


def _connecting(error: Exception) -> Cause | None:
    """Return why no connection came about, None for an error of a connection that stood."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Cause.CONNECT_TIMEOUT
    if isinstance(error, aiohttp.ClientSSLError):
        return Cause.TLS
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Cause.DNS
    if isinstance(error, aiohttp.ClientConnectorError):
        return Cause.CONNECTION_REFUSED if error.errno == errno.ECONNREFUSED else Cause.CONNECTION_FAILED
    return None


def _checked(base_url: str) -> str:
    """Return the base without a slash at its end. Raises ValueError, which does not repeat the address."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not host or parts.username or parts.query or parts.fragment:
        raise ValueError(
            "GoHighLevel's address must look like https://host, without user, query or fragment."
        )
    if parts.scheme == "http" and not _is_here(host):
        raise ValueError("GoHighLevel's address must begin with https: tokens never travel in clear text.")
    return base_url.rstrip("/")


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
