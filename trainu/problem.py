"""The one shape of an error in the whole API: problem+json (RFC 9457) with the correlation id.

Kernel: imports no app. The rule: a detail says what is wrong and what to do, never `str(exception)`.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from django.db import connection
from django.http import HttpRequest, HttpResponse

from trainu import correlation
from trainu.database import heal

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"
API_PREFIXES = ("/api/", "/batch", "/capture")
# What a client should wait before it asks again while the database is away.
DATABASE_RETRY_S = 5


class Problem(Exception):
    """An answer other than success, raised anywhere below the API's edge.

    status: HTTP status. code: a word from a closed vocabulary that clients may switch on.
    detail: one or two sentences for a human. retry_after: seconds, becomes the header.
    """

    def __init__(self, status: int, code: str, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after = retry_after


def response(
    status: int,
    code: str,
    detail: str,
    *,
    retry_after: float | None = None,
    errors: list[dict[str, str]] | None = None,
) -> HttpResponse:
    """Return the HTTP answer for a problem; `errors` lists the fields at fault, if any."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "correlation_id": correlation.current(),
    }
    if errors:
        body["errors"] = errors
    answer = HttpResponse(orjson.dumps(body), status=status, content_type=CONTENT_TYPE)
    # Django would log each of them once more, without what caused it.
    answer._has_been_logged = True  # type: ignore[attr-defined]
    if retry_after is not None:
        # Whole seconds, rounded up: a client that comes back at the very second must be let in.
        answer["Retry-After"] = str(max(1, -int(-retry_after // 1)))
    if status == HTTPStatus.UNAUTHORIZED:
        answer["WWW-Authenticate"] = "Bearer"
    return answer


def plain(status: int) -> HttpResponse:
    """Return the answer for a status that needs no words of its own."""
    code, detail = _WORDS.get(status, ("error", HTTPStatus(status).description))
    return response(status, code, detail)


def database_away(error: Exception) -> HttpResponse:
    """Return the answer while PostgreSQL cannot be reached: nothing was stored, so try again.

    Logs the error's SQLSTATE, and drops connections that have died, so that the next try can succeed.
    """
    log.error("database_away", sqlstate=getattr(error.__cause__, "sqlstate", None))
    heal(connection)
    return response(
        503,
        "database_unavailable",
        "The database cannot be reached. Nothing was stored; send the same again.",
        retry_after=DATABASE_RETRY_S,
    )


_SCHEMA = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_EVERYWHERE = {401: "No valid key.", 403: "The key lacks the scope.", 429: "Over the key's limit."}


def documented(words: dict[int, str]) -> dict[str, Any]:
    """Return what the API's document says of an address's errors: which status means what, and what to do.

    words: by status, beside those that every address may answer.
    """
    said = words | _EVERYWHERE
    return {
        "responses": {str(status): {"description": text, "content": _SCHEMA} for status, text in said.items()}
    }


_WORDS = {
    400: ("bad_request", "The request could not be read. Check its host, headers and encoding."),
    404: ("not_found", "There is nothing at this address. /api/docs lists what there is."),
    405: ("method_not_allowed", "This address does not take that method."),
    500: ("internal", "Something broke on our side. Quote the correlation id when you report it."),
}


class ProblemMiddleware:
    """Give errors that never reach an API handler (404, 405, a bad Host) the same shape."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        if answer.status_code < 400 or not request.path_info.startswith(API_PREFIXES):
            return answer
        if "json" in answer.get("Content-Type", ""):
            return answer
        shaped = plain(answer.status_code)
        if allowed := answer.get("Allow"):
            shaped["Allow"] = allowed
        return shaped
