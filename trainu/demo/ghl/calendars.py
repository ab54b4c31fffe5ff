"""Appointments: booked, moved, confirmed, cancelled, missed, deleted; lists by range and by contact.

The rule: a change always moves dateUpdated forward, and every change is told by a webhook, whoever made
it. Times are kept as moments and shown in the location's zone; one list shows them without any zone.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from trainu.demo.ghl import payloads
from trainu.demo.ghl.access import home, of_location
from trainu.demo.ghl.call import Call, Document, Refused
from trainu.demo.ghl.route import Route
from trainu.demo.ghl.shape import Shape
from trainu.demo.ghl.state import Location, World, iso_ms

VERSION = "2021-04-15"
SLOT_MS = 30 * 60_000
STATUSES = ("new", "confirmed", "cancelled", "showed", "noshow", "invalid")
_GONE = {"cancelled", "invalid"}
_FIELDS: dict[str, type] = {
    "title": str,
    "meetingLocationType": str,
    "meetingLocationId": str,
    "overrideLocationConfig": bool,
    "appointmentStatus": str,
    "assignedUserId": str,
    "description": str,
    "address": str,
    "ignoreDateRange": bool,
    "toNotify": bool,
    "ignoreFreeSlotValidation": bool,
    "rrule": str,
    "calendarId": str,
    "startTime": str,
    "endTime": str,
}
_CHOICES = {"appointmentStatus": STATUSES}
_CREATE = Shape(
    _FIELDS | {"locationId": str, "contactId": str},
    required=("calendarId", "locationId", "contactId", "startTime"),
    choices=_CHOICES,
    status=400,
    closed=False,
)
_UPDATE = Shape(_FIELDS, choices=_CHOICES, status=400, closed=False)
_KEPT = ("title", "appointmentStatus", "assignedUserId", "description", "address", "calendarId", "rrule")


def book(world: World, location: Location, fields: Document, *, via: str) -> Document:
    """Create an appointment; raise Refused (400) for a bad time, calendar or contact."""
    if fields["calendarId"] not in location.calendars:
        raise Refused(400, "The calendar was not found.")
    if fields["contactId"] not in location.contacts:
        raise Refused(400, "The contact was not found.")
    start_ms = _moment(fields["startTime"], location.zone)
    end_ms = _moment(fields["endTime"], location.zone) if fields.get("endTime") else start_ms + SLOT_MS
    now = _now(world)
    appointment: Document = {
        "id": world.new_id(),
        "locationId": location.id,
        "contactId": fields["contactId"],
        "title": "Appointment",
        "appointmentStatus": "confirmed",
        "assignedUserId": location.users[0],
        "address": "",
        "description": "",
        **{name: fields[name] for name in _KEPT if fields.get(name) is not None},
        "start_ms": start_ms,
        "end_ms": end_ms,
        "added_ms": now,
        "updated_ms": now,
        "source": "calendar" if via == "staff" else "third_party",
    }
    _keep_slot_free(world, location, appointment, fields)
    location.appointments[appointment["id"]] = appointment
    world.home[appointment["id"]] = location
    if via != "staff":
        world.ledger.created("appointment", f"{appointment['description']} {appointment['title']}")
    world.ledger.wrote(appointment["id"], fields, via=via, at=world.clock.now())
    _tell(world, location, appointment, "AppointmentCreate", twin=True)
    return appointment


def change(
    world: World, location: Location, appointment: Document, fields: Document, *, via: str
) -> Document:
    """Change an appointment; a new start without an end keeps the length."""
    changed = appointment | {name: fields[name] for name in _KEPT if fields.get(name) is not None}
    if changed["calendarId"] not in location.calendars:
        raise Refused(400, "The calendar was not found.")
    if fields.get("startTime"):
        changed["start_ms"] = _moment(fields["startTime"], location.zone)
        changed["end_ms"] = changed["start_ms"] + appointment["end_ms"] - appointment["start_ms"]
    if fields.get("endTime"):
        changed["end_ms"] = _moment(fields["endTime"], location.zone)
    _keep_slot_free(world, location, changed, fields)
    appointment.update(changed)
    step = world.settings.date_resolution_ms
    now = _now(world)
    # Two changes in one millisecond still follow one another; whole seconds may well be equal.
    appointment["updated_ms"] = max(now, appointment["updated_ms"] + 1) if step == 1 else now
    world.ledger.wrote(appointment["id"], fields, via=via, at=world.clock.now())
    _tell(world, location, appointment, "AppointmentUpdate")
    return appointment


def remove(world: World, location: Location, appointment: Document, *, via: str) -> None:
    """Delete an appointment."""
    del location.appointments[appointment["id"]]
    del world.home[appointment["id"]]
    appointment["updated_ms"] = max(_now(world), appointment["updated_ms"] + 1)
    world.ledger.wrote(appointment["id"], {"deleted": True}, via=via, at=world.clock.now())
    _tell(world, location, appointment, "AppointmentDelete", twin=True)


def shown(location: Location, appointment: Document) -> Document:
    """Return an appointment as the calendar shows it, its times with the zone's offset."""
    zone = location.zone
    return {
        "id": appointment["id"],
        "address": appointment["address"],
        "title": appointment["title"],
        "calendarId": appointment["calendarId"],
        "locationId": appointment["locationId"],
        "contactId": appointment["contactId"],
        "groupId": "",
        "appointmentStatus": appointment["appointmentStatus"],
        "assignedUserId": appointment["assignedUserId"],
        "users": [appointment["assignedUserId"]],
        "notes": appointment["description"],
        "description": appointment["description"],
        "isRecurring": bool(appointment.get("rrule")),
        "startTime": _in_zone(appointment["start_ms"], zone),
        "endTime": _in_zone(appointment["end_ms"], zone),
        "dateAdded": _in_zone(appointment["added_ms"], zone),
        "dateUpdated": _in_zone(appointment["updated_ms"], zone),
        "assignedResources": [],
        "createdBy": {"userId": "", "source": appointment["source"]},
    }


def _moment(text: str, zone: ZoneInfo) -> int:
    try:
        return iso_ms(text, zone)
    except ValueError:
        raise Refused(400, ["startTime and endTime must be valid ISO 8601 dates"]) from None


def _now(world: World) -> int:
    step = world.settings.date_resolution_ms
    return world.now_ms() // step * step


def _in_zone(at_ms: int, zone: ZoneInfo) -> str:
    """Return an ISO time with offset, with milliseconds where there are any."""
    spec = "milliseconds" if at_ms % 1000 else "seconds"
    return datetime.fromtimestamp(at_ms / 1000, zone).isoformat(timespec=spec)


def _without_zone(at_ms: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at_ms / 1000, zone).strftime("%Y-%m-%d %H:%M:%S")


def _keep_slot_free(world: World, location: Location, wanted: Document, fields: Document) -> None:
    if not world.settings.check_slots or fields.get("ignoreFreeSlotValidation"):
        return
    if wanted["appointmentStatus"] in _GONE:
        return
    for one in location.appointments.values():
        same = one["calendarId"] == wanted["calendarId"] and one["id"] != wanted["id"]
        overlaps = one["start_ms"] < wanted["end_ms"] and wanted["start_ms"] < one["end_ms"]
        if same and overlaps and one["appointmentStatus"] not in _GONE:
            raise Refused(400, "The slot you have selected is no longer available.")


def _tell(world: World, location: Location, one: Document, kind: str, *, twin: bool = False) -> None:
    def payload() -> Document:
        return payloads.appointment(shown(location, one), source=one["source"])

    world.emit(kind, location.id, payload)
    if twin and world.settings.twin_webhooks:
        world.emit("AppointmentUpdate", location.id, payload)


def _answer(location: Location, appointment: Document) -> Document:
    names = (
        "id calendarId locationId contactId startTime endTime title appointmentStatus assignedUserId "
        "address isRecurring"
    )
    whole = shown(location, appointment)
    return {name: whole[name] for name in names.split()}


def _post(world: World, call: Call) -> tuple[int, Document]:
    fields = _CREATE.check(call.json())
    location = of_location(world, call, fields["locationId"])
    return 200, _answer(location, book(world, location, fields, via="create"))


def _put(world: World, call: Call) -> tuple[int, Document]:
    fields = _UPDATE.check(call.json())
    location, appointment = _found(world, call)
    return 200, _answer(location, change(world, location, appointment, fields, via="update"))


def _get(world: World, call: Call) -> tuple[int, Document]:
    location, appointment = _found(world, call)
    return 200, {"event": shown(location, appointment)}


def _delete(world: World, call: Call) -> tuple[int, Document]:
    location, appointment = _found(world, call)
    remove(world, location, appointment, via="delete")
    return 201, {"succeeded": True}


def _found(world: World, call: Call) -> tuple[Location, Document]:
    location = home(world, call, call.ids[0], "Event")
    return location, location.appointments[call.ids[0]]


def _range(world: World, call: Call) -> tuple[int, Document]:
    query = call.query
    location = of_location(world, call, query.get("locationId"))
    if not any(query.get(name) for name in ("userId", "calendarId", "groupId")):
        raise Refused(400, "Either of userId, calendarId or groupId is required")
    try:
        first, last = int(query["startTime"]), int(query["endTime"])
    except (KeyError, ValueError):
        raise Refused(400, ["startTime and endTime must be in milliseconds"]) from None
    calendar, user = query.get("calendarId"), query.get("userId")
    found = [
        one
        for one in location.appointments.values()
        if first <= one["start_ms"] <= last
        and (not calendar or one["calendarId"] == calendar)
        and (not user or one["assignedUserId"] == user)
    ]
    found.sort(key=lambda one: (one["start_ms"], one["id"]))
    return 200, {"events": [shown(location, one) for one in found]}


def _of_contact(world: World, call: Call) -> tuple[int, Document]:
    """List a contact's appointments, as this endpoint does: without zone, with words of its own."""
    location = home(world, call, call.ids[0], "Contact")
    zone = location.zone
    events = []
    for one in location.appointments.values():
        if one["contactId"] == call.ids[0]:
            event = shown(location, one)
            for name in ("isRecurring", "description", "createdBy"):
                del event[name]
            event["status"] = "booked" if one["appointmentStatus"] in {"new", "confirmed"} else "closed"
            for name in ("start", "end", "added", "updated"):
                wire = f"{name}Time" if name in {"start", "end"} else f"date{name.capitalize()}"
                event[wire] = _without_zone(one[f"{name}_ms"], zone)
            events.append(event)
    return 200, {"events": events}


def _calendars(world: World, call: Call) -> tuple[int, Document]:
    location = of_location(world, call, call.query.get("locationId"))
    return 200, {
        "calendars": [
            {"id": one, "locationId": location.id, "name": f"Calendar {number}", "isActive": True}
            for number, one in enumerate(location.calendars, 1)
        ]
    }


def utc_text(at_s: float) -> str:
    """Return a moment as a start time for `book` and `change`."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")


_READ, _WRITE = "calendars/events.readonly", "calendars/events.write"
ROUTES = [
    Route("POST", "/calendars/events/appointments", _WRITE, _post, VERSION),
    Route("PUT", "/calendars/events/appointments/{eventId}", _WRITE, _put, VERSION),
    Route("GET", "/calendars/events/appointments/{eventId}", _READ, _get, VERSION),
    Route("DELETE", "/calendars/events/{eventId}", _WRITE, _delete, VERSION),
    Route("GET", "/calendars/events", _READ, _range, VERSION),
    Route("GET", "/calendars/", "calendars.readonly", _calendars, VERSION),
    Route("GET", "/contacts/{contactId}/appointments", "contacts.readonly", _of_contact, "2021-07-28"),
]
