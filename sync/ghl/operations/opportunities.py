"""Opportunities: upsert and status.

The rule: an upsert counts as not repeatable, for without an id it can make a second opportunity where
the location allows several for one contact.
"""

from typing import Literal

from pydantic import Field

from sync.ghl import reads
from sync.ghl.errors import is_gone
from sync.ghl.lookup import CANNOT_TELL, NOT_FOUND, TARGET_GONE, Steps, agrees, found
from sync.ghl.operations.operation import Operation, Sought
from sync.ghl.operations.payload import LEFT_OUT, Amount, Id, Line, Payload
from sync.ghl.request import Request, Version, path
from sync.ghl.response import id_at, object_at, objects_at

Status = Literal["open", "won", "lost", "abandoned"]


class UpsertPayload(Payload):
    pipeline_id: Id = Field(description="The pipeline in GoHighLevel.")
    contact_id: Id = Field(description="The contact in GoHighLevel.")
    opportunity_id: Id = Field(
        default=LEFT_OUT, alias="id", description="The opportunity, to change a known one."
    )
    name: Line = Field(description="Its name.")
    status: Status = Field(default=LEFT_OUT, description="Its status.")
    pipeline_stage_id: Id = Field(default=LEFT_OUT, description="The stage in the pipeline.")
    monetary_value: Amount = Field(default=LEFT_OUT, description="Its value, in the location's currency.")
    assigned_to: Id = Field(default=LEFT_OUT, description="The user in GoHighLevel who owns it.")


class StatusPayload(Payload):
    opportunity_id: Id = Field(description="The opportunity in GoHighLevel.")
    status: Status = Field(description="Its new status.")
    lost_reason_id: Id = Field(default=LEFT_OUT, description="Why it was lost.")


class Upsert(Operation[UpsertPayload]):
    """Create an opportunity of a contact in a pipeline, or change it."""

    name = "opportunity.upsert"
    payload = UpsertPayload
    repeatable = False
    creates = True
    gives = {"opportunity_id": ("opportunity", "id")}
    needs = frozenset({"opportunity_id"})

    @classmethod
    def request(cls, payload: UpsertPayload, location_id: str, mark: str) -> Request:
        body = {"locationId": location_id, **payload.wire()}
        return Request("POST", "/opportunities/upsert", Version.OPPORTUNITIES, body=body)

    @classmethod
    def ordering_key(cls, payload: UpsertPayload) -> str:
        if "opportunity_id" in payload.model_fields_set:
            return f"opportunity:{payload.opportunity_id}"
        return f"opportunities:{payload.contact_id}:{payload.pipeline_id}"

    @classmethod
    def writes(cls, payload: UpsertPayload) -> frozenset[str]:
        return frozenset(payload.model_fields_set - {"opportunity_id", "contact_id"})

    @classmethod
    def look_up(cls, payload: UpsertPayload, sought: Sought) -> Steps:
        sent = payload.wire("opportunity_id")
        if "opportunity_id" in payload.model_fields_set:
            answer = yield reads.opportunity(payload.opportunity_id)
            if is_gone(answer):
                return TARGET_GONE
            there = [object_at(answer.body, "opportunity")]
        else:
            answer = yield reads.opportunities(sought.location_id, payload.contact_id, payload.pipeline_id)
            if not isinstance(answer.body, dict) or not isinstance(answer.body.get("opportunities"), list):
                return CANNOT_TELL
            there = objects_at(answer.body, "opportunities")
        agreed = [agrees(sent, opportunity) for opportunity in there]
        for opportunity, same in zip(there, agreed, strict=True):
            if same:
                return found(opportunity_id=id_at(opportunity, "id"))
        return CANNOT_TELL if None in agreed else NOT_FOUND


class SetStatus(Operation[StatusPayload]):
    """Mark an opportunity as open, won, lost or abandoned."""

    name = "opportunity.status"
    payload = StatusPayload

    @classmethod
    def request(cls, payload: StatusPayload, location_id: str, mark: str) -> Request:
        where = path("/opportunities/{id}/status", id=payload.opportunity_id)
        return Request("PUT", where, Version.OPPORTUNITIES, body=payload.wire("opportunity_id"))

    @classmethod
    def ordering_key(cls, payload: StatusPayload) -> str:
        return f"opportunity:{payload.opportunity_id}"

    @classmethod
    def writes(cls, payload: StatusPayload) -> frozenset[str]:
        return frozenset({"status"})

    @classmethod
    def look_up(cls, payload: StatusPayload, sought: Sought) -> Steps:
        answer = yield reads.opportunity(payload.opportunity_id)
        if is_gone(answer):
            return TARGET_GONE
        agreed = agrees({"status": payload.status}, object_at(answer.body, "opportunity"))
        if agreed is None:
            return CANNOT_TELL
        return found(opportunity_id=payload.opportunity_id) if agreed else NOT_FOUND
