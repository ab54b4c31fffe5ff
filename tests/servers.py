"""Outside services, faked on loopback: real HTTP, replies by script, and a memory of what was asked."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

    def __init__(self, *, refuses: Callable[[dict[str, Any]], bool] = lambda event: False) -> None:
        self.refuses = refuses
        self.replies: list[Reply] = []
        self.batches: list[list[dict[str, Any]]] = []
        self.received: list[dict[str, Any]] = []
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
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
                reply = posthog.take(json.loads(body)["batch"])
                time.sleep(reply.hang_s)
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

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


@contextmanager
def posthog(*, refuses: Callable[[dict[str, Any]], bool] = lambda event: False) -> Iterator[PostHogServer]:
    """Run a PostHogServer for the time of a block."""
    server = PostHogServer(refuses=refuses)
    server.thread.start()
    try:
        yield server
    finally:
        server.server.shutdown()
        server.server.server_close()
