"""Who acts: the member of staff of the request in hand, or the command, or the service itself.

The rule: nobody is looked up before there is something to record. Requests of the API pass by the
middleware (see `trainu.short_way`); a verb that an API key may call says `acting_as(f"key:{id}")`.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse

_COMMAND = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)

_named: ContextVar[str] = ContextVar("audit_actor", default="")
_request: ContextVar[HttpRequest | None] = ContextVar("audit_request", default=None)


def current() -> str:
    """Return who acts, as an id: staff:12, anonymous, key:3, command:purge or system."""
    if named := _named.get():
        return named
    request = _request.get()
    if request is not None:
        user = getattr(request, "user", None)
        return f"staff:{user.pk}" if user is not None and user.is_authenticated else "anonymous"
    if settings.PROCESS == "command" and len(sys.argv) > 1 and Path(sys.argv[0]).name == "manage.py":
        command = sys.argv[1]
        return f"command:{command}" if _COMMAND.fullmatch(command) else "command"
    return "system"


def request_in_hand() -> HttpRequest | None:
    """Return the request that is being answered, if one is and it has a session."""
    return _request.get()


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Let whatever is recorded in a block be done by `name`, such as key:3 or command:purge."""
    token = _named.set(name)
    try:
        yield
    finally:
        _named.reset(token)


class ActorMiddleware:
    """Remember the request in hand. Stands behind AuthenticationMiddleware, and asks it nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token = _request.set(request)
        try:
            return self.get_response(request)
        finally:
            _request.reset(token)
