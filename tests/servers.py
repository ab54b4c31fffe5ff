"""Outside services, faked on loopback: real HTTP, replies by script, and a memory of what was asked."""

import gzip
import json
import os
import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What to answer. hang_s: wait first. drop: close the connection without an answer.

    stores: whether the service has taken the batch in, whatever it answers (an acknowledgement
    that gets lost).
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    hang_s: float = 0.0
    drop: bool = False
    stores: bool | None = None


class PostHogServer:
    """A PostHog of capture protocol v0: takes a batch whole or refuses it whole.

    refuses: tells of a single event whether PostHog would call the batch invalid because of it.
    replies: the next answers in order; when they are used up, every valid batch is taken.
    """

    path = "/batch/"

    def __init__(
        self, *, port: int = 0, refuses: Callable[[dict[str, Any]], bool] = lambda event: False
    ) -> None:
        self.refuses = refuses
        self.replies: list[Reply] = []
        self.batches: list[list[dict[str, Any]]] = []
        self.received: list[dict[str, Any]] = []
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.server = _Server(("127.0.0.1", port), self._handler())
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def uuids(self) -> list[str]:
        """The uuids that were stored, repeats included, in the order of their arrival."""
        return [event["uuid"] for event in self.received]

    def script(self, *replies: Reply) -> None:
        """Answer the next requests with these, one after another."""
        with self.lock:
            self.replies.extend(replies)

    def take(self, batch: list[dict[str, Any]]) -> Reply:
        with self.lock:
            self.batches.append(batch)
            reply = self.replies.pop(0) if self.replies else Reply()
            if reply.status == 200 and any(self.refuses(event) for event in batch):
                reply = Reply(status=400)
            stores = reply.status == 200 and not reply.drop if reply.stores is None else reply.stores
            if stores:
                self.received.extend(batch)
            return reply

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        posthog = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # One write an answer: headers and body apart run into delayed acknowledgements.
            wbufsize = -1

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                reply = Reply(404) if self.path != posthog.path else posthog.take(json.loads(body)["batch"])
                posthog.closing.wait(reply.hang_s)
                if reply.drop:
                    self.close_connection = True
                    return
                answer = json.dumps(reply.body or {"status": "Ok"}).encode()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def do_GET(self) -> None:
                """Where a redirect leads to: a page that is 200 and takes nothing."""
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


class PostHogV1Server(PostHogServer):
    """A PostHog of capture protocol v1: a batch is taken event by event, each with its own verdict.

    verdict: (result, details) of an event: ok, warning, drop or retry. Whatever is ok gets stored, once
    or more often. A uuid twice in one batch is 400, as with the real one.
    """

    path = "/i/v1/analytics/events"

    def __init__(
        self,
        *,
        port: int = 0,
        verdict: Callable[[dict[str, Any]], tuple[str, str | None]] = lambda event: ("ok", None),
    ) -> None:
        super().__init__(port=port)
        self.verdict = verdict

    def take(self, batch: list[dict[str, Any]]) -> Reply:
        with self.lock:
            self.batches.append(batch)
            if self.replies:
                return self.replies.pop(0)
            if len({event["uuid"] for event in batch}) < len(batch):
                return Reply(400, body={"error": "duplicate_uuid"})
            results = {}
            for event in batch:
                result, details = self.verdict(event)
                results[event["uuid"]] = {"result": result, "details": details}
                if result in {"ok", "warning"}:
                    self.received.append(event)
            return Reply(body={"results": results})


class SentryServer:
    """A Sentry that takes every envelope in and keeps it as text, or answers by script.

    replies: the next answers in order; when they are used up, every envelope is taken.
    """

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.envelopes: list[str] = []
        self.items: list[tuple[str, dict[str, Any]]] = []
        self.encodings: set[str] = set()
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.server = _Server(("127.0.0.1", 0), self._handler())
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    @property
    def dsn(self) -> str:
        return f"http://0123456789abcdef@127.0.0.1:{self.server.server_address[1]}/1"

    @property
    def events(self) -> list[dict[str, Any]]:
        """The errors, in the order of their arrival."""
        with self.lock:
            return [payload for kind, payload in self.items if kind == "event"]

    @property
    def check_ins(self) -> list[dict[str, Any]]:
        with self.lock:
            return [payload for kind, payload in self.items if kind == "check_in"]

    @property
    def text(self) -> str:
        """Everything that has arrived, headers of the requests included."""
        with self.lock:
            return "\n".join(self.envelopes)

    def take(self, body: bytes, headers: str) -> Reply:
        header, *rest = body.split(b"\n", 1)
        items = []
        left = rest[0] if rest else b""
        while left.strip():
            line, left = left.split(b"\n", 1)
            about = json.loads(line)
            length = about.get("length", left.find(b"\n"))
            payload, left = left[:length], left[length:].lstrip(b"\n")
            items.append((about["type"], json.loads(payload)))
        with self.lock:
            reply = self.replies.pop(0) if self.replies else Reply()
            if reply.status == 200 and not reply.drop:
                self.envelopes.append(f"{headers}\n{header.decode()}\n{json.dumps(items)}")
                self.items.extend(items)
            return reply

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        sentry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                encoding = self.headers.get("Content-Encoding", "")
                sentry.encodings.add(encoding)
                if encoding == "gzip":
                    body = gzip.decompress(body)
                elif encoding == "br":
                    import brotli

                    body = brotli.decompress(body)
                reply = sentry.take(body, str(self.headers))
                sentry.closing.wait(reply.hang_s)
                if reply.drop:
                    self.close_connection = True
                    return
                answer = json.dumps(reply.body or {"id": "0" * 32}).encode()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed before its answer is what some tests are about: say nothing."""


def free_port() -> int:
    """Return a port on which nothing listens, for a server to start or an outside service that is down.

    Below those that the kernel gives to whoever connects, and from a range of this test process's own:
    nobody takes it before the server does.
    """
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = 10_000 + process % 10 * 2_000 + random.SystemRandom().randrange(2_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def posthog(
    *, port: int = 0, refuses: Callable[[dict[str, Any]], bool] = lambda event: False
) -> Iterator[PostHogServer]:
    """Run a PostHogServer for the time of a block."""
    server = PostHogServer(port=port, refuses=refuses)
    server.thread.start()
    try:
        yield server
    finally:
        server.close()


@contextmanager
def posthog_v1(
    *, verdict: Callable[[dict[str, Any]], tuple[str, str | None]] = lambda event: ("ok", None)
) -> Iterator[PostHogV1Server]:
    """Run a PostHogV1Server for the time of a block."""
    server = PostHogV1Server(verdict=verdict)
    server.thread.start()
    try:
        yield server
    finally:
        server.close()


@contextmanager
def sentry() -> Iterator[SentryServer]:
    """Run a SentryServer for the time of a block."""
    server = SentryServer()
    server.thread.start()
    try:
        yield server
    finally:
        server.close()
