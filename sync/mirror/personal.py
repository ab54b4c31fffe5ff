"""One person's id in the mirror, and what erasure leaves of it: appointments without a contact.

The rule: the contact's row goes; an appointment's stays, for its changes must not be told a second time.
"""

from sync.models import AppointmentState, ContactState
from trainu.personal_data import Place, register


def declare() -> None:
    """Register these places; a second call changes nothing."""
    register("sync.mirror", lambda: [CONTACTS, APPOINTMENTS])


def find_contacts(contact_id: str) -> int:
    """Return how many rows know a contact of GoHighLevel: one a location."""
    return ContactState.objects.filter(contact_id=contact_id).count()


def erase_contacts(contact_id: str) -> int:
    """Delete these rows; return how many."""
    return ContactState.objects.filter(contact_id=contact_id).delete()[0]


def find_appointments(contact_id: str) -> int:
    """Return how many appointments are a contact's."""
    return AppointmentState.objects.filter(contact_id=contact_id).exclude(contact_id="").count()


def erase_appointments(contact_id: str) -> int:
    """Take the contact out of its appointments; return how many."""
    return AppointmentState.objects.filter(contact_id=contact_id).exclude(contact_id="").update(contact_id="")


CONTACTS = Place("contact_states", "Contacts as we know them", find_contacts, erase_contacts)
APPOINTMENTS = Place(
    "appointment_states", "Appointments as we know them", find_appointments, erase_appointments
)
