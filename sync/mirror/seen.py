"""What was seen of a contact or an appointment in GoHighLevel, whoever saw it: ids and times, nobody's data.

The rule: a webhook, a page of reconciliation and a single read all become these values first, and only
the mirror compares them with what it knows.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

Source = Literal["webhook", "reconciliation", "read"]


class Status(StrEnum):
    """An appointment's status in our spelling; theirs varies by endpoint and year."""

    NEW = "new"
    CONFIRMED = "confirmed"
    ACTIVE = "active"
    CANCELED = "canceled"
    INVALID = "invalid"
    NO_SHOW = "no_show"
    SHOWED = "showed"
    COMPLETED = "completed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ContactSeen:
    """added_at: when it was made there. updated_at: of what was seen, None where not said.

    lead_source: theirs, a word, such as form. correlation_id: of the work that saw it.
    """

    location_id: str
    contact_id: str
    added_at: datetime | None
    updated_at: datetime | None
    is_deleted: bool
    lead_source: str | None
    source: Source
    seen_at: datetime
    correlation_id: str


@dataclass(frozen=True, slots=True)
class AppointmentSeen:
    """starts_at, ends_at: instants in UTC, None where not said. updated_at: of what was seen."""

    location_id: str
    appointment_id: str
    status: Status
    starts_at: datetime | None
    ends_at: datetime | None
    calendar_id: str
    contact_id: str
    assigned_user_id: str
    added_at: datetime | None
    updated_at: datetime | None
    is_deleted: bool
    booked_by: str | None
    source: Source
    seen_at: datetime
    correlation_id: str
