"""What the API takes and says of drafts: shapes, and rows put into them.

The rule: what is taken is closed and bounded. A text is personal: it is in the answer about one draft, for
whoever may read drafts, and in no list; what the app once told of the client is in none.
"""

import math
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from sync import kill_switch
from sync.api.job_shapes import LocationId
from sync.api.letter_shapes import Closed, Moment
from sync.drafts import delivery
from sync.drafts.deciding import LONGEST_EMAIL, LONGEST_HINT, LONGEST_REASON, LONGEST_SUBJECT, MOST_AT_ONCE
from sync.drafts.llm import errors as llm_errors
from sync.models import Draft, DraftAttempt

PersonId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
Kind = Literal[
    "booking_confirmation",
    "booking_reminder",
    "booking_reschedule",
    "no_show_recovery",
    "progress_celebration",
    "weekly_checkin",
    "at_risk_outreach",
    "general_reply",
]
Channel = Literal["sms", "email"]
State = Literal["waiting", "writing", "review", "failed", "scheduled", "sent", "undelivered", "dismissed"]
# PostgreSQL keeps no NUL.
_NO_NUL = r"^[^\x00]*$"
# To be given back as it is: other moments are told to the millisecond.
Exact = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
_DEEPEST = 20


def _storable(context: dict[str, Any]) -> dict[str, Any]:
    """Return a context that can be stored as JSON; raises ValueError, and says nothing of what is in it."""
    level: list[Any] = [context]
    for _ in range(_DEEPEST):
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                inner += [*one, *one.values()]
            elif isinstance(one, list):
                inner += one
            elif isinstance(one, str) and "\x00" in one:
                raise ValueError("A text in it has a NUL character.")
            elif isinstance(one, float) and not math.isfinite(one):
                raise ValueError("A number in it is too large.")
        if not inner:
            return context
        level = inner
    raise ValueError(f"It has more than {_DEEPEST} levels.")


class NewDraft(BaseModel):
    """A message to be drafted. Send the same idempotency_key again when you retry: it is the same draft."""

    model_config = ConfigDict(strict=True, extra="forbid")

    trainer_id: PersonId = Field(description="The trainer in whose name it is written.")
    client_id: PersonId = Field(description="The client, as TrainU calls them.")
    contact_id: PersonId = Field(description="The client, as GoHighLevel calls them.")
    location_id: LocationId = Field(description="GoHighLevel's id of the location it is sent from.")
    channel: Channel = Field(description="How it is to be sent.")
    kind: Kind = Field(description="What it is for.")
    context: Annotated[dict[str, Any], AfterValidator(_storable)] = Field(
        default={},
        description=(
            "What is known, all of it optional: client (first_name, last_name, name, email, phone,"
            " time_zone), trainer (name), booking (starts_at, title, location, previous_starts_at), reason"
            " (why it is suggested), impact (0 to 100), notes, last_message, goal. What stands under client"
            " and trainer does not go to the language model."
        ),
    )
    idempotency_key: Key | None = Field(
        default=None, description="Your own name for this draft, unique in its location."
    )


class For(Closed):
    trainer_id: PersonId | None = Field(
        default=None, description="For whom you act: drafts of other trainers are then unknown."
    )


class Approve(For):
    """Without text and subject, it goes as it stands."""

    text: str | None = Field(default=None, max_length=LONGEST_EMAIL, pattern=_NO_NUL)
    subject: str | None = Field(default=None, max_length=LONGEST_SUBJECT, pattern=_NO_NUL)
    seen_act_at: Moment | None = Field(
        default=None, description="Of a stale draft: client_acted_at, as the person has seen it."
    )


class Regenerate(For):
    hint: str = Field(default="", max_length=LONGEST_HINT, pattern=_NO_NUL)


class Snooze(For):
    length: Literal["1h", "4h", "24h", "3d"]


class Dismiss(For):
    reason: str = Field(max_length=LONGEST_REASON, pattern=_NO_NUL, description="Why it is not sent.")


class ChosenDraft(Closed):
    draft_id: UUID
    seen_act_at: Moment | None = None


class ApproveMany(For):
    drafts: list[ChosenDraft] = Field(min_length=1, max_length=MOST_AT_ONCE)


class TakenDraft(Schema):
    """duplicate: the idempotency key was known, and this is the draft it belongs to."""

    draft_id: UUID
    state: State
    duplicate: bool


class DraftLine(Schema):
    """A draft in a list. code: why its last try failed. is_stale: the client has acted since it was begun."""

    draft_id: UUID
    trainer_id: str
    client_id: str
    contact_id: str
    location_id: str
    channel: Channel
    kind: Kind
    state: State
    impact: int
    code: str
    is_stale: bool
    client_acted_at: Exact | None = Field(description="Give it back as seen_act_at to approve a stale one.")
    edited: bool
    created_at: datetime
    written_at: datetime | None
    snoozed_until: datetime | None
    approved_at: datetime | None
    send_at: datetime | None = Field(description="Before which it does not go.")
    held_by: str = Field(description="Why it waits: quiet_hours, daily_cap.")
    sent_at: datetime | None
    ended_at: datetime | None
    correlation_id: str


class DraftTry(Schema):
    """A call of the language model. Nothing of what was said."""

    round: int
    number: int
    began_at: datetime
    duration_ms: float | None
    outcome: str
    code: str
    model: str
    prompt_tokens: int | None
    answer_tokens: int | None


class DraftDetail(DraftLine):
    """A draft. words: why it waits or failed, in plain words. written_text: as the model wrote it.

    client_act: what the client did last. attempts: newest first.
    """

    words: str
    why: str = Field(description="Why it was suggested.")
    hint: str
    subject: str
    text: str
    written_subject: str
    written_text: str
    client_act: str
    round: int
    approved_by: str
    dismissed_reason: str
    job_id: UUID | None
    attempts: list[DraftTry]


class DraftList(Schema):
    """Drafts, newest first. cursor: for the next page, null at the end."""

    drafts: list[DraftLine]
    cursor: str | None


class ApprovedOne(Schema):
    """code, words: why it was not approved; empty where it was."""

    draft_id: UUID
    approved: bool
    code: str
    words: str


class ApprovedMany(Schema):
    outcomes: list[ApprovedOne]


def line(draft: Draft) -> dict[str, Any]:
    """Return a draft as a DraftLine."""
    acted_at = draft.client_acted_at
    return {name: getattr(draft, name) for name in DraftLine.model_fields if hasattr(draft, name)} | {
        "draft_id": draft.pk,
        "client_acted_at": acted_at.astimezone(UTC).isoformat() if acted_at else None,
    }


def detail(draft: Draft, tried: list[DraftAttempt]) -> dict[str, Any]:
    """Return a draft, with its location, as a DraftDetail. tried: its attempts, newest first."""
    own = {name: getattr(draft, name) for name in DraftDetail.model_fields if name in _OWN}
    attempts = [{name: getattr(one, name) for name in DraftTry.model_fields} for one in tried]
    return line(draft) | own | {"words": _words(draft), "attempts": attempts}


_OWN = set(DraftDetail.model_fields) - set(DraftLine.model_fields) - {"words", "attempts"}


def _words(draft: Draft) -> str:
    if draft.state == Draft.State.FAILED:
        return llm_errors.words(draft.code)
    since = kill_switch.held_since() if draft.state == Draft.State.SCHEDULED else None
    return delivery.words(draft, stopped_since=since)
