"""Notes of a contact.

The rule: a note carries its job's marker as its last line, for GoHighLevel would store a second one gladly.
"""

from pydantic import Field

from sync.ghl import reads
from sync.ghl.errors import is_gone
from sync.ghl.lookup import CANNOT_TELL, NOT_FOUND, TARGET_GONE, Steps, found
from sync.ghl.operations.operation import Operation, Sought, marked
from sync.ghl.operations.payload import LEFT_OUT, Id, Line, Payload, Prose
from sync.ghl.request import Request, Version, path
from sync.ghl.response import id_at, objects_at


class NotePayload(Payload):
    contact_id: Id = Field(description="The contact in GoHighLevel.")
    body: Prose = Field(description="The note.")
    title: Line = Field(default=LEFT_OUT, description="Its title.")
    user_id: Id = Field(default=LEFT_OUT, description="The user in GoHighLevel whose note it is.")


class Create(Operation[NotePayload]):
    """Write a note on a contact."""

    name = "note.create"
    payload = NotePayload
    repeatable = False
    creates = True
    gives = {"note_id": ("note", "id")}
    needs = frozenset({"note_id"})

    @classmethod
    def request(cls, payload: NotePayload, location_id: str, mark: str) -> Request:
        body = {**payload.wire("contact_id"), "body": marked(payload.body, mark)}
        where = path("/contacts/{id}/notes", id=payload.contact_id)
        return Request("POST", where, Version.CONTACTS, body=body)

    @classmethod
    def look_up(cls, payload: NotePayload, sought: Sought) -> Steps:
        answer = yield reads.notes(payload.contact_id)
        if is_gone(answer):
            return TARGET_GONE
        if not isinstance(answer.body, dict) or not isinstance(answer.body.get("notes"), list):
            return CANNOT_TELL
        for note in objects_at(answer.body, "notes"):
            if sought.mark in str(note.get("body")):
                return found(note_id=id_at(note, "id"))
        return NOT_FOUND
