"""PostHog's app, faked on loopback: the demo's project behind real HTTP, with a key, and faults by script."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.servers import Reply, _Server
from trainu.demo.posthog_project import Project

KEY = "phx_secretkeyoftests"
Fault = Callable[[str, str, Any], Reply | None]


class PostHogApp:
    """faults: asked in order of each request (method, path, body); the first that replies is used up by it.

    A reply's `stores` says whether the project does what was asked all the same. requests: what was asked, in
    order. scopes: what the key may.
    """

    def __init__(self) -> None:
        self.project = Project()
        self.scopes = {"dashboard:write", "insight:write"}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, Any]] = []
        self.keys: set[str] = set()
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.server = _Server(("127.0.0.1", 0), self._handler())
        self.project.url = self.url
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def writes(self) -> list[tuple[str, str, Any]]:
        return [request for request in self.requests if request[0] != "GET"]

    def fail(self, reply: Reply, *, method: str = "", path: str = "") -> None:
        """Answer the next request of this kind with a reply."""
        self.faults.append(lambda by, to, body: reply if method in by and path in to else None)

    def take(self, method: str, path: str, body: Any, key: str) -> Reply:
        with self.lock:
            self.requests.append((method, path, body))
            self.keys.add(key)
            fault = self._fault(method, path, body)
            if fault is not None and not fault.stores:
                return fault
            if key != f"Bearer {KEY}":
                return Reply(401, body={"type": "authentication_error", "detail": f"Invalid key {key}."})
            scope = f"{'dashboard' if '/dashboards/' in path else 'insight'}:write"
            if scope not in self.scopes and method != "GET":
                detail = f"API key missing required scope '{scope}'"
                return Reply(
                    403, body={"type": "authentication_error", "code": "permission_denied", "detail": detail}
                )
            status, document = self.project.answer(method, path, body)
            return fault or Reply(status, body=document)

    def _fault(self, method: str, path: str, body: Any) -> Reply | None:
        for fault in self.faults:
            reply = fault(method, path, body)
            if reply is not None:
                self.faults.remove(fault)
                return reply
        return None

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        app = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # One write an answer: headers and body apart run into delayed acknowledgements.
            wbufsize = -1

            def do_GET(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = json.loads(raw) if raw else None
                reply = app.take(self.command, self.path, body, self.headers.get("Authorization", ""))
                app.closing.wait(reply.hang_s)
                if reply.drop:
                    self.close_connection = True
                    return
                answer = (
                    reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body or {}).encode()
                )
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_PATCH = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


def call(*arguments: str) -> str:
    """Run the command; return what it prints."""
    out = StringIO()
    try:
        call_command("posthog_dashboards", *arguments, stdout=out, stderr=StringIO())
    except CommandError as error:
        raise CommandError(f"{out.getvalue()}\n{error}") from None
    return out.getvalue()


def failing(*arguments: str) -> str:
    """Run the command, which must end in 1; return everything that it says, which is never the key."""
    with pytest.raises(CommandError) as failed:
        call(*arguments)
    assert KEY not in str(failed.value)
    return str(failed.value)


@contextmanager
def posthog_app() -> Iterator[PostHogApp]:
    """Run a PostHogApp for the time of a block."""
    app = PostHogApp()
    app.thread.start()
    try:
        yield app
    finally:
        app.close()
