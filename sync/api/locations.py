"""/api/sync/locations: whether locations are worked for; paused, resumed, and how fast they may go.

The rule: the verbs are those of the admin, audited under the key that asked. Tokens are entered there alone.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import AwareDatetime, ConfigDict, Field

from sync import locations
from sync.api.workflow_addresses import Place
from sync.models import Location
from trainu.problem import Problem, documented
from trainu.scopes import Scope, actor

router = Router(tags=["locations"])

MOST = 100
_VERB = documented(
    {404: "There is no such location.", 409: "Its state does not allow it.", 422: "It does not fit."}
)
_CONFLICTS = {"misconfigured"}


class LocationLine(Schema):
    id: str
    name: str
    state: Literal["active", "paused", "misconfigured"]
    is_held: bool = Field(description="Whether nothing is sent for it now; no pause that ran out.")
    reason: str = Field(description="Why it is held.")
    paused_until: datetime | None
    burst_limit: int = Field(description="Requests in any ten seconds.")
    daily_limit: int = Field(description="Requests in a day (UTC).")


class LocationList(Schema):
    locations: list[LocationLine]
    after: str | None = Field(description="What to go on with, null at the end.")


class _Closed(Schema):
    model_config = ConfigDict(extra="forbid")


class Pause(_Closed):
    reason: str = Field(description="For whoever finds it paused.")
    until: AwareDatetime | None = Field(default=None, description="Default: until somebody resumes it.")


class Resume(_Closed):
    reason: str = Field(default="", max_length=locations.LONGEST_REASON)


class Limits(_Closed):
    burst_limit: int
    daily_limit: int
    reason: str = Field(default="", max_length=locations.LONGEST_REASON)


@router.get(
    "/locations",
    auth=Scope("sync:read"),
    response=LocationList,
    summary="Which locations are worked for?",
    operation_id="list_locations",
    openapi_extra=documented({}),
)
def list_locations(
    request: HttpRequest,
    after: str = "",
    limit: Annotated[int, Query(ge=1, le=MOST)] = MOST,
) -> dict[str, Any]:
    """Return up to 100 locations in the order of their ids. Pass `after` to go on."""
    rows = list(Location.objects.filter(pk__gt=after.replace("\x00", "")).order_by("pk")[: limit + 1])
    more = rows[limit - 1].pk if len(rows) > limit else None
    return {"locations": [_line(row) for row in rows[:limit]], "after": more}


@router.post(
    "/locations/{location_id}/pause",
    auth=Scope("sync:operate"),
    response=LocationLine,
    summary="Send nothing for a location",
    operation_id="pause_location",
    openapi_extra=_VERB,
)
def pause(request: HttpRequest, location_id: Place, wanted: Pause) -> dict[str, Any]:
    """Pause it until then, or until somebody resumes it. Jobs are taken in and wait; nothing is lost."""
    now = timezone.now()
    return _done(
        location_id,
        lambda: locations.pause(
            location_id, wanted.reason, until=wanted.until, now=now, actor=actor(request)
        ),
    )


@router.post(
    "/locations/{location_id}/resume",
    auth=Scope("sync:operate"),
    response=LocationLine,
    summary="Let a location go on",
    operation_id="resume_location",
    openapi_extra=_VERB,
)
def resume(request: HttpRequest, location_id: Place, wanted: Resume) -> dict[str, Any]:
    """Let its jobs go on. With a token that is still refused it is held again."""
    return _done(
        location_id, lambda: locations.resume(location_id, reason=wanted.reason, actor=actor(request))
    )


@router.post(
    "/locations/{location_id}/limits",
    auth=Scope("sync:operate"),
    response=LocationLine,
    summary="Change how fast a location may go",
    operation_id="limit_location",
    openapi_extra=_VERB,
)
def limits(request: HttpRequest, location_id: Place, wanted: Limits) -> dict[str, Any]:
    """Set its limits; they hold for the next claim of every lane."""
    return _done(
        location_id,
        lambda: locations.edit_limits(location_id, **wanted.model_dump(), actor=actor(request)),
    )


def _done(location_id: str, verb: Callable[[], object]) -> dict[str, Any]:
    try:
        verb()
    except locations.Refused as refusal:
        status = 404 if refusal.code == "unknown_location" else 409 if refusal.code in _CONFLICTS else 422
        raise Problem(status, refusal.code, str(refusal)) from None
    return _line(Location.objects.get(pk=location_id))


def _line(row: Location) -> dict[str, Any]:
    is_held = locations.is_held(row, timezone.now())
    return {
        "id": row.pk,
        "name": row.name,
        "state": row.state,
        "is_held": is_held,
        "reason": row.state_reason if is_held else "",
        "paused_until": row.paused_until,
        "burst_limit": row.burst_limit,
        "daily_limit": row.daily_limit,
    }
