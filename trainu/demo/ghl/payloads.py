"""The bodies of webhooks, flat as the real ones are, an appointment nested under its name.

The rule: the fields and spellings of the official event pages, nothing that GHL does not send.
"""

from trainu.demo.ghl.call import Document

_CONTACT = [
    "id",
    "address1",
    "city",
    "companyName",
    "country",
    "source",
    "dateAdded",
    "dateOfBirth",
    "dnd",
    "email",
    "name",
    "firstName",
    "lastName",
    "phone",
    "postalCode",
    "state",
    "tags",
    "website",
    "attachments",
    "assignedTo",
    "customFields",
]
_OPPORTUNITY = [
    "id",
    "assignedTo",
    "contactId",
    "monetaryValue",
    "name",
    "pipelineId",
    "pipelineStageId",
    "source",
    "status",
]


def contact(one: Document) -> Document:
    """Return what ContactCreate, ContactUpdate, ContactDelete and ContactTagUpdate carry."""
    return {name: one[name] for name in _CONTACT if name in one} | {"attachments": []}


def appointment(shown: Document, *, source: str) -> Document:
    """Return what the three appointment events carry. shown: the appointment as its own API shows it."""
    left_out = {"locationId", "description", "isRecurring", "assignedResources", "createdBy"}
    return {"appointment": {k: v for k, v in shown.items() if k not in left_out} | {"source": source}}


def note(one: Document) -> Document:
    return {name: one[name] for name in ("id", "body", "contactId", "dateAdded")}


def task_created(one: Document) -> Document:
    """Return what TaskCreate carries: in truth neither the contact nor the body."""
    return {name: one[name] for name in ("id", "assignedTo", "title", "dateAdded", "dueDate") if name in one}


def task_completed(one: Document) -> Document:
    return task_created(one) | {"body": one.get("body", ""), "contactId": one["contactId"]}


def message(one: Document) -> Document:
    """Return what InboundMessage and OutboundMessage carry."""
    payload = {
        "attachments": one.get("attachments", []),
        "body": one.get("body", ""),
        "contactId": one["contactId"],
        "contentType": one["contentType"],
        "conversationId": one["conversationId"],
        "dateAdded": one["dateAdded"],
        "direction": one["direction"],
        "messageType": "Email" if one["messageType"] == "TYPE_EMAIL" else "SMS",
        "messageId": one["id"],
        "status": one["status"],
    }
    if one["direction"] == "outbound":
        payload["source"] = one["source"]
    if one["messageType"] == "TYPE_EMAIL":
        payload["emailMessageId"] = one["id"]
        payload["subject"] = one.get("subject", "")
    return payload


def opportunity(one: Document) -> Document:
    """Return what the opportunity events carry."""
    return {name: one[name] for name in _OPPORTUNITY if name in one} | {"dateAdded": one["createdAt"]}
