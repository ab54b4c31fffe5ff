"""POST /api/webhooks/ghl: the door for GoHighLevel. The signature is the key; a workflow has its secret.

The rule: no answer is a 5xx, for that loses a webhook by one of GoHighLevel's two known policies. What
cannot be stored now is 429, which both send again.
"""

from collections.abc import Callable

import orjson
import structlog
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.utils import timezone
from ninja import Router

from sync.models.webhook import MAX_BYTES
from sync.webhooks import intake, workflow
from sync.webhooks.intake import Answer
from trainu import problem
from trainu.database import heal
from trainu.problem import Problem
from trainu.transactions import sqlstate

log = structlog.get_logger(__name__)

router = Router(tags=["webhooks"])

# GoHighLevel comes back after minutes, whatever it is told.
RETRY_S = 60
_BODY = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
}


@router.post(
    "/ghl", summary="Webhooks of the app", operation_id="receive_webhook", openapi_extra=_BODY, auth=None
)
def receive(request: HttpRequest) -> HttpResponse:
    """Store a webhook that GoHighLevel has signed (`X-GHL-Signature`: Ed25519 over the raw body, base64).

    200 means stored, or stored before, or not for us: `{"stored": true}` or `{"stored": false, "reason"}`.
    401: no valid signature. 429: it cannot be stored now; send the same again.
    """
    return _answered(lambda: intake.accept(_body_of(request), request.headers, now=timezone.now()))


@router.post(
    "/ghl/workflow/{secret}",
    summary="Webhooks of a location's workflows",
    operation_id="receive_workflow_webhook",
    openapi_extra=_BODY,
    auth=None,
)
def receive_from_workflow(request: HttpRequest, secret: str) -> HttpResponse:
    """Store what a workflow posts to its location's secret address; answers are as above."""
    return _answered(lambda: workflow.accept(_body_of(request), secret, now=timezone.now()))


def _answered(take: Callable[[], Answer]) -> HttpResponse:
    try:
        answer = take()
    except Problem:
        raise
    except (OperationalError, InterfaceError) as error:
        log.error("webhook_not_stored", sqlstate=sqlstate(error))
        heal(connection)
        return _later()
    except Exception:
        log.exception("webhook_not_stored")
        return _later()
    body = {"stored": answer.stored} | ({"reason": answer.reason} if answer.reason else {})
    return HttpResponse(orjson.dumps(body), content_type="application/json")


def _body_of(request: HttpRequest) -> bytes:
    """Return the raw body; one that declares itself too large is refused unread."""
    if _declared(request) > MAX_BYTES:
        raise intake.too_large()
    try:
        return request.body
    except RequestDataTooBig:
        raise intake.too_large() from None
    except UnreadablePostError:
        raise Problem(400, "body_cut_off", "The body ended too early. Send it again.") from None


def _declared(request: HttpRequest) -> int:
    declared = request.META.get("CONTENT_LENGTH") or "0"
    return int(declared) if declared.isdecimal() else 0


def _later() -> HttpResponse:
    return problem.response(
        429, "try_again", "It could not be stored now. Send the same again.", retry_after=RETRY_S
    )
