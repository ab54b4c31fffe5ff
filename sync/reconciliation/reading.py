"""What GoHighLevel answers about contacts and appointments, as the mirror takes it: ids, moments, words.

The rule: what a webhook of the same thing is read as, this is read as too, so that the two can be compared.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from sync.mirror.seen import AppointmentSeen, ContactSeen, Status
from sync.models import Location
from sync.webhooks.fields import Document, child, identifier, moment, word
from sync.webhooks.reading import status_of


def contact(
    document: Document, location: Location, *, seen_at: datetime, correlation_id: str
) -> ContactSeen | None:
    """Return what a contact of a list is; None where it has no id."""
    contact_id = identifier(document, "id")
    if not contact_id:
        return None
    zone = ZoneInfo(location.timezone)
    return ContactSeen(
        location_id=location.pk,
        contact_id=contact_id,
        added_at=moment(document, "dateAdded", zone=zone),
        updated_at=moment(document, "dateUpdated", zone=zone),
        is_deleted=bool(document.get("deleted")),
        lead_source=word(document, "source"),
        source="reconciliation",
        seen_at=seen_at,
        correlation_id=correlation_id,
    )


def appointment(
    document: Document, location: Location, *, seen_at: datetime, correlation_id: str
) -> AppointmentSeen | None:
    """Return what an appointment of a list or of a single read is; None where it has no id."""
    appointment_id = identifier(document, "id")
    if not appointment_id:
        return None
    zone = ZoneInfo(location.timezone)
    return AppointmentSeen(
        location_id=location.pk,
        appointment_id=appointment_id,
        status=status_of(document.get("appointmentStatus") or document.get("status")),
        starts_at=moment(document, "startTime", zone=zone),
        ends_at=moment(document, "endTime", zone=zone),
        calendar_id=identifier(document, "calendarId"),
        contact_id=identifier(document, "contactId"),
        assigned_user_id=identifier(document, "assignedUserId"),
        added_at=moment(document, "dateAdded", zone=zone),
        updated_at=moment(document, "dateUpdated", zone=zone),
        is_deleted=bool(document.get("deleted")),
        booked_by=word(document, "source") or word(child(document, "createdBy"), "source"),
        source="reconciliation",
        seen_at=seen_at,
        correlation_id=correlation_id,
    )


def gone(
    appointment_id: str, location: Location, *, seen_at: datetime, correlation_id: str
) -> AppointmentSeen:
    """Return that there is no such appointment any more. Nobody says since when: it is noticed now."""
    return AppointmentSeen(
        location_id=location.pk,
        appointment_id=appointment_id,
        status=Status.UNKNOWN,
        starts_at=None,
        ends_at=None,
        calendar_id="",
        contact_id="",
        assigned_user_id="",
        added_at=None,
        updated_at=None,
        is_deleted=True,
        booked_by=None,
        source="reconciliation",
        seen_at=seen_at,
        correlation_id=correlation_id,
    )
