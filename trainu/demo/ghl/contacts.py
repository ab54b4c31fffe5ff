"""Contacts: created, upserted, changed, deleted, tagged.

The rule: a location that allows no duplicates has one contact for an email and one for a phone; an
upsert that names two people changes the first by the location's order and ignores the other field.
"""

import re
from typing import Any

from trainu.demo.ghl import payloads
from trainu.demo.ghl.access import home, of_location
from trainu.demo.ghl.call import Call, Document, Refused
from trainu.demo.ghl.route import Route
from trainu.demo.ghl.shape import Shape
from trainu.demo.ghl.state import Location, World

VERSION = "2021-07-28"
_TEXTS = (
    "firstName lastName name email gender phone address1 city state postalCode website timezone source "
    "dateOfBirth country companyName assignedTo"
)
_FIELDS: dict[str, type] = dict.fromkeys(_TEXTS.split(), str) | {
    "dnd": bool,
    "dndSettings": dict,
    "inboundDndSettings": dict,
    "tags": list,
    "customFields": list,
}
_CREATE = Shape(_FIELDS | {"locationId": str}, required=("locationId",))
_UPSERT = Shape(_FIELDS | {"locationId": str, "createNewIfDuplicateAllowed": bool}, required=("locationId",))
_UPDATE = Shape({name: kind for name, kind in _FIELDS.items() if name not in {"gender"}})
_TAGS = Shape({"tags": list}, required=("tags",))
_NOT_DIGITS = re.compile(r"\D")


def create(world: World, location: Location, fields: Document, *, via: str = "staff") -> Document:
    """Add a contact and return it; its email and phone may be known already."""
    now = world.stamp()
    contact: Document = {
        "id": world.new_id(),
        "locationId": location.id,
        "type": "lead",
        "dnd": False,
        "tags": [],
        "customFields": [],
        "dateAdded": now,
        "dateUpdated": now,
    }
    location.contacts[contact["id"]] = contact
    world.home[contact["id"]] = location
    _write(world, location, contact, fields, via)
    if via != "staff":
        text = f"{contact.get('email', '')} {contact.get('phone', '')} {contact.get('name', '')}"
        world.ledger.created("contact", text)
    _tell(world, contact, "ContactCreate", twin="ContactUpdate")
    return contact


def change(world: World, location: Location, contact: Document, fields: Document, *, via: str) -> Document:
    """Change a contact and return it."""
    tags = list(contact["tags"])
    _write(world, location, contact, fields, via)
    contact["dateUpdated"] = world.stamp()
    _tell(world, contact, "ContactUpdate")
    if contact["tags"] != tags:
        _tell(world, contact, "ContactTagUpdate")
    return contact


def remove(world: World, location: Location, contact: Document) -> None:
    """Delete a contact, with its notes and tasks; its appointments stay."""
    _unlink(location, contact)
    for store in (location.contacts, location.notes, location.tasks):
        store.pop(contact["id"], None)
    del world.home[contact["id"]]
    world.ledger.wrote(contact["id"], {"deleted": True}, via="delete", at=world.clock.now())
    _tell(world, contact, "ContactDelete", twin="ContactUpdate")


def match(location: Location, fields: Document) -> tuple[str, Document] | None:
    """Return by which field a contact is known already, and the contact."""
    for name in location.match_order:
        value = normal(name, fields.get(name))
        known = location.known_by.get((name, value), ()) if value else ()
        for contact_id in known:
            return name, location.contacts[contact_id]
    return None


def normal(name: str, value: Any) -> str:
    """Return an email or phone as it is compared."""
    if not value:
        return ""
    return str(value).strip().lower() if name == "email" else "+" + _NOT_DIGITS.sub("", str(value))


def _write(world: World, location: Location, contact: Document, fields: Document, via: str) -> None:
    _unlink(location, contact)
    for name, value in fields.items():
        if name not in _FIELDS:
            continue
        if value is None:
            contact.pop(name, None)
        elif name == "customFields":
            contact[name] = _merged(contact[name], value)
        else:
            contact[name] = normal(name, value) if name in {"email", "phone"} else value
    if "name" in fields and not {"firstName", "lastName"} & fields.keys():
        contact["firstName"], _, contact["lastName"] = str(contact.get("name", "")).partition(" ")
    contact["name"] = f"{contact.get('firstName', '')} {contact.get('lastName', '')}".strip()
    for name in ("email", "phone"):
        if value := contact.get(name):
            location.known_by.setdefault((name, value), []).append(contact["id"])
    world.ledger.wrote(contact["id"], fields, via=via, at=world.clock.now())


def _unlink(location: Location, contact: Document) -> None:
    for name in ("email", "phone"):
        if known := location.known_by.get((name, contact.get(name, ""))):
            known.remove(contact["id"])


def _merged(old: list[Document], new: list[Document]) -> list[Document]:
    values = {one["id"]: one for one in old}
    for one in new:
        key = one.get("id") or one.get("key")
        value = one.get("field_value", one.get("fieldValue", one.get("value")))
        if key:
            values[key] = {"id": key, "value": value}
    return list(values.values())


def _tell(world: World, contact: Document, kind: str, *, twin: str = "") -> None:
    world.emit(kind, contact["locationId"], lambda: payloads.contact(contact))
    if twin and world.settings.twin_webhooks:
        world.emit(twin, contact["locationId"], lambda: payloads.contact(contact))


def _check(fields: Document) -> None:
    complaints = []
    if fields.get("email") and "@" not in fields["email"]:
        complaints.append("email must be an email")
    if fields.get("phone") and len(normal("phone", fields["phone"])) < 9:
        complaints.append("phone must be a valid phone number")
    if complaints:
        raise Refused(422, complaints)


def _refuse_duplicate(location: Location, fields: Document, own_id: str = "") -> None:
    if location.allow_duplicates:
        return
    for name in location.match_order:
        for contact_id in location.known_by.get((name, normal(name, fields.get(name))), ()):
            if contact_id == own_id:
                continue
            known = location.contacts[contact_id]
            meta = {"contactId": known["id"], "contactName": known["name"], "matchingField": name}
            raise Refused(400, "This location does not allow duplicated contacts.", meta=meta)


def _post(world: World, call: Call) -> tuple[int, Document]:
    fields = _CREATE.check(call.json())
    location = of_location(world, call, fields["locationId"])
    _check(fields)
    _refuse_duplicate(location, fields)
    return 201, {"contact": create(world, location, fields, via="create")}


def _upsert(world: World, call: Call) -> tuple[int, Document]:
    fields = _UPSERT.check(call.json())
    location = of_location(world, call, fields["locationId"])
    _check(fields)
    if not fields.get("email") and not fields.get("phone"):
        raise Refused(400, "An email or a phone is required.")
    found = None
    if not (location.allow_duplicates and fields.get("createNewIfDuplicateAllowed")):
        found = match(location, fields)
    if found is None:
        return 200, {"new": True, "contact": create(world, location, fields, via="upsert")}
    contact = found[1]
    written = {}
    for name, value in fields.items():
        known = location.known_by.get((name, normal(name, value))) if name in {"email", "phone"} else None
        if not known or contact["id"] in known:
            written[name] = value
    return 200, {"new": False, "contact": change(world, location, contact, written, via="upsert")}


def _get(world: World, call: Call) -> tuple[int, Document]:
    return 200, {"contact": home(world, call, call.ids[0], "Contact").contacts[call.ids[0]]}


def _put(world: World, call: Call) -> tuple[int, Document]:
    fields = _UPDATE.check(call.json())
    location = home(world, call, call.ids[0], "Contact")
    _check(fields)
    _refuse_duplicate(location, fields, own_id=call.ids[0])
    contact = change(world, location, location.contacts[call.ids[0]], fields, via="update")
    return 200, {"succeded": True, "contact": contact}


def _delete(world: World, call: Call) -> tuple[int, Document]:
    location = home(world, call, call.ids[0], "Contact")
    remove(world, location, location.contacts[call.ids[0]])
    return 200, {"succeded": True}


def _tag(world: World, call: Call) -> tuple[int, Document]:
    given = _TAGS.check(call.json())["tags"]
    location = home(world, call, call.ids[0], "Contact")
    contact = location.contacts[call.ids[0]]
    if call.method == "POST":
        tags = list(dict.fromkeys([*contact["tags"], *given]))
    else:
        tags = [tag for tag in contact["tags"] if tag not in given]
    if tags != contact["tags"]:
        change(world, location, contact, {"tags": tags}, via="tags")
    return (201 if call.method == "POST" else 200), {"tags": tags}


ROUTES = [
    Route("POST", "/contacts/", "contacts.write", _post, VERSION),
    Route("POST", "/contacts/upsert", "contacts.write", _upsert, VERSION),
    Route("GET", "/contacts/{contactId}", "contacts.readonly", _get, VERSION),
    Route("PUT", "/contacts/{contactId}", "contacts.write", _put, VERSION),
    Route("DELETE", "/contacts/{contactId}", "contacts.write", _delete, VERSION),
    Route("POST", "/contacts/{contactId}/tags", "contacts.write", _tag, VERSION),
    Route("DELETE", "/contacts/{contactId}/tags", "contacts.write", _tag, VERSION),
]
