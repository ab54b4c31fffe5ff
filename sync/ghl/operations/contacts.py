"""Contacts: upsert, update, delete, and their tags.

The rule: upsert and update never send tags, for there they would replace the contact's whole list.
"""

from datetime import timedelta
from hashlib import sha256
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from sync.ghl import reads
from sync.ghl.errors import is_gone
from sync.ghl.lookup import CANNOT_TELL, NOT_FOUND, TARGET_GONE, Finding, Steps, agrees, found, instant
from sync.ghl.operations.operation import Operation, Sought
from sync.ghl.operations.payload import (
    LEFT_OUT,
    Country,
    CustomFields,
    Day,
    Email,
    Id,
    Line,
    Name,
    Payload,
    Phone,
    Tag,
    Word,
)
from sync.ghl.request import Request, Version, path
from sync.ghl.response import Answer, id_at, object_at

# Clocks differ: a contact counts as made by an attempt that began this much after it.
CLOCK_SKEW = timedelta(seconds=120)


class ContactFields(Payload):
    """What upsert and update have in common. Null empties a field where null is allowed."""

    first_name: Name | None = Field(default=None, description="First name.")
    last_name: Name | None = Field(default=None, description="Last name.")
    name: Name | None = Field(default=None, description="Full name.")
    email: Email | None = Field(default=None, description="Email address.")
    phone: Phone | None = Field(default=None, description="Phone number, +49… (E.164).")
    address1: Line | None = Field(default=None, description="Street and number.")
    city: Line | None = Field(default=None, description="City.")
    state: Line | None = Field(default=None, description="State or region.")
    postal_code: Line = Field(default=LEFT_OUT, description="Postal code.")
    country: Country = Field(default=LEFT_OUT, description="Country, two letters.")
    website: Line | None = Field(default=None, description="Website.")
    timezone: Word | None = Field(default=None, description="Time zone, Europe/Berlin.")
    date_of_birth: Day | None = Field(default=None, description="Date of birth, YYYY-MM-DD.")
    source: Word = Field(default=LEFT_OUT, description="Where the contact comes from.")
    dnd: bool = Field(default=LEFT_OUT, description="Do not disturb: no messages at all.")
    assigned_to: Id = Field(default=LEFT_OUT, description="The user in GoHighLevel who owns the contact.")
    custom_fields: CustomFields = Field(default=LEFT_OUT, description="Custom fields.")


class UpsertPayload(ContactFields):
    company_name: Name | None = Field(default=None, description="Company.")

    @model_validator(mode="after")
    def _can_be_recognised(self) -> Self:
        if not (self.email or self.phone):
            raise ValueError("Give an email or a phone: GoHighLevel recognises a contact by them.")
        return self


class UpdatePayload(ContactFields):
    contact_id: Id = Field(description="The contact in GoHighLevel.")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set - {"contact_id"}:
            raise ValueError("Give at least one field to change.")
        return self


class ContactPayload(Payload):
    contact_id: Id = Field(description="The contact in GoHighLevel.")


class TagsPayload(ContactPayload):
    tags: Annotated[list[Tag], Field(min_length=1, max_length=50)] = Field(description="The tags.")


class Upsert(Operation[UpsertPayload]):
    """Create a contact, or update the one with the same email or phone."""

    name = "contact.upsert"
    payload = UpsertPayload
    creates = True
    gives = {"contact_id": ("contact", "id")}
    needs = frozenset({"contact_id"})

    @classmethod
    def request(cls, payload: UpsertPayload, location_id: str, mark: str) -> Request:
        body = {"locationId": location_id, **payload.wire()}
        return Request("POST", "/contacts/upsert", Version.CONTACTS, body=body)

    @classmethod
    def ordering_key(cls, payload: UpsertPayload) -> str:
        """The digest of email or phone: can be traced back to the person, so erase it with the payload."""
        whom = payload.email.casefold() if payload.email else payload.phone
        return f"person:{sha256(str(whom).encode()).hexdigest()[:32]}"

    @classmethod
    def writes(cls, payload: UpsertPayload) -> frozenset[str]:
        return frozenset(payload.model_fields_set)

    @classmethod
    def adopt(cls, answer: Answer) -> dict[str, str] | None:
        """Where the location allows no duplicates, a refusal names the contact there is: that is ours."""
        contact_id = id_at(answer.body, "meta", "contactId")
        return {"contact_id": contact_id} if contact_id else None

    @classmethod
    def look_up(cls, payload: UpsertPayload, sought: Sought) -> Steps:
        answer = yield reads.duplicate_contact(sought.location_id, email=payload.email, phone=payload.phone)
        contact = object_at(answer.body, "contact")
        contact_id = id_at(contact, "id")
        if contact_id is None:
            return NOT_FOUND
        added = instant(contact.get("dateAdded"))
        if added is not None and added >= sought.sent_at - CLOCK_SKEW:
            return found(contact_id=contact_id)
        return _finding(agrees(payload.wire(), contact), contact_id)


class Update(Operation[UpdatePayload]):
    """Change fields of a contact. Fields that are not given stay as they are."""

    name = "contact.update"
    payload = UpdatePayload
    gives = {"contact_id": ("contact", "id")}

    @classmethod
    def request(cls, payload: UpdatePayload, location_id: str, mark: str) -> Request:
        where = path("/contacts/{id}", id=payload.contact_id)
        return Request("PUT", where, Version.CONTACTS, body=payload.wire("contact_id"))

    @classmethod
    def ordering_key(cls, payload: UpdatePayload) -> str:
        return f"contact:{payload.contact_id}"

    @classmethod
    def writes(cls, payload: UpdatePayload) -> frozenset[str]:
        return frozenset(payload.model_fields_set - {"contact_id"})

    @classmethod
    def look_up(cls, payload: UpdatePayload, sought: Sought) -> Steps:
        answer = yield reads.contact(payload.contact_id)
        if is_gone(answer):
            return TARGET_GONE
        return _finding(
            agrees(payload.wire("contact_id"), object_at(answer.body, "contact")), payload.contact_id
        )


class Delete(Operation[ContactPayload]):
    """Delete a contact, with everything GoHighLevel keeps of it."""

    name = "contact.delete"
    payload = ContactPayload
    gone_is_done = True

    @classmethod
    def request(cls, payload: ContactPayload, location_id: str, mark: str) -> Request:
        return Request("DELETE", path("/contacts/{id}", id=payload.contact_id), Version.CONTACTS)

    @classmethod
    def ordering_key(cls, payload: ContactPayload) -> str:
        return f"contact:{payload.contact_id}"

    @classmethod
    def writes(cls, payload: ContactPayload) -> frozenset[str]:
        return frozenset({"*"})

    @classmethod
    def look_up(cls, payload: ContactPayload, sought: Sought) -> Steps:
        answer = yield reads.contact(payload.contact_id)
        if is_gone(answer):
            return found(contact_id=payload.contact_id)
        return NOT_FOUND if object_at(answer.body, "contact") else CANNOT_TELL


class AddTags(Operation[TagsPayload]):
    """Add tags to a contact. Those it already has stay."""

    name = "contact.add_tags"
    payload = TagsPayload
    method = "POST"

    @classmethod
    def request(cls, payload: TagsPayload, location_id: str, mark: str) -> Request:
        where = path("/contacts/{id}/tags", id=payload.contact_id)
        return Request(cls.method, where, Version.CONTACTS, body={"tags": payload.tags})

    @classmethod
    def ordering_key(cls, payload: TagsPayload) -> str:
        return f"contact:{payload.contact_id}"

    @classmethod
    def writes(cls, payload: TagsPayload) -> frozenset[str]:
        return frozenset(f"tag:{_folded(tag)}" for tag in payload.tags)

    @classmethod
    def look_up(cls, payload: TagsPayload, sought: Sought) -> Steps:
        answer = yield reads.contact(payload.contact_id)
        if is_gone(answer):
            return TARGET_GONE
        tags = object_at(answer.body, "contact").get("tags")
        if not isinstance(tags, list):
            return CANNOT_TELL
        there = {_folded(tag) for tag in tags if isinstance(tag, str)}
        return _finding(cls._is_done({_folded(tag) for tag in payload.tags}, there), payload.contact_id)

    @classmethod
    def _is_done(cls, wanted: set[str], there: set[str]) -> bool:
        return wanted <= there


class RemoveTags(AddTags):
    """Remove tags from a contact. Those it does not have are passed over."""

    name = "contact.remove_tags"
    method = "DELETE"

    @classmethod
    def _is_done(cls, wanted: set[str], there: set[str]) -> bool:
        return not wanted & there


def _finding(agreed: bool | None, contact_id: Any) -> Finding:
    if agreed is None:
        return CANNOT_TELL
    return found(contact_id=contact_id) if agreed else NOT_FOUND


def _folded(tag: str) -> str:
    """Return a tag as GoHighLevel compares it."""
    return tag.strip().casefold()
