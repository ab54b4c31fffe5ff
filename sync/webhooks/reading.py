"""What a stored webhook says about contacts, appointments and messages: ids, moments, words, texts.

The rule: the topic only says what kind of thing it is about, and whether it is gone. What has changed is
found by the mirror, which knows what was before.
"""

import re
from dataclasses import dataclass, field
from datetime import tzinfo

from sync.drafts import consent, plain_text
from sync.drafts.consent import Said
from sync.drafts.conversation import MessageSeen
from sync.mirror.seen import AppointmentSeen, ContactSeen, Status
from sync.models import Message, Webhook
from sync.webhooks.fields import Document, child, identifier, moment, word, zone_of

CONTACT_TOPICS = frozenset(
    {"contact_create", "contact_update", "contact_delete", "contact_dnd_update", "contact_tag_update"}
)
APPOINTMENT_TOPICS = frozenset({"appointment_create", "appointment_update", "appointment_delete"})
# The topic alone says who wrote: their own samples have the wrong `direction`.
MESSAGE_TOPICS = {
    "inbound_message": Message.Direction.INBOUND,
    "outbound_message": Message.Direction.OUTBOUND,
}
DO_NOT_DISTURB = "contact_dnd_update"
# Ours, for workflows send no type: about an appointment and its contact, or a contact alone.
WORKFLOW_APPOINTMENT, WORKFLOW_CONTACT, WORKFLOW_OTHER = (
    "workflow_appointment",
    "workflow_contact",
    "workflow_other",
)

LONGEST_CHANNEL = 16
_NOT_LETTERS = re.compile(r"[^a-z]+")
# By the letters of their spelling alone: noshow, no_show, no-show and "No Show" are one.
_STATUSES = {
    "new": Status.NEW,
    "booked": Status.NEW,
    "unconfirmed": Status.NEW,
    "confirmed": Status.CONFIRMED,
    "active": Status.ACTIVE,
    "cancelled": Status.CANCELED,
    "canceled": Status.CANCELED,
    "invalid": Status.INVALID,
    "noshow": Status.NO_SHOW,
    "showed": Status.SHOWED,
    "completed": Status.COMPLETED,
}


class Unreadable(Exception):
    """What it is about cannot be told from the body: no later try will read it either."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was seen; nothing where the topic is none that the mirror uses."""

    contacts: list[ContactSeen] = field(default_factory=list)
    appointments: list[AppointmentSeen] = field(default_factory=list)
    messages: list[MessageSeen] = field(default_factory=list)
    consents: list[Said] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.contacts or self.appointments or self.messages or self.consents)


def status_of(value: object) -> Status:
    """Return an appointment's status, however it is spelled; UNKNOWN for what nobody has heard of."""
    letters = _NOT_LETTERS.sub("", value.lower()) if isinstance(value, str) else ""
    return _STATUSES.get(letters, Status.UNKNOWN)


def read(webhook: Webhook, document: Document, *, timezone: str) -> Reading:
    """Return what a webhook says. timezone: the location's, for moments without an offset.

    Raises Unreadable where the topic promises a contact or an appointment and the body names none.
    """
    zone = zone_of(None, timezone)
    if webhook.kind == Webhook.Kind.WORKFLOW:
        return _workflow(webhook, document, timezone)
    if webhook.topic in CONTACT_TOPICS:
        contact = _contact(webhook, document, zone)
        return Reading(contacts=[contact], consents=_consents(webhook, document, contact))
    if webhook.topic in APPOINTMENT_TOPICS:
        return Reading(appointments=[_appointment(webhook, document, zone)])
    if webhook.topic in MESSAGE_TOPICS:
        return Reading(messages=_messages(webhook, document, zone))
    return Reading()


def workflow_topic(document: Document) -> str:
    """Return what a workflow's webhook is about."""
    if identifier(child(document, "calendar"), "appointmentId"):
        return WORKFLOW_APPOINTMENT
    return WORKFLOW_CONTACT if workflow_contact_id(document) else WORKFLOW_OTHER


def workflow_contact_id(document: Document) -> str:
    """Return the contact that a workflow ran for, or an empty text."""
    return identifier(document, "contact_id", "contactId") or identifier(child(document, "contact"), "id")


def _contact(webhook: Webhook, document: Document, zone: tzinfo) -> ContactSeen:
    contact_id = identifier(document, "id", "contactId")
    if not contact_id:
        raise Unreadable
    return _contact_seen(
        webhook,
        contact_id,
        document,
        zone,
        added=("dateAdded",),
        updated=("dateUpdated", "timestamp"),
        source=("source",),
    )


def _contact_seen(
    webhook: Webhook,
    contact_id: str,
    document: Document,
    zone: tzinfo,
    *,
    added: tuple[str, ...],
    updated: tuple[str, ...],
    source: tuple[str, ...],
) -> ContactSeen:
    return ContactSeen(
        location_id=str(webhook.location_id),
        contact_id=contact_id,
        added_at=moment(document, *added, zone=zone),
        updated_at=moment(document, *updated, zone=zone),
        is_deleted=webhook.topic == "contact_delete",
        lead_source=word(document, *source),
        source="webhook",
        seen_at=webhook.received_at,
        correlation_id=webhook.correlation_id,
    )


def _consents(webhook: Webhook, document: Document, contact: ContactSeen) -> list[Said]:
    if contact.is_deleted:
        return []
    said_at = contact.updated_at or webhook.sent_at or webhook.received_at
    return consent.of_do_not_disturb(
        contact.contact_id,
        contact.location_id,
        everything=document.get("dnd"),
        settings=document.get("dndSettings"),
        is_whole=webhook.topic == DO_NOT_DISTURB,
        at=min(said_at, webhook.received_at),
    )


def _messages(webhook: Webhook, document: Document, zone: tzinfo) -> list[MessageSeen]:
    """Return the message, none where nobody can tell whose it is: a call from a number without a contact."""
    contact_id = identifier(document, "contactId")
    if not contact_id:
        return []
    channel = (word(document, "messageType") or "other").removeprefix("type_").removeprefix("custom_")
    body, subject = document.get("body"), document.get("subject")
    text = body if isinstance(body, str) else ""
    is_html = channel == "email" or "html" in str(document.get("contentType"))
    at = moment(document, "dateAdded", "timestamp", zone=zone) or webhook.received_at
    return [
        MessageSeen(
            location_id=str(webhook.location_id),
            contact_id=contact_id,
            # Some of their samples have no id. A resend is the same webhook, and so the same message.
            message_id=identifier(document, "messageId", "emailMessageId") or webhook.dedupe_key,
            direction=MESSAGE_TOPICS[webhook.topic],
            channel=channel[:LONGEST_CHANNEL],
            text=plain_text.of_html(text) if is_html else plain_text.tidied(text),
            subject=plain_text.tidied(subject) if isinstance(subject, str) else "",
            # By a clock that is ahead, a last word would be the last for too long.
            at=min(at, webhook.received_at),
        )
    ]


def _appointment(webhook: Webhook, document: Document, zone: tzinfo) -> AppointmentSeen:
    # Nested on all official pages; a sample of the guide has it under `data`, and old ones were flat.
    about = child(document, "appointment", "data") or document
    appointment_id = identifier(about, "id", "appointmentId")
    if not appointment_id:
        raise Unreadable
    return AppointmentSeen(
        location_id=str(webhook.location_id),
        appointment_id=appointment_id,
        status=status_of(about.get("appointmentStatus") or about.get("status")),
        starts_at=moment(about, "startTime", zone=zone),
        ends_at=moment(about, "endTime", zone=zone),
        calendar_id=identifier(about, "calendarId"),
        contact_id=identifier(about, "contactId"),
        assigned_user_id=identifier(about, "assignedUserId"),
        added_at=moment(about, "dateAdded", zone=zone),
        updated_at=moment(about, "dateUpdated", zone=zone) or moment(document, "timestamp", zone=zone),
        is_deleted=webhook.topic == "appointment_delete",
        booked_by=word(about, "source"),
        source="webhook",
        seen_at=webhook.received_at,
        correlation_id=webhook.correlation_id,
    )


def _workflow(webhook: Webhook, document: Document, timezone: str) -> Reading:
    """Return what a workflow says: flat, and with no moment of its own, so it is never the newest word."""
    contact_id = workflow_contact_id(document)
    zone = zone_of(None, timezone)
    contacts = []
    if contact_id:
        contacts = [
            _contact_seen(
                webhook,
                contact_id,
                document,
                zone,
                added=("date_created", "dateAdded"),
                updated=(),
                source=("contact_source", "source"),
            )
        ]
    calendar = child(document, "calendar")
    appointment_id = identifier(calendar, "appointmentId")
    if not appointment_id:
        return Reading(contacts=contacts)
    zone = zone_of(calendar.get("selectedTimezone"), timezone)
    # Misspelled by GoHighLevel itself; `status` beside it says booked and little else.
    status = next(
        (
            calendar[name]
            for name in ("appoinmentStatus", "appointmentStatus", "status")
            if calendar.get(name)
        ),
        None,
    )
    appointment = AppointmentSeen(
        location_id=str(webhook.location_id),
        appointment_id=appointment_id,
        status=status_of(status),
        starts_at=moment(calendar, "startTime", zone=zone),
        ends_at=moment(calendar, "endTime", zone=zone),
        calendar_id=identifier(calendar, "calendarId", "id"),
        contact_id=contact_id,
        assigned_user_id=identifier(calendar, "assignedUserId"),
        added_at=moment(calendar, "date_created", "dateAdded", zone=zone),
        updated_at=None,
        is_deleted=False,
        booked_by=word(calendar, "source"),
        source="webhook",
        seen_at=webhook.received_at,
        correlation_id=webhook.correlation_id,
    )
    return Reading(contacts=contacts, appointments=[appointment])
