"""The door that looks like PostHog: TrainU's servers point the official SDK's `host` here.

Speaks the SDK's v0 protocol: POST /batch/ and /capture/, the key in the body, plain or gzip. 200 with
{"status": "Ok"} means committed or kept in quarantine; anything else makes the SDK keep or drop the
batch by its own rules.
"""

from typing import Any

import orjson
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from observability import api_keys, ingestion, intake
from observability.api.events import body_of
from observability.models import ApiKey
from trainu import problem
from trainu.problem import Problem


@csrf_exempt
@require_POST
def batch(request: HttpRequest) -> HttpResponse:
    """Take in what the SDK sends to /batch/ (`{"api_key", "batch": [...]}`) or /capture/ (one event)."""
    try:
        return _take_in(request)
    except Problem as refusal:
        return problem.response(refusal.status, refusal.code, refusal.detail, retry_after=refusal.retry_after)
    except (OperationalError, InterfaceError) as error:
        return problem.database_away(error)


def _take_in(request: HttpRequest) -> HttpResponse:
    document = intake.parse(body_of(request))
    if not isinstance(document, dict):
        raise Problem(400, "malformed_body", "The body must be an object with api_key and batch or event.")
    key = document.get("api_key") or document.get("token")
    caller = api_keys.require(key if isinstance(key, str) else None, ApiKey.Scope.EVENTS_WRITE)
    backfill = ApiKey.Scope.EVENTS_BACKFILL in caller.scopes
    items = document.get("batch", [document])
    items = intake.items_of({"batch": items})
    now = timezone.now()
    read = intake.read_items([as_item(item) for item in items], now=now, backfill=backfill)
    answer = ingestion.finish(read, caller, now=now, source="posthog")
    body = {"status": "Ok", "accepted": answer.accepted, "duplicates": answer.duplicates}
    return HttpResponse(orjson.dumps(body | {"rejected": answer.rejected}), content_type="application/json")


def as_item(item: Any) -> Any:
    """Return a PostHog message as an item of our own API.

    The SDK's own context (properties that begin with $) is not ours to keep: it describes the sending
    machine. distinct_id may stand among the properties, as PostHog allows.
    """
    if not isinstance(item, dict):
        return item
    given = item.get("properties") or {}
    if not isinstance(given, dict):
        return {key: item[key] for key in _FIELDS if key in item}
    properties = {name: value for name, value in given.items() if not name.startswith("$")}
    if "distinct_id" not in item:
        item = item | {"distinct_id": properties.pop("distinct_id", given.get("$distinct_id"))}
    return {key: item[key] for key in _FIELDS if item.get(key) is not None} | {"properties": properties}


_FIELDS = ("event", "distinct_id", "properties", "timestamp", "uuid")
