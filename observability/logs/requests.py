"""One line a request, and who is asking on every line in between.

The rules: no query string, no body and no address of a client is logged; a request that went well on
one of the busy ways of machines has no line: an event carries its correlation id itself.
"""

import time
from collections.abc import Callable
from typing import Any, cast

import structlog
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest, HttpResponse
from django_structlog.middlewares import RequestMiddleware
from django_structlog.signals import bind_extra_request_finished_metadata

from trainu import known_names, secret_paths

log = structlog.get_logger(__name__)

# Ingestion, webhooks, health, metrics: thousands of requests a second, or one a second for ever. And the live
# tail, which would otherwise show little but its own questions.
BUSY = (
    "/api/events",
    "/api/webhooks/",
    "/api/health",
    "/api/metrics",
    "/batch",
    "/capture",
    "/static/",
    "/admin/logs/tail/",
)


class RequestLogMiddleware(RequestMiddleware):
    """django-structlog's lines, without queries, and on busy ways for what went wrong only."""

    async_capable = False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.started = time.perf_counter()  # type: ignore[attr-defined]
        try:
            if not request.path_info.startswith(BUSY):
                return cast(HttpResponse, super().__call__(request))
            response = cast(HttpResponse, self.get_response(request))
            if response.status_code >= 400 and not hasattr(request, "_raised_exception"):
                line = {"code": response.status_code, "request": self.format_request(request)}
                log.warning("request_finished", **line, duration_ms=_duration_ms(request))
            return response
        finally:
            structlog.contextvars.clear_contextvars()

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        """Return method and path; a query may hold anything, and so may an address that is a secret."""
        return f"{request.method} {secret_paths.shown(request.path)}"

    @staticmethod
    def bind_user_id(request: HttpRequest) -> None:
        """Leave it to `UserMiddleware`, which looks only where there is a session."""


def add_duration(request: HttpRequest, log_kwargs: dict[str, Any], **_signal: Any) -> None:
    """Say on a request's line how long it took."""
    log_kwargs["duration_ms"] = _duration_ms(request)


bind_extra_request_finished_metadata.connect(add_duration, dispatch_uid="observability.add_duration")


def _duration_ms(request: HttpRequest) -> float:
    seconds: float = time.perf_counter() - request.started  # type: ignore[attr-defined]
    return round(seconds * 1e3, 2)


class UserMiddleware:
    """Put the member of staff who asks on every line of the request, by id; their name is redacted.

    Stands behind Django's AuthenticationMiddleware. A request without a session costs nothing.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.session.session_key:
            return self.get_response(request)
        user = request.user
        if isinstance(user, AbstractBaseUser):
            structlog.contextvars.bind_contextvars(user_id=f"staff:{user.pk}")
        with known_names.bound([user.get_full_name()] if isinstance(user, AbstractUser) else []):
            return self.get_response(request)
