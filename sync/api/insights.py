"""/api/insights: what the agent has found out about a client, for the trainer.

The rule: 202 means committed. Nothing of what was said is in an error.
"""

from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema, Status
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from sync.api import bodies
from sync.api.draft_shapes import Key, PersonId
from sync.api.job_shapes import LocationId
from sync.drafts import insights
from sync.drafts.refusal import Refused
from trainu.problem import Problem, documented
from trainu.scopes import Scope

router = Router(tags=["drafts"])

MAX_BYTES = 16 * 1024


class NewInsight(BaseModel):
    """Something that was found out. Send the same idempotency_key again when you retry."""

    model_config = ConfigDict(strict=True, extra="forbid")

    trainer_id: PersonId = Field(description="The trainer it is for.")
    client_id: PersonId = Field(description="The client it is about.")
    kind: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,39}$")] = Field(
        description="A word: attendance, progress, risk."
    )
    text: Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")] = Field(
        default="", description="In a sentence, for the trainer."
    )
    impact: int = Field(default=insights.DEFAULT_IMPACT, ge=0, le=100)
    contact_id: PersonId | None = Field(default=None, description="The client in GoHighLevel.")
    location_id: LocationId | None = Field(default=None, description="The client's location there.")
    idempotency_key: Key | None = Field(
        default=None, description="Your own name for this insight, unique for its trainer."
    )


class TakenInsight(Schema):
    """duplicate: the idempotency key was known, and this is the insight it belongs to."""

    insight_id: UUID
    duplicate: bool


@router.post(
    "",
    auth=Scope("drafts:write"),
    response={202: TakenInsight},
    summary="Tell what the agent has found out",
    operation_id="add_insight",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": NewInsight.model_json_schema()}},
        },
        **documented(
            {
                400: "The body is no JSON.",
                409: "The idempotency key belongs to another insight.",
                413: "Over 16 KiB.",
                415: "The body is encoded.",
                422: "The insight does not fit; `code`, `detail` and `errors` say where.",
            }
        ),
    },
)
def add(request: HttpRequest) -> Status[dict[str, Any]]:
    """Keep an insight for the trainer's weekly digest, and count it: the event insight_created."""
    wanted = bodies.read(request, NewInsight, most_bytes=MAX_BYTES, what="An insight")
    given = {name: value for name, value in wanted.model_dump().items() if value is not None}
    try:
        taken = insights.add(**given, now=timezone.now())
    except Refused as refusal:
        status = 409 if refusal.code == "idempotency_key_reused" else 422
        raise Problem(status, refusal.code, str(refusal)) from None
    return Status(202, {"insight_id": taken.insight_id, "duplicate": taken.is_duplicate})
