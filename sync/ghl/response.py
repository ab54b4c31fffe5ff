"""What came back from GoHighLevel, or that nothing did: values that `errors.classify` judges.

The rule: reading never raises, whatever the bytes. A text made of these values holds neither body nor
headers; the texts of transport errors stay outside altogether, for they can hold addresses and tokens.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from sync.ghl import rate_limits
from sync.ghl.rate_limits import RateLimits

LONGEST_MESSAGE = 500
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:\-]{0,127}", re.ASCII)
_TRACE_HEADERS = ("x-trace-id", "trace-id", "x-request-id", "cf-ray")


class Content(StrEnum):
    """What an answer's body turned out to be."""

    JSON = "json"
    EMPTY = "empty"
    OTHER = "other"  # some other text: a proxy's page, broken JSON
    CUT_OFF = "cut_off"  # the status arrived, the body did not: too slow, too large, connection gone


class Phase(StrEnum):
    """How far a request got that has no answer."""

    BEFORE_SENDING = "before_sending"
    MAYBE_SENT = "maybe_sent"


class Cause(StrEnum):
    """Why a request has no answer."""

    DNS = "dns"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_FAILED = "connection_failed"
    CONNECT_TIMEOUT = "connect_timeout"
    POOL_TIMEOUT = "pool_timeout"
    TLS = "tls"
    UNUSABLE_TOKEN = "unusable_token"
    TIMEOUT = "timeout"
    CONNECTION_RESET = "connection_reset"
    NOT_HTTP = "not_http"
    CLIENT_ERROR = "client_error"
    # Whoever sent it took it back before its first byte.
    KILL_SWITCH = "kill_switch"


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer. kind: the name of the exception's class, for developers; never its text."""

    phase: Phase
    cause: Cause
    kind: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """An answer. headers: names in lower case. body: parsed JSON, None for anything else.

    trace_id: what GoHighLevel's support asks for.
    """

    status: int
    content: Content
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    trace_id: str | None = None
    limits: RateLimits = rate_limits.NOT_SAID

    @property
    def message(self) -> str:
        """GoHighLevel's words about an error, cut to 500 characters. May be personal: redact it."""
        if not isinstance(self.body, dict):
            return ""
        for name in ("message", "error_description", "msg", "error"):
            value = self.body.get(name)
            if isinstance(value, list):
                value = "; ".join(item for item in value if isinstance(item, str))
            if isinstance(value, str) and value:
                return value[:LONGEST_MESSAGE]
        return ""

    def __repr__(self) -> str:
        return f"<Answer {self.status} {self.content} trace_id={self.trace_id}>"


def read(status: int, headers: Mapping[str, str], body: bytes | None) -> Answer:
    """Return the answer that these bytes are. body: None when it could not be read to its end."""
    lower = {name.lower(): value for name, value in headers.items() if name.lower() != "set-cookie"}
    content, document = _document(body)
    return Answer(
        status=status,
        content=content,
        body=document,
        headers=lower,
        trace_id=_trace_id(document, lower),
        limits=rate_limits.read(lower),
    )


def id_at(document: Any, *names: str) -> str | None:
    """Return the id at a place in a document, None where nothing looks like one."""
    for name in names:
        if not isinstance(document, dict):
            return None
        document = document.get(name)
    return document if isinstance(document, str) and _ID.fullmatch(document) else None


def objects_at(document: Any, *names: str) -> list[dict[str, Any]]:
    """Return the objects in the list at a place in a document, leaving out whatever is none."""
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return [item for item in document if isinstance(item, dict)] if isinstance(document, list) else []


def object_at(document: Any, *names: str) -> dict[str, Any]:
    """Return the object at a place in a document, an empty one where there is none."""
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


def _document(body: bytes | None) -> tuple[Content, Any]:
    if body is None:
        return Content.CUT_OFF, None
    if not body.strip():
        return Content.EMPTY, None
    try:
        return Content.JSON, orjson.loads(body)
    except orjson.JSONDecodeError:
        return Content.OTHER, None


def _trace_id(document: Any, headers: Mapping[str, str]) -> str | None:
    if found := id_at(document, "traceId"):
        return found
    return next((found for name in _TRACE_HEADERS if (found := id_at(dict(headers), name))), None)
