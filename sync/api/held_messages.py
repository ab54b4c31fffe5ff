"""/api/sync/held-messages: what the kill switch holds, in groups; releasing some of it, discarding some.
Seeing what a message says has a scope of its own.

The rule: an answer means committed. Nothing is taken that came after the moment a caller names.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router, Schema
from pydantic import ConfigDict, Field

from sync import kill_switch
from sync.dead_letters.refusal import Refused
from sync.dead_letters.wording import LONGEST_REASON
from sync.held_messages import deciding, groups, revealing
from sync.held_messages.chosen import Chosen, last_position
from trainu.bounded_query import TooBroad, bounded
from trainu.problem import Problem, documented
from trainu.scopes import Scope, actor

router = Router(tags=["sync"])
TIME_LIMIT_MS = 3_000


class Shape(Schema):
    channel: str = Field(description="SMS or Email; empty where nothing is left of the message.")
    characters: int = Field(description="Of the text, as its reader sees it.")
    words: int
    has_links: bool


class HeldGroup(Schema):
    location_id: str
    text: str = Field(description="As release and discard take it; alone: texts that nobody shares.")
    name: str = Field(description="What staff call the text: text 4f2a. Empty where nobody shares it.")
    messages: int
    texts: int = Field(description="How many different texts.")
    first_at: datetime
    last_at: datetime
    shape: Shape = Field(description="Of the oldest message's text.")
    correlation_id: str = Field(description="Under which the oldest was enqueued.")
    example: dict[str, Any] = Field(description="The payload of the oldest, masked.")


class Held(Schema):
    is_on: bool
    messages: int
    is_more: bool = Field(description="There are more than could be counted quickly.")
    released: int = Field(description="Released, and not gone yet.")
    until: int = Field(description="The last position now: give it back to leave alone what comes later.")
    groups: list[HeldGroup] = Field(description="The largest first, at most 50.")


class Which(Schema):
    model_config = ConfigDict(extra="forbid")

    location_id: str = Field(default="", max_length=64, description="Empty: of all locations.")
    text: str = Field(default="", max_length=20, description="Empty: all texts.")
    ids: list[UUID] = Field(default=[], max_length=deciding.MOST_NAMED, description="Of jobs.")
    until: int = Field(description="As the list of what is held has named it.")
    reason: str = Field(max_length=LONGEST_REASON, description="Why, for staff and the audit log.")


class Decision(Which):
    most: int = Field(description="How many, the oldest first.")


class Decided(Schema):
    messages: int = Field(description="How many it was done to.")
    left: int = Field(description="How many of the chosen are still held, counted to 5,000.")


class Revealed(Schema):
    job_id: UUID
    payload: dict[str, Any] = Field(description="As it is stored; empty when it was erased.")


@router.get(
    "/held-messages",
    auth=Scope("sync:kill"),
    response=Held,
    summary="What does the kill switch hold?",
    operation_id="held_messages",
    openapi_extra=documented({503: "Counting takes too long now."}),
)
def held(request: HttpRequest) -> dict[str, Any]:
    """Return held messages by location and text. While the switch is off, nothing is held."""
    switch = kill_switch.state()
    if not switch.is_on or switch.since is None:
        nothing = {"messages": 0, "is_more": False, "released": 0, "until": last_position(), "groups": []}
        return {"is_on": False} | nothing
    until = last_position()
    try:
        with bounded(TIME_LIMIT_MS):
            found = groups.held(switch.since)
    except TooBroad:
        raise Problem(503, "too_broad", "So many cannot be counted now. Try again in a minute.") from None
    return {
        "is_on": True,
        "messages": found.messages.number,
        "is_more": found.messages.is_more,
        "released": found.released.number,
        "until": until,
        "groups": found.groups,
    }


@router.post(
    "/held-messages/release",
    auth=Scope("sync:kill"),
    response=Decided,
    summary="Let some held messages go",
    operation_id="release_held_messages",
    openapi_extra=documented({422: "Nothing is chosen, too many are, or the reason is missing."}),
)
def release(request: HttpRequest, wanted: Decision) -> dict[str, Any]:
    """Let messages go although the switch is on, each once, at its location's rate; at most 1,000 at once."""
    return _decided(request, deciding.release, wanted)


@router.post(
    "/held-messages/discard",
    auth=Scope("sync:kill"),
    response=Decided,
    summary="Discard some held messages",
    operation_id="discard_held_messages",
    openapi_extra=documented({422: "Nothing is chosen, too many are, or the reason is missing."}),
)
def discard(request: HttpRequest, wanted: Decision) -> dict[str, Any]:
    """Never send messages; their dead letters can be restored. At most 5,000 at once."""
    return _decided(request, deciding.discard, wanted)


@router.post(
    "/held-messages/reveal",
    auth=Scope("sync:reveal"),
    response=Revealed,
    summary="See what a held message says",
    operation_id="reveal_held_message",
    openapi_extra=documented({422: "Nothing of it is held, or the reason is missing."}),
)
def reveal(request: HttpRequest, wanted: Which, response: HttpResponse) -> dict[str, Any]:
    """Return the oldest of the chosen, unmasked. Who has asked, and why, is in the audit log."""
    with _refusals():
        revealed = revealing.reveal(_chosen(wanted), wanted.reason, by=actor(request))
    response["Cache-Control"] = "no-store"
    return {"job_id": revealed.job_id, "payload": revealed.payload}


def _decided(request: HttpRequest, verb: Any, wanted: Decision) -> dict[str, Any]:
    with _refusals():
        done = verb(
            _chosen(wanted), most=wanted.most, reason=wanted.reason, by=actor(request), now=timezone.now()
        )
    return {"messages": done.messages, "left": done.left}


def _chosen(wanted: Which) -> Chosen:
    return Chosen(wanted.location_id.replace("\x00", ""), wanted.text, wanted.until, tuple(wanted.ids))


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except Refused as refusal:
        raise Problem(422, refusal.code, str(refusal)) from None
    except ValueError as error:
        raise Problem(422, "unknown_text", str(error)) from None
