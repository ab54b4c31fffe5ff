"""Requests that only read: for reconciliation, for lookups, and to check that a location's token works.

The rule: every read that can be long is bounded, by a page or by a range of time.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sync.ghl.request import Request, Version, path
from sync.ghl.response import Answer, objects_at

PAGE_SIZE = 100
LARGEST_PAGE = 500
_FIRST_PAGE = 1


@dataclass(frozen=True, slots=True)
class ContactsPage:
    """contacts: as GoHighLevel has them, with personal data. cursor: of the next page, None at the end."""

    contacts: list[dict[str, Any]]
    cursor: list[Any] | None


def location(location_id: str) -> Request:
    """Return the request for a location: its time zone, and whether the token works."""
    return Request("GET", path("/locations/{id}", id=location_id), Version.LOCATIONS)


def contact(contact_id: str) -> Request:
    """Return the request for a contact: `contact` in the answer."""
    return Request("GET", path("/contacts/{id}", id=contact_id), Version.CONTACTS)


def duplicate_contact(location_id: str, *, email: str | None = None, phone: str | None = None) -> Request:
    """Return the request for the contact that GoHighLevel would take for the same person."""
    query = {"locationId": location_id}
    if email:
        query["email"] = email
    if phone:
        query["number"] = phone
    return Request("GET", "/contacts/search/duplicate", Version.CONTACTS, query=query)


def contacts(
    location_id: str,
    *,
    since: datetime,
    until: datetime,
    cursor: list[Any] | None = None,
    size: int = PAGE_SIZE,
) -> Request:
    """Return the request for one page of the contacts updated from `since` to `until`, oldest first.

    cursor: of the page before, None for the first. size: contacts a page, at most 500. The search lags
    behind by some seconds: let `until` be a minute ago.
    """
    body: dict[str, Any] = {
        "locationId": location_id,
        "pageLimit": min(size, LARGEST_PAGE),
        "filters": [
            {
                "field": "dateUpdated",
                "operator": "range",
                "value": {"gte": since.isoformat(), "lte": until.isoformat()},
            }
        ],
        "sort": [{"field": "dateUpdated", "direction": "asc"}],
    }
    # GoHighLevel takes one of the two: pages by number end at 10,000 contacts.
    body |= {"searchAfter": cursor} if cursor else {"page": _FIRST_PAGE}
    return Request("POST", "/contacts/search", Version.CONTACTS, body=body)


def contacts_page(answer: Answer, *, size: int = PAGE_SIZE) -> ContactsPage:
    """Return the contacts in an answer to `contacts`, and where to go on."""
    found = objects_at(answer.body, "contacts")
    cursor = found[-1].get("searchAfter") if found else None
    if cursor is None and isinstance(answer.body, dict):
        cursor = answer.body.get("searchAfter")
    full = len(found) >= min(size, LARGEST_PAGE)
    return ContactsPage(found, cursor if full and isinstance(cursor, list) and cursor else None)


def calendars(location_id: str) -> Request:
    """Return the request for a location's calendars: events can be asked for by calendar only."""
    return Request("GET", "/calendars/", Version.CALENDARS, query={"locationId": location_id})


def calendar_ids(answer: Answer) -> list[str]:
    """Return the ids in an answer to `calendars`."""
    return [item["id"] for item in objects_at(answer.body, "calendars") if isinstance(item.get("id"), str)]


def events(location_id: str, *, start: datetime, end: datetime, calendar_id: str) -> Request:
    """Return the request for a calendar's events that start between two moments. There is no paging."""
    query = {
        "locationId": location_id,
        "calendarId": calendar_id,
        "startTime": _milliseconds(start),
        "endTime": _milliseconds(end),
    }
    return Request("GET", "/calendars/events", Version.CALENDARS, query=query)


def appointment(appointment_id: str) -> Request:
    """Return the request for an appointment: `event` in the answer."""
    where = path("/calendars/events/appointments/{id}", id=appointment_id)
    return Request("GET", where, Version.CALENDARS)


def notes(contact_id: str) -> Request:
    """Return the request for all notes of a contact."""
    return Request("GET", path("/contacts/{id}/notes", id=contact_id), Version.CONTACTS)


def tasks(contact_id: str) -> Request:
    """Return the request for all tasks of a contact."""
    return Request("GET", path("/contacts/{id}/tasks", id=contact_id), Version.CONTACTS)


def task(contact_id: str, task_id: str) -> Request:
    """Return the request for a task: `task` in the answer."""
    where = path("/contacts/{id}/tasks/{task}", id=contact_id, task=task_id)
    return Request("GET", where, Version.CONTACTS)


def conversations(location_id: str, contact_id: str) -> Request:
    """Return the request for the conversations with a contact. New ones show up seconds late."""
    query = {"locationId": location_id, "contactId": contact_id, "limit": "20"}
    return Request("GET", "/conversations/search", Version.CONVERSATIONS, query=query)


def messages(conversation_id: str) -> Request:
    """Return the request for the latest messages of a conversation."""
    where = path("/conversations/{id}/messages", id=conversation_id)
    return Request("GET", where, Version.CONVERSATIONS, query={"limit": "50"})


def opportunity(opportunity_id: str) -> Request:
    """Return the request for an opportunity: `opportunity` in the answer."""
    return Request("GET", path("/opportunities/{id}", id=opportunity_id), Version.OPPORTUNITIES)


def opportunities(location_id: str, contact_id: str, pipeline_id: str) -> Request:
    """Return the request for a contact's opportunities in a pipeline, at most 100."""
    query = {"location_id": location_id, "contact_id": contact_id, "pipeline_id": pipeline_id, "limit": "100"}
    return Request("GET", "/opportunities/search", Version.OPPORTUNITIES, query=query)


def _milliseconds(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1000))
