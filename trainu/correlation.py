"""One id through request, event, task, attempt, log and audit entry.

Kernel: imports no app. The rule: an id that comes from outside is kept only when it is harmless to
print anywhere; any other is replaced, and the rejected value is never logged.
"""

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog
from django.http import HttpRequest, HttpResponse

HEADER = "X-Correlation-ID"

_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{7,63}", re.ASCII)
# W3C Trace Context: version "-" trace-id "-" parent-id "-" flags; an all-zero trace-id is invalid.
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)

_current: ContextVar[str] = ContextVar("correlation_id", default="")


def new() -> str:
    """Return a fresh id: 32 hexadecimal characters."""
    return uuid.uuid4().hex


def current() -> str:
    """Return the id of the work in hand, or an empty string outside any unit of work."""
    return _current.get()


def accept(candidate: str | None) -> str | None:
    """Return `candidate` when it is a sane id (8 to 64 of letters, digits, `._-`), else None."""
    return candidate if candidate and _SANE.fullmatch(candidate) else None


def from_traceparent(header: str | None) -> str | None:
    """Return the trace id of a W3C `traceparent` header, or None where there is no valid one."""
    match = _TRACEPARENT.fullmatch(header or "")
    return match[1] if match else None


@contextmanager
def bound(correlation_id: str | None = None) -> Iterator[str]:
    """Make an id (given or new) current for a block, in logs too, and restore what was before."""
    chosen = correlation_id or new()
    token = _current.set(chosen)
    try:
        with structlog.contextvars.bound_contextvars(correlation_id=chosen):
            yield chosen
    finally:
        _current.reset(token)


class CorrelationMiddleware:
    """Outermost middleware: names the request, and answers with the name.

    Takes `X-Correlation-ID`, else `X-Request-ID`, else the trace id of `traceparent`, else a new id.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        headers = request.headers
        chosen = (
            accept(headers.get(HEADER))
            or accept(headers.get("X-Request-ID"))
            or from_traceparent(headers.get("traceparent"))
        )
        with bound(chosen) as correlation_id:
            response = self.get_response(request)
            response[HEADER] = correlation_id
            return response
