"""/api/silences: what is told to nobody for a while, such as while something is deployed.

The rule: a silence has a reason and an end; ended early, it says by whom.
"""

from typing import Annotated, Any, Literal

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Status

from observability.alerts import cursors, incident_search, silences
from observability.api import alert_shapes as shapes
from observability.api.alert_shapes import Id
from observability.models import AlertRule, Silence
from trainu.problem import Problem, documented
from trainu.scopes import Scope, actor

router = Router(tags=["alerts"])

READ, WORK = "alerts:read", "alerts:work"
MOST = 100


@router.get(
    "",
    auth=Scope(READ),
    response=shapes.SilenceList,
    summary="List silences, those that end last first",
    operation_id="list_silences",
    openapi_extra=documented({422: "A parameter does not fit."}),
)
def list_silences(
    request: HttpRequest,
    state: Literal["holding", "over", "all"] = "holding",
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = MOST,
) -> dict[str, Any]:
    """Return up to 100 silences; without `state`, those that hold."""
    now = timezone.now()
    rows = Silence.objects.order_by("-ends_at", "-id")
    if state != "all":
        rows = rows.filter(ends_at__gt=now) if state == "holding" else rows.filter(ends_at__lte=now)
    if position := shapes.position(cursor):
        at, id = position
        rows = rows.filter(Q(ends_at__lt=at) | Q(ends_at=at, id__lt=id))
    found = list(rows[: limit + 1])
    last = found[limit - 1] if len(found) > limit else None
    return {
        "silences": [shapes.silence(one) for one in found[:limit]],
        "cursor": cursors.written((last.ends_at, last.pk)) if last else None,
    }


@router.post(
    "",
    auth=Scope(WORK),
    response={201: shapes.Begun},
    summary="Tell nobody for a while",
    operation_id="begin_silence",
    openapi_extra=documented({404: "There is no such rule.", 422: "Its reason or end does not fit."}),
)
def begin(request: HttpRequest, wanted: shapes.NewSilence) -> Status[dict[str, Any]]:
    """Silence a rule; null or "*": all of them, SEV1 too. Incidents open and are resolved as always."""
    rule = None
    if wanted.rule not in (None, "*"):
        rule = AlertRule.objects.filter(pk=str(wanted.rule).replace("\x00", "")).first()
        if rule is None:
            raise Problem(404, "unknown_rule", "There is no such rule. /api/alert-rules lists them.")
    try:
        begun = silences.begin(
            rule,
            wanted.group.replace("\x00", ""),
            reason=wanted.reason,
            ends_at=wanted.ends_at,
            by=actor(request),
            now=timezone.now(),
        )
    except silences.Refused as refusal:
        raise Problem(422, "invalid_silence", str(refusal)) from None
    is_known = not begun.group or incident_search.is_known(rule, begun.group)
    return Status(201, shapes.silence(begun) | {"is_group_known": is_known})


@router.post(
    "/{int:silence_id}/end",
    auth=Scope(WORK),
    response=shapes.Ended,
    summary="End a silence early",
    operation_id="end_silence",
    openapi_extra=documented({404: "There is no such silence."}),
)
def end(request: HttpRequest, silence_id: Id) -> dict[str, Any]:
    """End a silence now; what happens from now on is told again."""
    found = Silence.objects.filter(pk=silence_id).first()
    if found is None:
        raise Problem(404, "unknown_silence", "There is no such silence.")
    changed = silences.end(found, by=actor(request), now=timezone.now())
    found.refresh_from_db()
    return shapes.silence(found) | {"changed": changed}
