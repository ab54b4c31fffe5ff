"""The one API: its error shape, its documentation, and the routers of the apps.

The rule: whatever goes wrong, the client gets problem+json with the correlation id; whatever broke
inside is logged with the same id, and none of it is in the answer.
"""

from collections.abc import Sequence
from typing import Any, cast

import orjson
import structlog
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.parser import Parser

from observability import ingestion, openapi
from observability.api import alert_rules, dashboards, events, health, incidents, metrics, silences
from sync.api import (
    bulk_operations,
    dead_letters,
    drafts,
    held_messages,
    insights,
    jobs,
    kill_switch,
    letter_groups,
    letter_views,
    locations,
    reconciliations,
    webhooks,
    workflow_addresses,
)
from trainu import problem, secret_paths
from trainu.problem import Problem

log = structlog.get_logger(__name__)


class StrictParser(Parser):
    """Reads bodies strictly: halves of characters and NaN are no JSON, and PostgreSQL could not keep them."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        return cast(dict[str, Any], orjson.loads(request.body))


class TrainuAPI(NinjaAPI):
    """NinjaAPI whose document also shows every event of the catalog."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        schema = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        openapi.document_events(schema)
        return schema


api = TrainuAPI(
    title="TrainU observability",
    version="1.0.0",
    description=(
        "Report product events, have things done in GoHighLevel, repair what failed there, and see how the"
        " service is. Errors are application/problem+json."
    ),
    urls_namespace="api",
    parser=StrictParser(),
)
api.add_router("/events", events)
api.add_router("/health", health)
api.add_router("/metrics", metrics)
api.add_router("/dashboards", dashboards)
api.add_router("/incidents", incidents)
api.add_router("/alert-rules", alert_rules)
api.add_router("/silences", silences)
api.add_router("/sync", jobs.router)
api.add_router("/sync", workflow_addresses.router)
api.add_router("/sync", locations.router)
api.add_router("/sync", held_messages.router)
api.add_router("/sync", kill_switch.router)
api.add_router("/webhooks", webhooks.router)
api.add_router("/dead-letters", dead_letters.router)
api.add_router("/dead-letters/groups", letter_groups.router)
api.add_router("/dead-letters/views", letter_views.router)
api.add_router("/bulk-operations", bulk_operations.router)
api.add_router("/reconciliations", reconciliations.router)
api.add_router("/drafts", drafts.router)
api.add_router("/insights", insights.router)


@api.exception_handler(Problem)
def on_problem(_request: HttpRequest, error: Problem) -> HttpResponse:
    return problem.response(error.status, error.code, error.detail, retry_after=error.retry_after)


@api.exception_handler(OperationalError)
@api.exception_handler(InterfaceError)
def on_database_away(_request: HttpRequest, error: Exception) -> HttpResponse:
    return problem.database_away(error)


@api.exception_handler(ValidationError)
def on_invalid(_request: HttpRequest, error: ValidationError) -> HttpResponse:
    errors = [
        {"field": ".".join(str(part) for part in _callers(fault["loc"])), "message": fault["msg"]}
        for fault in error.errors
    ]
    return problem.response(422, "invalid_request", "The request does not fit. See errors.", errors=errors)


def _callers(place: Sequence[int | str]) -> Sequence[int | str]:
    """Return of where a fault is what the caller knows: not which of our arguments was to hold it."""
    match list(place):
        # A body that is read by hand names its fields at once, and ours is an argument below it.
        case ["body", str(), *rest] if rest:
            return rest
        case ["query" | "path" | "header", *rest] if rest:
            return rest
    return place


@api.exception_handler(HttpError)
def on_http_error(_request: HttpRequest, error: HttpError) -> HttpResponse:
    if isinstance(error.__cause__, orjson.JSONDecodeError):
        return problem.response(400, "malformed_json", "The body is no JSON. Send an object in UTF-8.")
    return problem.plain(error.status_code)


@api.exception_handler(Http404)
def on_not_found(_request: HttpRequest, _error: Http404) -> HttpResponse:
    return problem.plain(404)


@api.exception_handler(RequestDataTooBig)
def on_too_big(_request: HttpRequest, _error: RequestDataTooBig) -> HttpResponse:
    refusal = ingestion.too_large()
    return problem.response(refusal.status, refusal.code, refusal.detail)


@api.exception_handler(SuspiciousOperation)
def on_suspicious(_request: HttpRequest, _error: SuspiciousOperation) -> HttpResponse:
    return problem.plain(400)


@api.exception_handler(Exception)
def on_bug(request: HttpRequest, _error: Exception) -> HttpResponse:
    log.exception("api_failed", path=secret_paths.shown(request.path), method=request.method)
    return problem.plain(500)
