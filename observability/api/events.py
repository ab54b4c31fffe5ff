"""POST /api/events: the door for TrainU's apps."""

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router

from observability import ingestion, intake
from observability.ingestion import Answer
from observability.models import ApiKey
from trainu.scopes import Scope

router = Router(tags=["events"])


def render(answer: Answer) -> HttpResponse:
    """Return the JSON answer to a batch."""
    body = {"accepted": answer.accepted, "duplicates": answer.duplicates, "rejected": answer.rejected}
    return HttpResponse(orjson.dumps(body), status=answer.status, content_type="application/json")


def body_of(request: HttpRequest) -> bytes:
    """Return the unpacked body; one that declares itself too large is refused unread."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > intake.MAX_BYTES:
        raise ingestion.too_large()
    return ingestion.unpack(request.body, request.headers.get("Content-Encoding", ""))


@router.post(
    "",
    # Each event counts, which ingestion sees to.
    auth=Scope(ApiKey.Scope.EVENTS_WRITE, cost=0),
    summary="Report one event or a batch",
    operation_id="report_events",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/EventsBody"}}},
        },
    },
)
def report(request: HttpRequest) -> HttpResponse:
    """Store one event, or `{"batch": [...]}` of up to 1,000 and 5 MiB (gzip allowed).

    200 means committed. The same uuid again is a duplicate, so a resend is safe. Items that are wrong
    are refused one by one, each with its reason, and kept for staff; the others are stored.
    """
    answer = ingestion.accept(body_of(request), request.auth, now=timezone.now())  # type: ignore[attr-defined]
    return render(answer)
