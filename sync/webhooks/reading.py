"""What a stored webhook says about contacts and appointments, as the mirror takes it: ids, moments, words.

The rule: the topic only says what kind of thing it is about, and whether it is gone. What has changed is
found by the mirror, which knows what was before.
"""

import re
from dataclasses import dataclass, field
from datetime import tzinfo

from sync.mirror.seen import AppointmentSeen, ContactSeen, Status
from sync.models import Webhook
from sync.webhooks.fields import Document, child, identifier, moment, word, zone_of

CONTACT_TOPICS = frozenset(
    {"contact_create", "contact_update", "contact_delete", "contact_dnd_update", "contact_tag_update"}
)
APPOINTMENT_TOPICS = frozenset({"appointment_create", "appointment_update", "appointment_delete"})
# Ours, for workflows send no type: about an appointment and its contact, or a contact alone.
WORKFLOW_APPOINTMENT, WORKFLOW_CONTACT, WORKFLOW_OTHER = (
    "workflow_appointment",
    "workflow_contact",
    "workflow_other",
)

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

    def __bool__(self) -> bool:
        return bool(self.contacts or self.appointments)


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
        return Reading(contacts=[_contact(webhook, document, zone)])
    if webhook.topic in APPOINTMENT_TOPICS:
        return Reading(appointments=[_appointment(webhook, document, zone)])
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
