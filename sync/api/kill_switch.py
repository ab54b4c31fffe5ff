"""/api/sync/kill-switch: whether messages are stopped, and stopping them.

The rule: an answer means committed; a second later no message leaves any host.
"""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema
from pydantic import ConfigDict, Field

from sync import kill_switch
from sync.stats import kill_switch as figures
from trainu.problem import Problem, documented
from trainu.scopes import Scope, actor

router = Router(tags=["sync"])


class Turn(Schema):
    model_config = ConfigDict(extra="forbid")

    is_on: bool = Field(description="true stops all messages, false lets them go again.")
    reason: str = Field(
        max_length=kill_switch.LONGEST_REASON, description="Why, for staff and the audit log."
    )


class Switch(Schema):
    is_on: bool
    since: datetime | None = Field(description="When it was turned last.")
    by: str = Field(description="Who turned it last, as the audit log names people and keys.")
    reason: str
    held: int = Field(description="Messages that are due and wait for it; 0 while it is off.")
    held_is_more: bool = Field(description="There may be more than could be counted quickly.")


class Turned(Switch):
    changed: bool = Field(description="false: it stood like this before, and keeps its reason.")


@router.get(
    "/kill-switch",
    auth=Scope("sync:read"),
    response=Switch,
    summary="Are messages stopped?",
    operation_id="kill_switch",
    openapi_extra=documented({}),
)
def stands(request: HttpRequest) -> dict[str, Any]:
    """Return how the kill switch stands, who turned it and why, and how much it holds."""
    return _line()


@router.post(
    "/kill-switch",
    auth=Scope("sync:kill"),
    response=Turned,
    summary="Stop all messages, or let them go again",
    operation_id="turn_kill_switch",
    openapi_extra=documented({422: "The reason is missing or does not fit."}),
)
def turn(request: HttpRequest, wanted: Turn) -> dict[str, Any]:
    """Turn the kill switch. What it holds loses no try and goes out when it is off."""
    verb = kill_switch.turn_on if wanted.is_on else kill_switch.turn_off
    try:
        changed = verb(wanted.reason, by=actor(request), now=timezone.now())
    except kill_switch.Refused as refusal:
        raise Problem(422, refusal.code, str(refusal)) from None
    return _line() | {"changed": changed}


def _line() -> dict[str, Any]:
    switch, figure = kill_switch.state(), figures.look(now=timezone.now()).held
    return {
        "is_on": switch.is_on,
        "since": switch.since,
        "by": switch.by,
        "reason": switch.reason,
        "held": figure.number,
        "held_is_more": figure.is_more,
    }
