"""/api/alert-rules: when somebody is told; other terms, tried on what has been before they are set.

The rule: trying writes nothing; a change is audited, and refused whole where its terms do not fit together.
"""

from copy import copy
from typing import Annotated, Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router
from pydantic import Field

from observability.alerts import rules
from observability.alerts.replay import back_test
from observability.api import alert_shapes as shapes
from observability.models import AlertRule, RuleState
from trainu.bounded_query import TooBroad, bounded
from trainu.problem import Problem, documented
from trainu.scopes import Scope, actor

router = Router(tags=["alerts"])

READ, WORK = "alerts:read", "alerts:work"
MOST_STATES = 100
MOST_FIRINGS = 200
MOST_DAYS = 90
TIME_LIMIT_MS = 10_000
_PHASES = {"firing": 0, "pending": 1, "ok": 2}
Code = Annotated[str, Query(max_length=40)]
# What is no finite number is refused as that, and not for its size.
Value = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
_ONE = documented({404: "There is no such rule."})


@router.get(
    "",
    auth=Scope(READ),
    response=list[shapes.RuleLine],
    summary="List alert rules",
    operation_id="list_alert_rules",
    openapi_extra=documented({}),
)
def list_rules(request: HttpRequest) -> list[dict[str, Any]]:
    """Return every rule with its terms, by severity."""
    return [shapes.rule(one) for one in AlertRule.objects.all()]


@router.get(
    "/{code}",
    auth=Scope(READ),
    response=shapes.RuleDetail,
    summary="One alert rule, and how it stands",
    operation_id="alert_rule",
    openapi_extra=_ONE,
)
def one_rule(request: HttpRequest, code: str) -> dict[str, Any]:
    """Return a rule with how it stands for each group."""
    return _detail(_found(code))


@router.patch(
    "/{code}",
    auth=Scope(WORK),
    response=shapes.RuleDetail,
    summary="Change a rule's terms",
    operation_id="change_alert_rule",
    openapi_extra=documented({404: "There is no such rule.", 422: "The terms do not fit together."}),
)
def change(request: HttpRequest, code: str, wanted: shapes.Terms) -> dict[str, Any]:
    """Change what is given; it holds from the next evaluation on, within a minute."""
    changes = _changes(wanted)
    try:
        return _detail(rules.change(_found(code), changes, by=actor(request), now=timezone.now()))
    except ValueError as error:
        raise Problem(422, "invalid_terms", str(error)) from None


@router.get(
    "/{code}/back-test",
    auth=Scope(READ),
    response=shapes.BackTestAnswer,
    summary="When would a rule have fired?",
    operation_id="back_test_alert_rule",
    openapi_extra=documented(
        {404: "There is no such rule.", 422: "The terms do not fit.", 503: "It takes too long to try."}
    ),
)
def try_terms(
    request: HttpRequest,
    code: str,
    threshold: Annotated[Value | None, Query(description="A share is from 0 to 1.")] = None,
    recovery: Annotated[Value | None, Query(description="Not beyond the threshold.")] = None,
    window_minutes: Annotated[int | None, Query(ge=1, le=10_080)] = None,
    for_minutes: Annotated[int | None, Query(ge=0, le=10_080)] = None,
    recovery_minutes: Annotated[int | None, Query(ge=0, le=10_080)] = None,
    min_sample: Annotated[int | None, Query(ge=0, le=1_000_000)] = None,
    min_bad: Annotated[int | None, Query(ge=0, le=1_000_000)] = None,
    days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = 30,
) -> dict[str, Any]:
    """Try terms on what was measured; those that are not given are the saved ones. Nothing is changed."""
    rule = copy(_found(code))
    for name, value in {
        "threshold": threshold,
        "recovery": recovery,
        "window_minutes": window_minutes,
        "for_minutes": for_minutes,
        "recovery_minutes": recovery_minutes,
        "min_sample": min_sample,
        "min_bad": min_bad,
    }.items():
        if value is not None:
            setattr(rule, name, value)
    try:
        rules.check_numbers(rule)
    except ValueError as error:
        raise Problem(422, "invalid_terms", str(error)) from None
    try:
        with bounded(TIME_LIMIT_MS):
            test = back_test(rule, now=timezone.now(), days=days)
    except TooBroad:
        raise Problem(503, "too_broad", "It takes too long to try. Ask for fewer days.") from None
    newest = sorted(test.firings, key=lambda one: one.began_at, reverse=True)
    return {
        "days": test.days,
        "measured_since": test.measured_since,
        "fired": len(newest),
        "is_cut": test.is_cut,
        "firings": [
            {name: getattr(one, name) for name in shapes.FiringLine.model_fields}
            for one in newest[:MOST_FIRINGS]
        ],
    }


def _found(code: str) -> AlertRule:
    found = AlertRule.objects.filter(pk=code.replace("\x00", "")).first()
    if found is None:
        raise Problem(404, "unknown_rule", "There is no such rule. /api/alert-rules lists them.")
    return found


def _changes(wanted: shapes.Terms) -> dict[str, Any]:
    given = wanted.model_dump(exclude_unset=True)
    if nothing := [name for name, value in given.items() if value is None]:
        raise Problem(422, "invalid_terms", f"Leave out what is to stay: {', '.join(sorted(nothing))}.")
    if given.get("window_minutes") == 0:
        raise Problem(422, "invalid_terms", "The window has one minute at least.")
    return given


def _detail(rule: AlertRule) -> dict[str, Any]:
    states = RuleState.objects.filter(rule=rule).order_by("phase", "group")[: 3 * MOST_STATES]
    worst_first = sorted(states, key=lambda one: (_PHASES[one.phase], one.group))
    return shapes.rule(rule) | {"states": [shapes.state(one) for one in worst_first[:MOST_STATES]]}
