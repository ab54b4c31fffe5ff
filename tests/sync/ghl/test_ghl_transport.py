"""The carrier against servers that misbehave: what it says has become of the request is true."""

import asyncio
import gzip
import json
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from sync.ghl import reads, transport
from sync.ghl.operations import OPERATIONS, marker
from sync.ghl.request import Request
from sync.ghl.response import Answer, Cause, Content, Failure, Phase
from sync.ghl.transport import Carrier, Timeouts, send_once
from tests.servers import free_port
from tests.sync.ghl import payloads
from tests.sync.ghl.test_ghl_operations import JOB

TOKEN = SecretStr("pit-0123456789-never-shown")
SEND = OPERATIONS["message.send"].request(payloads.example("message.send"), "loc1", marker(JOB))
READ = reads.contact("c1")
SHORT = Timeouts(pool_s=0.15, connect_s=0.25, read_s=0.25, total_s=0.5)


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """What a scripted server remembers. Its answers are bytes, so that they can be wrong."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0


Script = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[Server]:
    """Run a server that reads whole requests and lets the script answer."""
    server = Server()
    tasks: set[asyncio.Task[Any]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.strip().split("\r\n")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, target, _ = first.split(" ")
                asked = Asked(method, target, headers, body)
                server.asked.append(asked)
                await script(asked, writer)
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def http(status: int, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def says(raw: bytes, *, then_close: bool = False) -> Script:
    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        if then_close:
            writer.close()

    return script


async def hangs(asked: Asked, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def resets(asked: Asked, writer: asyncio.StreamWriter) -> None:
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


def carried(script: Script, request: Request, **options: Any) -> tuple[Answer | Failure, Server]:
    """Send one request to a server with this script."""

    async def once() -> tuple[Answer | Failure, Server]:
        async with (
            serving(script) as server,
            Carrier(server.url, **{"timeouts": SHORT, **options}) as carrier,
        ):
            return await carrier.send(request, TOKEN), server

    return run(once())


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def test_an_answer_is_carried_back_with_all_that_counts() -> None:
    raw = http(201, b'{"messageId": "m1"}', X_RateLimit_Remaining="42", Content_Type="application/json")
    answer, server = carried(says(raw), SEND)
    assert isinstance(answer, Answer)
    assert (answer.status, answer.content, answer.body) == (201, Content.JSON, {"messageId": "m1"})
    assert answer.limits.burst_left == 42
    [asked] = server.asked
    assert (asked.method, asked.target) == ("POST", "/conversations/messages")
    assert asked.headers["authorization"] == f"Bearer {TOKEN.get_secret_value()}"
    assert asked.headers["version"] == "2021-04-15"
    assert asked.headers["user-agent"] == "TrainU-Sync/1.0"
    assert asked.headers["content-type"] == "application/json"
    assert json.loads(asked.body) == {"type": "SMS", "contactId": "c1", "message": "See you at nine."}


def test_path_and_query_arrive_quoted_as_they_were() -> None:
    request = reads.duplicate_contact("loc1", email="a+b@example.com", phone="+491511")
    _, server = carried(says(http(200, b"{}")), request)
    assert server.asked[0].target == (
        "/contacts/search/duplicate?locationId=loc1&email=a%2Bb%40example.com&number=%2B491511"
    )
    _, server = carried(says(http(200, b"{}")), reads.contact("../opportunities/%2e"))
    assert server.asked[0].target == "/contacts/..%2Fopportunities%2F%252e"


def test_a_path_in_the_base_address_is_kept() -> None:
    async def once() -> str:
        async with serving(says(http(200, b"{}"))) as server, Carrier(f"{server.url}/ghl/") as carrier:
            await carrier.send(READ, TOKEN)
            return server.asked[0].target

    assert run(once()) == "/ghl/contacts/c1"


def test_nobody_listening_is_before_sending() -> None:
    failure = send_once(f"http://127.0.0.1:{free_port()}", SEND, TOKEN)
    assert isinstance(failure, Failure)
    assert (failure.phase, failure.cause) == (Phase.BEFORE_SENDING, Cause.CONNECTION_REFUSED)


def test_a_name_that_nobody_knows_is_before_sending() -> None:
    failure = send_once("https://no-such-host.invalid", SEND, TOKEN)
    assert isinstance(failure, Failure)
    assert (failure.phase, failure.cause) == (Phase.BEFORE_SENDING, Cause.DNS)


def test_a_server_that_takes_no_connection_is_before_sending() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())

        async def once() -> Answer | Failure:
            url = f"http://127.0.0.1:{full.getsockname()[1]}"
            async with Carrier(url, timeouts=SHORT) as carrier:
                return await carrier.send(SEND, TOKEN)

        failure = run(once())
        for one in waiting:
            one.close()
    assert (failure.phase, failure.cause) == (Phase.BEFORE_SENDING, Cause.CONNECT_TIMEOUT)


def test_a_server_without_tls_is_before_sending() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 This is not TLS\r\n\r\n")
        await writer.drain()
        writer.close()

    async def once() -> Answer | Failure:
        async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with Carrier(f"https://127.0.0.1:{port}", timeouts=SHORT) as carrier:
                return await carrier.send(SEND, TOKEN)

    failure = run(once())
    assert (failure.phase, failure.cause) == (Phase.BEFORE_SENDING, Cause.TLS)


def test_a_certificate_that_nobody_vouches_for_gets_no_token(tmp_path: Path) -> None:
    asked = []

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(100))

    async def once() -> Answer | Failure:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self_signed(tmp_path))
        async with await asyncio.start_server(answers, "127.0.0.1", 0, ssl=tls) as server:
            port = server.sockets[0].getsockname()[1]
            async with Carrier(f"https://127.0.0.1:{port}", timeouts=SHORT) as carrier:
                return await carrier.send(SEND, TOKEN)

    failure = run(once())
    assert (failure.phase, failure.cause) == (Phase.BEFORE_SENDING, Cause.TLS)
    assert asked in ([], [b""])


def self_signed(folder: Path) -> Path:
    """Write a key and a certificate for this machine that only vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "self-signed.pem"
    unlocked = serialization.NoEncryption()
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(pem, form, unlocked) + certificate.public_bytes(pem))
    return path


def test_a_server_that_hangs_may_have_got_it() -> None:
    failure, server = carried(hangs, SEND)
    assert isinstance(failure, Failure)
    assert (failure.phase, failure.cause) == (Phase.MAYBE_SENT, Cause.TIMEOUT)
    assert len(server.asked) == 1


@pytest.mark.parametrize("script", [resets, says(b"", then_close=True)], ids=["reset", "closed"])
def test_a_connection_lost_after_the_work_was_done_may_have_got_it(script: Script) -> None:
    failure, server = carried(script, SEND)
    assert isinstance(failure, Failure)
    assert (failure.phase, failure.cause) == (Phase.MAYBE_SENT, Cause.CONNECTION_RESET)
    assert len(server.asked) == 1, "What must not happen twice is not sent again by the library either."


def test_what_is_no_http_may_have_got_it() -> None:
    failure, _ = carried(says(b"SSH-2.0-OpenSSH\r\n\r\n", then_close=True), SEND)
    assert isinstance(failure, Failure)
    assert (failure.phase, failure.cause) == (Phase.MAYBE_SENT, Cause.NOT_HTTP)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nnogzi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ],
    ids=["cut off", "not what it says it is", "broken chunks"],
)
def test_an_answer_whose_body_breaks_keeps_its_status(raw: bytes) -> None:
    answer, _ = carried(says(raw, then_close=True), SEND)
    if isinstance(answer, Failure):
        assert (answer.phase, answer.cause) == (Phase.MAYBE_SENT, Cause.NOT_HTTP)
    else:
        assert (answer.status, answer.content) == (200, Content.CUT_OFF)


def test_a_body_that_trickles_is_cut_off_in_time() -> None:
    async def trickles(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    answer, _ = carried(trickles, SEND)
    assert isinstance(answer, Answer)
    assert (answer.status, answer.content) == (200, Content.CUT_OFF)


@pytest.mark.parametrize(
    "raw",
    [
        http(200, b'"' + b"x" * 200_000 + b'"'),
        http(200, gzip.compress(b'"' + b"x" * 50_000_000 + b'"', 1), Content_Encoding="gzip"),
    ],
    ids=["large", "large once unpacked"],
)
def test_a_huge_body_is_not_taken_in(raw: bytes) -> None:
    answer, _ = carried(says(raw), SEND, most_bytes=100_000, timeouts=Timeouts())
    assert isinstance(answer, Answer)
    assert (answer.status, answer.content) == (200, Content.CUT_OFF)


def test_a_body_without_end_is_left_early() -> None:
    sent = 0

    async def endless(asked: Asked, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" " * 65536)
            await writer.drain()
            sent += 65536

    answer, _ = carried(endless, SEND, most_bytes=100_000, timeouts=Timeouts(total_s=3))
    assert isinstance(answer, Answer)
    assert answer.content is Content.CUT_OFF
    assert sent < 30_000_000


def test_a_body_that_is_no_json_is_said_to_be_something_else() -> None:
    answer, _ = carried(says(http(200, b"<html>Welcome</html>")), SEND)
    assert isinstance(answer, Answer)
    assert (answer.status, answer.content, answer.body) == (200, Content.OTHER, None)


def test_a_redirect_is_not_followed_and_the_token_stays_here() -> None:
    async def both() -> tuple[Answer | Failure, Server]:
        async with serving(says(http(200, b"{}"))) as elsewhere:
            away = says(http(307, b"", Location=f"{elsewhere.url}/x"))
            async with serving(away) as server, Carrier(server.url, timeouts=SHORT) as carrier:
                return await carrier.send(SEND, TOKEN), elsewhere

    answer, elsewhere = run(both())
    assert answer.status == 307
    assert elsewhere.asked == []


def test_connections_are_kept_and_cookies_are_not() -> None:
    async def twice() -> Server:
        raw = http(200, b"{}", Set_Cookie="tenant=one; Path=/")
        async with serving(says(raw)) as server:
            # By name: aiohttp would keep no cookie of a bare address anyway.
            by_name = server.url.replace("127.0.0.1", "localhost")
            async with Carrier(by_name, timeouts=SHORT) as carrier:
                await carrier.send(READ, TOKEN)
                await carrier.send(READ, SecretStr("another"))
            return server

    server = run(twice())
    assert server.connections == 1
    assert "cookie" not in server.asked[1].headers


def test_a_busy_pool_is_before_sending() -> None:
    async def both() -> tuple[Answer | Failure, int]:
        async with serving(hangs) as server, Carrier(server.url, timeouts=SHORT, connections=1) as carrier:
            first = asyncio.create_task(carrier.send(SEND, TOKEN))
            await asyncio.sleep(0.05)
            second = await carrier.send(SEND, TOKEN)
            await first
            return second, len(server.asked)

    failure, asked = run(both())
    assert (failure.phase, failure.cause) == (Phase.BEFORE_SENDING, Cause.POOL_TIMEOUT)
    assert asked == 1


def test_being_cancelled_gets_through_and_gives_the_connection_back() -> None:
    async def cancelled() -> Answer | Failure:
        stalls = True

        async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
            await (hangs if stalls else says(http(200, b"{}")))(asked, writer)

        async with serving(script) as server, Carrier(server.url, timeouts=SHORT, connections=1) as carrier:
            task = asyncio.create_task(carrier.send(SEND, TOKEN))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            stalls = False
            return await carrier.send(READ, TOKEN)

    assert run(cancelled()).status == 200


def test_a_carrier_can_be_used_again_after_it_was_closed() -> None:
    async def again() -> list[int]:
        async with serving(says(http(200, b"{}"))) as server:
            carrier = Carrier(server.url, timeouts=SHORT)
            statuses = []
            for _ in range(2):
                answer = await carrier.send(READ, TOKEN)
                assert isinstance(answer, Answer)
                statuses.append(answer.status)
                await carrier.close()
            return statuses

    assert run(again()) == [200, 200]


@pytest.mark.parametrize("token", ["", "two words", "line\r\nbreak"])
def test_a_damaged_token_sends_nothing(token: str) -> None:
    async def once() -> tuple[Answer | Failure, int]:
        async with serving(says(http(200, b"{}"))) as server, Carrier(server.url) as carrier:
            return await carrier.send(SEND, SecretStr(token)), server.connections

    assert run(once()) == (Failure(Phase.BEFORE_SENDING, Cause.UNUSABLE_TOKEN), 0)


@pytest.mark.parametrize(
    "address",
    [
        "http://services.leadconnectorhq.com",
        "ftp://127.0.0.1",
        "services.leadconnectorhq.com",
        "https://user:hidden@services.leadconnectorhq.com",
        "https://services.leadconnectorhq.com/?key=hidden",
        "http://10.0.0.1:4000",
        "https://",
    ],
)
def test_an_address_to_which_no_token_may_go_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(ValueError, match="GoHighLevel's address") as refused:
        Carrier(address)
    assert "hidden" not in str(refused.value)


def test_nothing_that_happens_puts_the_token_or_the_message_into_a_text_or_a_log(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    scripts = [
        hangs,
        resets,
        says(b"junk\r\n\r\n", then_close=True),
        says(http(500, b"<html>")),
        says(http(200, b"{}")),
    ]
    results = [carried(script, SEND)[0] for script in scripts]
    shown = repr(results) + str(results) + caplog.text + "".join(capfd.readouterr())
    assert "0123456789" not in shown
    assert "nine" not in shown


def test_the_environment_sends_nothing_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    answer, _ = carried(says(http(200, b"{}")), READ)
    assert isinstance(answer, Answer)


def test_a_lease_of_thirty_seconds_outlives_one_call() -> None:
    assert transport.Timeouts().pool_s + transport.Timeouts().total_s < 30
