"""A language model on loopback that speaks OpenAI's protocol: answers by script, and remembers each request.

The rule: what it was sent is kept as it came, for whoever looks for what must not be there.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.servers import _Server

KEY = "sk-only-for-tests-5ecre7"
MODEL = "loopback-1"


@dataclass(frozen=True)
class Said:
    """What to answer. body: bytes as they are, else JSON. hang_s: wait first. drip_s: between bytes.

    cut: promise more than is sent, then close. drop: close without an answer.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    hang_s: float = 0.0
    drip_s: float = 0.0
    cut: bool = False
    drop: bool = False


def wrote(text: Any, *, finish: str = "stop", refusal: str | None = None, **fields: Any) -> Said:
    """Return an answer in which the model has written something."""
    message = {"role": "assistant", "content": text, "refusal": refusal}
    usage = {"prompt_tokens": 120, "completion_tokens": 30, "total_tokens": 150}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    body = {"id": "c-1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice]}
    return Said(body={**body, "usage": usage, **fields})


def wrong(status: int, code: str | None = None, **headers: str) -> Said:
    """Return an error as OpenAI writes it, with the prompt and the key in its words, as some have them."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    error = {"message": f"Incorrect API key provided: {KEY}", "type": "error", "param": None, "code": code}
    return Said(status, {"error": error}, headers=named)


HTML = Said(body=b"<html><body>Bad gateway</body></html>", content_type="text/html")
GARBAGE = Said(body=b"\x00\xff{]garbage", content_type="application/json")
# By name: what a provider may do to us.
FAULTS: dict[str, Said] = {
    "429": wrong(429, retry_after="1"),
    "quota": wrong(429, "insufficient_quota"),
    "500": wrong(500),
    "503": wrong(503),
    "529": wrong(529),
    "504": wrong(504),
    "hang": Said(hang_s=30),
    "drip": Said(body=b"{" + b" " * 500, drip_s=0.05),
    "cut": Said(body=b'{"choices": [{"message": {"content": "Hi', cut=True),
    "drop": Said(drop=True),
    "garbage": GARBAGE,
    "html": HTML,
    "no choices": Said(body={"choices": []}),
    "null": Said(body=b"null"),
    "wrong encoding": Said(body=b"not gzip at all", headers={"Content-Encoding": "gzip"}),
    "401": wrong(401),
    "403": wrong(403),
    "400": wrong(400),
    "404": wrong(404, "model_not_found"),
    "redirect": Said(307, b"", headers={"Location": "/v1/chat/completions"}),
    "filtered request": wrong(400, "content_filter"),
    "refusal": wrote(None, refusal="I will not write that."),
    "refused in words": wrote('{"refused": true}'),
    "filtered": wrote("Hi", finish="content_filter"),
    "empty": wrote("  \n"),
    "null content": wrote(None),
    "cut off": wrote("Hi there, as I", finish="length"),
    "oversize": wrote("x" * 30_000),
    "unknown placeholder": wrote("Hi {{client_shoe_size}}."),
    "broken placeholder": wrote("Hi {{client_first_name."),
    "gap": wrote("Hi [your name], see you."),
    "json without a text": wrote('{"message": "Hi"}'),
    "half a json": wrote('{"text": "Hi'),
}


class LLMServer:
    """replies: the next answers in order; when they are used up, `otherwise` answers."""

    def __init__(self) -> None:
        self.replies: list[Said] = []
        self.otherwise: Callable[[dict[str, Any]], Said] = lambda request: wrote(self.text(request))
        self.requests: list[dict[str, Any]] = []
        self.raw: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self.server = _Server(("127.0.0.1", 0), _handler(self))
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """What LLM_BASE_URL is set to."""
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    @property
    def calls(self) -> int:
        return len(self.requests)

    @property
    def heard(self) -> str:
        """Everything that was ever sent to it: bodies and headers."""
        bodies = [json.dumps(request, ensure_ascii=False) for request in self.requests]
        return "\n".join([*bodies, *map(str, self.headers)])

    def script(self, *replies: Said) -> None:
        """Answer the next requests with these, one after another."""
        with self.lock:
            self.replies.extend(replies)

    @staticmethod
    def text(request: dict[str, Any]) -> str:
        """Return what a good model writes: every placeholder that it must write, and the client's name."""
        system = request["messages"][0]["content"]
        name = "{{client_first_name}}" if "{{client_first_name}}" in system else "there"
        when = " See you {{booking_starts_at}}." if "{{booking_starts_at}}" in system else ""
        subject = ', "subject": "For you"' if "email" in system else ""
        return f'{{"text": "Hi {name}!{when}"{subject}}}'

    def take(self, body: bytes, headers: dict[str, str]) -> Said:
        with self.lock:
            self.raw.append(body)
            self.headers.append(headers)
            self.requests.append(json.loads(body))
            if headers.get("authorization") != f"Bearer {KEY}":
                return wrong(401, "invalid_api_key")
            return self.replies.pop(0) if self.replies else self.otherwise(self.requests[-1])

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


def _handler(llm: LLMServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            said = llm.take(
                self.rfile.read(int(self.headers.get("Content-Length", 0))),
                {name.lower(): value for name, value in self.headers.items()},
            )
            llm.closing.wait(said.hang_s)
            if said.drop or said.hang_s:
                self.close_connection = True
                return
            body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
            self.send_response(said.status)
            for name, value in {"Content-Type": said.content_type, **said.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) + 100 * said.cut))
            self.end_headers()
            if said.drip_s:
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    if llm.closing.wait(said.drip_s):
                        break
            else:
                self.wfile.write(body)
            self.close_connection = self.close_connection or said.cut

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def llm(server: LLMServer | None = None) -> Iterator[LLMServer]:
    """Let a server answer while the block runs; default is a new one."""
    server = server or LLMServer()
    server.thread.start()
    try:
        yield server
    finally:
        server.close()
