"""Where alerts go, on loopback: Slack and PagerDuty with faults by script, and a mail server that keeps all.

An answer that gets lost is `Reply(drop=True, stores=True)`: the other side has taken it, and nobody knows.
"""

import email
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.policy import default as modern
from http.server import BaseHTTPRequestHandler
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.servers import Reply, _Server


class ScriptedServer:
    """Answers by script, and keeps what it has taken. replies: the next answers, in order.

    asked: bodies of all requests. taken: those that were taken in, whatever was answered; taken_at: when, by
    the monotonic clock. latency_s: what an answer takes when all is well.
    """

    def __init__(self, *, port: int = 0) -> None:
        self.replies: list[Reply] = []
        self.asked: list[dict[str, Any]] = []
        self.taken: list[dict[str, Any]] = []
        self.taken_at: list[float] = []
        self.latency_s = 0.0
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.server = _Server(("127.0.0.1", port), self._handler())
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def script(self, *replies: Reply) -> None:
        """Answer the next requests with these, one after another."""
        with self.lock:
            self.replies.extend(replies)

    def judge(self, path: str, body: dict[str, Any]) -> Reply:
        """Return what the real one would answer when all is well."""
        raise NotImplementedError

    def keep(self, body: dict[str, Any]) -> None:
        """Remember what was taken in."""
        self.taken.append(body)
        self.taken_at.append(time.monotonic())

    def take(self, path: str, body: dict[str, Any]) -> Reply:
        with self.lock:
            self.asked.append(body)
            judged = self.judge(path, body)
            reply = self.replies.pop(0) if self.replies and judged.status < 300 else judged
            stores = reply.status < 300 and not reply.drop if reply.stores is None else reply.stores
            if stores:
                self.keep(body)
            hang_s = reply.hang_s or self.latency_s
            return Reply(reply.status, reply.headers, reply.body or judged.body, hang_s, reply.drop, stores)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                reply = service.take(self.path, json.loads(raw))
                service.closing.wait(reply.hang_s)
                if reply.drop:
                    self.close_connection = True
                    return
                is_text = isinstance(reply.body, str)
                answer = reply.body.encode() if is_text else json.dumps(reply.body or {}).encode()
                # Whoever was killed meanwhile does not listen any more.
                with suppress(OSError):
                    self.send_response(reply.status)
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Type", "text/html" if is_text else "application/json")
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


class SlackServer(ScriptedServer):
    """Slack's incoming webhooks: `webhook` is one that exists; others are answered with no_service."""

    PATH = "/services/T0000/B0000/planted"

    @property
    def webhook(self) -> str:
        return self.url + self.PATH

    @property
    def texts(self) -> list[str]:
        """The fallback texts that were taken in, in their order."""
        return [body["text"] for body in self.taken]

    def judge(self, path: str, body: dict[str, Any]) -> Reply:
        if path != self.PATH:
            return Reply(404, body="no_service")
        blocks = body.get("blocks", [])
        if not body.get("text") and not blocks:
            return Reply(400, body="no_text")
        if len(blocks) > 50 or any(_is_too_long(block) for block in blocks):
            return Reply(400, body="invalid_blocks")
        if sum(len(text) for text in _texts(blocks)) > 13_200:
            return Reply(400, body="msg_blocks_too_long")
        return Reply(200, body="ok")


class PagerDutyServer(ScriptedServer):
    """PagerDuty's Events API v2. state: of each incident by dedup_key; opened: how often it was opened."""

    KEY = "0123456789abcdef0123456789abcdef"

    def __init__(self, *, port: int = 0) -> None:
        super().__init__(port=port)
        self.state: dict[str, str] = {}
        self.opened: dict[str, int] = {}

    def judge(self, path: str, body: dict[str, Any]) -> Reply:
        key, act = body.get("dedup_key", ""), body.get("event_action")
        payload = body.get("payload", {})
        is_known = act in ("acknowledge", "resolve") or (
            act == "trigger"
            and 0 < len(payload.get("summary", "")) <= 1024
            and payload.get("severity") in ("critical", "error", "warning", "info")
            and bool(payload.get("source"))
        )
        if path != "/v2/enqueue" or body.get("routing_key") != self.KEY or not 0 < len(key) <= 255:
            is_known = False
        if not is_known:
            return Reply(400, body={"status": "invalid event", "message": "Event object is invalid"})
        return Reply(202, body={"status": "success", "message": "Event processed", "dedup_key": key})

    def keep(self, body: dict[str, Any]) -> None:
        super().keep(body)
        key, act = body["dedup_key"], body["event_action"]
        now = self.state.get(key, "resolved")
        if act == "trigger" and now == "resolved":
            self.opened[key] = self.opened.get(key, 0) + 1
            self.state[key] = "triggered"
        elif act == "acknowledge" and now == "triggered":
            self.state[key] = "acknowledged"
        elif act == "resolve" and now != "resolved":
            self.state[key] = "resolved"


class MailServer:
    """A mail server that keeps what it gets. refuses: answers by recipient, such as "550 No such user".

    refuses_data: the answer to every message. log_in: (user, password) that it wants, None: nobody's.
    """

    def __init__(self, *, port: int = 0) -> None:
        self.refuses: dict[str, str] = {}
        self.refuses_data = ""
        self.log_in: tuple[str, str] | None = None
        self.envelopes: list[Envelope] = []
        self.secured: list[bool] = []
        self.logged_in: list[bool] = []
        self.port = port
        self.tls: Any = None
        self.controller: Controller | None = None

    @property
    def url(self) -> str:
        assert self.controller
        return f"smtp://127.0.0.1:{self.controller.server.sockets[0].getsockname()[1]}"

    @property
    def mails(self) -> list[EmailMessage]:
        """What has arrived, parsed."""
        return [email.message_from_bytes(one.content or b"", policy=modern) for one in self.envelopes]  # type: ignore[misc]

    @property
    def recipients(self) -> list[str]:
        """Who got something, repeats included."""
        return [address for one in self.envelopes for address in one.rcpt_tos]

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.refuses_data:
            return self.refuses_data
        self.secured.append(session.ssl is not None)
        self.logged_in.append(bool(session.authenticated))
        self.envelopes.append(envelope)
        return "250 Taken"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        given = (data.login.decode(), data.password.decode())
        # Not handled: the server answers by itself.
        return AuthResult(success=given == self.log_in, handled=False)

    def __enter__(self) -> Self:
        self.controller = _Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            authenticator=self.authenticate,
            auth_require_tls=False,
            tls_context=self.tls,
            ready_timeout=10,
        )
        self.controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.controller
        self.controller.stop()


class _Controller(Controller):
    def _trigger_server(self) -> None:
        """It would ask the port that it was given, which is 0 where any will do."""
        assert self.server
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


def _texts(blocks: list[dict[str, Any]]) -> Iterator[str]:
    for block in blocks:
        for part in (block.get("text"), *block.get("fields", []), *block.get("elements", [])):
            if isinstance(part, dict):
                inner = part.get("text", "")
                yield inner if isinstance(inner, str) else inner.get("text", "")


def _is_too_long(block: dict[str, Any]) -> bool:
    most = 150 if block["type"] == "header" else 3_000
    return any(not text or len(text) > most for text in _texts([block]))


@contextmanager
def all_three() -> Iterator[tuple[SlackServer, PagerDutyServer, MailServer]]:
    """Run one of each for the time of a block."""
    with SlackServer() as slack, PagerDutyServer() as pagerduty, MailServer() as mail:
        yield slack, pagerduty, mail
