"""Appointments: create, update, cancel, delete.

The rule: nobody is booked twice. A new appointment carries its job's marker in its description; another
one of the same contact at the same time that does not show the marker makes the lookup say it cannot tell.
"""

from datetime import timedelta
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from sync.ghl import reads
from sync.ghl.errors import is_gone
from sync.ghl.lookup import CANNOT_TELL, NOT_FOUND, TARGET_GONE, Steps, agrees, found, instant
from sync.ghl.operations.operation import Operation, Sought, marked
from sync.ghl.operations.payload import LEFT_OUT, Id, Line, Moment, Payload, Prose
from sync.ghl.request import Request, Version, path
from sync.ghl.response import id_at, object_at, objects_at

# What requests say about how to do it, and what no appointment shows afterwards.
_MANNER = {"toNotify", "ignoreDateRange", "ignoreFreeSlotValidation", "meetingLocationType"}
# Far enough around the start to find an appointment that was moved by a misread zone.
_AROUND = timedelta(hours=26)


class AppointmentFields(Payload):
    end_at: Moment = Field(default=LEFT_OUT, alias="endTime", description="Its end.")
    title: Line = Field(default=LEFT_OUT, description="Title.")
    description: Prose = Field(default=LEFT_OUT, description="Description.")
    address: Line = Field(default=LEFT_OUT, description="Where it takes place.")
    meeting_location_type: Literal["custom", "zoom", "gmeet", "phone", "address", "ms_teams", "google"] = (
        Field(default=LEFT_OUT, description="Kind of place.")
    )
    assigned_user_id: Id = Field(
        default=LEFT_OUT, description="The trainer's user; some calendars require it."
    )
    notify: bool = Field(
        default=LEFT_OUT, alias="toNotify", description="False: GoHighLevel's automations stay quiet."
    )
    ignore_date_range: bool = Field(
        default=LEFT_OUT, description="True: also at notice shorter than the calendar's."
    )
    ignore_free_slot_validation: bool = Field(
        default=LEFT_OUT, description="True: also where no slot is free."
    )


class CreatePayload(AppointmentFields):
    calendar_id: Id = Field(description="The calendar in GoHighLevel.")
    contact_id: Id = Field(description="The contact in GoHighLevel.")
    start_at: Moment = Field(alias="startTime", description="Its start.")
    status: Literal["new", "confirmed"] = Field(
        default=LEFT_OUT,
        alias="appointmentStatus",
        description="Its status; without it, the calendar's rule.",
    )


class AppointmentPayload(Payload):
    appointment_id: Id = Field(description="The appointment in GoHighLevel.")


class UpdatePayload(AppointmentFields):
    appointment_id: Id = Field(description="The appointment in GoHighLevel.")
    calendar_id: Id = Field(default=LEFT_OUT, description="Another calendar.")
    start_at: Moment = Field(default=LEFT_OUT, alias="startTime", description="Its start.")
    status: Literal["new", "confirmed", "cancelled", "showed", "noshow", "invalid"] = Field(
        default=LEFT_OUT, alias="appointmentStatus", description="Its status."
    )

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set - {"appointment_id"}:
            raise ValueError("Give at least one field to change.")
        return self


class CancelPayload(AppointmentPayload):
    notify: bool = Field(
        default=LEFT_OUT, alias="toNotify", description="False: GoHighLevel's automations stay quiet."
    )


class Create(Operation[CreatePayload]):
    """Book an appointment for a contact."""

    name = "appointment.create"
    payload = CreatePayload
    repeatable = False
    creates = True
    gives = {"appointment_id": ("id",), "contact_id": ("contactId",)}
    needs = frozenset({"appointment_id"})

    @classmethod
    def request(cls, payload: CreatePayload, location_id: str, mark: str) -> Request:
        text = payload.description if "description" in payload.model_fields_set else None
        body = {"locationId": location_id, **payload.wire(), "description": marked(text, mark)}
        return Request("POST", "/calendars/events/appointments", Version.CALENDARS, body=body)

    @classmethod
    def look_up(cls, payload: CreatePayload, sought: Sought) -> Steps:
        start, end = payload.start_at - _AROUND, payload.start_at + _AROUND
        answer = yield reads.events(sought.location_id, start=start, end=end, calendar_id=payload.calendar_id)
        if not isinstance(answer.body, dict) or not isinstance(answer.body.get("events"), list):
            return CANNOT_TELL
        others = []
        for event in objects_at(answer.body, "events"):
            if _carries(event, sought.mark):
                return found(appointment_id=id_at(event, "id"), contact_id=id_at(event, "contactId"))
            if event.get("contactId") == payload.contact_id and id_at(event, "id") not in sought.claimed:
                others.append(event)
        for event in others:
            if instant(event.get("startTime")) in {None, payload.start_at}:
                return CANNOT_TELL
        return NOT_FOUND


class Update(Operation[UpdatePayload]):
    """Move or change an appointment. Fields that are not given stay as they are."""

    name = "appointment.update"
    payload = UpdatePayload
    gives = {"appointment_id": ("id",)}

    @classmethod
    def request(cls, payload: UpdatePayload, location_id: str, mark: str) -> Request:
        return _edit(payload.appointment_id, payload.wire("appointment_id"))

    @classmethod
    def ordering_key(cls, payload: UpdatePayload) -> str:
        return f"appointment:{payload.appointment_id}"

    @classmethod
    def writes(cls, payload: UpdatePayload) -> frozenset[str]:
        how = {"notify", "ignore_date_range", "ignore_free_slot_validation"}
        return frozenset(payload.model_fields_set - {"appointment_id"} - how)

    @classmethod
    def look_up(cls, payload: UpdatePayload, sought: Sought) -> Steps:
        return (yield from _compare(payload.appointment_id, payload.wire("appointment_id")))


class Cancel(Operation[CancelPayload]):
    """Cancel an appointment. It stays in the calendar as cancelled."""

    name = "appointment.cancel"
    payload = CancelPayload
    gives = {"appointment_id": ("id",)}

    @classmethod
    def request(cls, payload: CancelPayload, location_id: str, mark: str) -> Request:
        return _edit(
            payload.appointment_id, {**payload.wire("appointment_id"), "appointmentStatus": "cancelled"}
        )

    @classmethod
    def ordering_key(cls, payload: CancelPayload) -> str:
        return f"appointment:{payload.appointment_id}"

    @classmethod
    def writes(cls, payload: CancelPayload) -> frozenset[str]:
        return frozenset({"status"})

    @classmethod
    def look_up(cls, payload: CancelPayload, sought: Sought) -> Steps:
        return (yield from _compare(payload.appointment_id, {"appointmentStatus": "cancelled"}))


class Delete(Operation[AppointmentPayload]):
    """Delete an appointment from the calendar. Cancelling keeps it visible; prefer that."""

    name = "appointment.delete"
    payload = AppointmentPayload
    gone_is_done = True

    @classmethod
    def request(cls, payload: AppointmentPayload, location_id: str, mark: str) -> Request:
        where = path("/calendars/events/{id}", id=payload.appointment_id)
        return Request("DELETE", where, Version.CALENDARS, body={})

    @classmethod
    def ordering_key(cls, payload: AppointmentPayload) -> str:
        return f"appointment:{payload.appointment_id}"

    @classmethod
    def writes(cls, payload: AppointmentPayload) -> frozenset[str]:
        return frozenset({"*"})

    @classmethod
    def look_up(cls, payload: AppointmentPayload, sought: Sought) -> Steps:
        answer = yield reads.appointment(payload.appointment_id)
        event = object_at(answer.body, "event")
        if is_gone(answer) or event.get("deleted") is True:
            return found(appointment_id=payload.appointment_id)
        return NOT_FOUND if event else CANNOT_TELL


def _edit(appointment_id: str, body: dict[str, Any]) -> Request:
    where = path("/calendars/events/appointments/{id}", id=appointment_id)
    return Request("PUT", where, Version.CALENDARS, body=body)


def _carries(event: dict[str, Any], mark: str) -> bool:
    return any(mark in str(event.get(name)) for name in ("description", "notes"))


def _compare(appointment_id: str, sent: dict[str, Any]) -> Steps:
    answer = yield reads.appointment(appointment_id)
    if is_gone(answer):
        return TARGET_GONE
    event = object_at(answer.body, "event")
    agreed = agrees({name: value for name, value in sent.items() if name not in _MANNER}, event)
    if agreed is None:
        return CANNOT_TELL
    return found(appointment_id=appointment_id) if agreed else NOT_FOUND
