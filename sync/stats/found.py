"""What an id leads to: jobs, webhooks, letters, operations, and what is known of contacts and appointments.

The rule: whole ids, each found by an index, at most so many rows; what they lead to are correlation ids.
Whoever asks for a page sets a limit of time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import DateTimeField, ExpressionWrapper, F, QuerySet

from sync.models import (
    AppointmentState,
    BulkItem,
    BulkOperation,
    ContactState,
    DeadLetter,
    Draft,
    Location,
    SyncJob,
    Webhook,
)
from sync.models.job import APPOINTMENT, CONTACT

# The same id at two locations is rare, and at many a mistake.
_MOST_RECORDS = 10
# An index of keys begins with the location, so each location is asked.
_MOST_LOCATIONS = 2_000
_OF_A_JOB = ("operation", "state", "location_id", "created_at", "correlation_id")
# An order that no index serves: PostgreSQL might follow one through all webhooks instead of the id's.
_NEWEST = ExpressionWrapper(F("received_at") + timedelta(0), output_field=DateTimeField()).desc()
_ASKED = ExpressionWrapper(F("created_at") + timedelta(0), output_field=DateTimeField()).desc()


@dataclass(frozen=True, slots=True)
class Trail:
    """Something that happened under a correlation id. kind: a word for staff. what: operation or topic."""

    kind: str
    what: str
    state: str
    location_id: str
    at: datetime
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Record:
    """A record with a page of its own. model: as Django's admin calls its pages. key: its primary key."""

    model: str
    key: object
    title: str
    location_id: str = ""


def job(job_id: UUID) -> list[Trail]:
    """Return a job by its id."""
    return _jobs(SyncJob.objects.filter(pk=job_id), 1)


def jobs_under(correlation_id: str, most: int) -> list[Trail]:
    """Return the newest jobs that were enqueued under a correlation id."""
    return _jobs(SyncJob.objects.filter(correlation_id=correlation_id), most, order="-created_at")


def jobs_about(ghl_id: str, most: int) -> list[Trail]:
    """Return the newest jobs about a contact or an appointment, by the id that GoHighLevel gave it."""
    found = []
    for about in (CONTACT, APPOINTMENT):
        found += _jobs(SyncJob.objects.alias(about=about).filter(about=ghl_id), most)
    return found


def jobs_keyed(idempotency_key: str, most: int) -> list[Trail]:
    """Return the jobs that were enqueued with an idempotency key, at whatever location."""
    places = Location.objects.values_list("pk", flat=True)[:_MOST_LOCATIONS]
    keyed = SyncJob.objects.filter(location__in=list(places), idempotency_key=idempotency_key)
    # Not in order: PostgreSQL might follow the order through all of a location's jobs.
    return _trails("Job", keyed.exclude(idempotency_key="").order_by().values_list(*_OF_A_JOB)[:most])


def jobs_of_bulk(number: int, most: int) -> list[Trail]:
    """Return the newest jobs whose letters a bulk operation has in its set."""
    items = BulkItem.objects.filter(operation=number).order_by("-pk")[:most]
    ids = [job_id for job_id in items.values_list("letter__job", flat=True) if job_id]
    return _jobs(SyncJob.objects.filter(pk__in=ids), most)


def webhook(number: int) -> list[Trail]:
    """Return a webhook by our own number."""
    return _webhooks(Webhook.objects.filter(pk=number), 1)


def webhooks_under(correlation_id: str, most: int) -> list[Trail]:
    """Return the newest webhooks that came in under a correlation id."""
    return _webhooks(Webhook.objects.filter(correlation_id=correlation_id), most)


def webhooks_about(ghl_id: str, most: int) -> list[Trail]:
    """Return the newest webhooks about a contact or another object, or the one that GoHighLevel calls so."""
    # Each alone, for each has an index of its own; without `<> ''` none of the partial ones is used.
    about = Webhook.objects.exclude(contact_id="").filter(contact_id=ghl_id)
    of_object = Webhook.objects.exclude(object_id="").filter(object_id=ghl_id)
    named = Webhook.objects.filter(dedupe_key=ghl_id)
    return [trail for rows in (about, of_object, named) for trail in _webhooks(rows, most)]


def letter(number: int) -> list[Trail]:
    """Return where the dead letter of a number belongs: to the journey of its job or webhook."""
    fields = (
        "job__correlation_id",
        "webhook__correlation_id",
        "state",
        "location_id",
        "died_at",
        "group__subject",
    )
    rows = DeadLetter.objects.filter(pk=number).values_list(*fields)
    return [
        Trail(f"Dead letter {number}", subject, state, location_id or "", died_at, of_job or of_webhook or "")
        for of_job, of_webhook, state, location_id, died_at, subject in rows
    ]


def bulk(number: int) -> list[Record]:
    """Return a bulk operation by its number."""
    rows = BulkOperation.objects.filter(pk=number)
    return [Record("sync_bulkoperation", one.pk, f"Bulk operation {one.pk}") for one in rows]


def draft(draft_id: UUID) -> list[Trail]:
    """Return a draft by its id."""
    return _drafts(Draft.objects.filter(pk=draft_id), 1)


def drafts_under(correlation_id: str, most: int) -> list[Trail]:
    """Return the newest drafts that were asked for under a correlation id."""
    return _drafts(Draft.objects.filter(correlation_id=correlation_id), most)


def drafts_about(person_id: str, most: int) -> list[Trail]:
    """Return the newest drafts for a client, by TrainU's id or by GoHighLevel's."""
    of_contact = Draft.objects.filter(contact_id=person_id)
    of_client = Draft.objects.filter(client_id=person_id)
    return [trail for rows in (of_contact, of_client) for trail in _drafts(rows, most)]


def contacts(ghl_id: str) -> list[Record]:
    """Return what is known of a contact, one record a location."""
    rows = ContactState.objects.filter(contact_id=ghl_id)
    return _records("sync_contactstate", f"Contact {ghl_id}", rows)


def appointments(ghl_id: str) -> list[Record]:
    """Return what is known of an appointment, or of those of a contact."""
    known = AppointmentState.objects.filter(appointment_id=ghl_id)
    of_contact = AppointmentState.objects.exclude(contact_id="").filter(contact_id=ghl_id).order_by("-pk")
    return [
        *_records("sync_appointmentstate", f"Appointment {ghl_id}", known),
        *(
            Record("sync_appointmentstate", one.pk, str(one), one.location_id)
            for one in of_contact[:_MOST_RECORDS]
        ),
    ]


def location_names(location_ids: Iterable[str]) -> dict[str, str]:
    """Return what locations are called, by their ids."""
    return dict(Location.objects.filter(pk__in=set(location_ids)).values_list("pk", "name"))


def _records(model: str, title: str, rows: QuerySet[Any]) -> list[Record]:
    return [Record(model, one.pk, title, one.location_id) for one in rows[:_MOST_RECORDS]]


def _jobs(rows: QuerySet[SyncJob], most: int, *, order: str = "-position") -> list[Trail]:
    return _trails("Job", rows.order_by(order).values_list(*_OF_A_JOB)[:most])


def _webhooks(rows: QuerySet[Webhook], most: int) -> list[Trail]:
    fields = ("topic", "state", "location_id", "received_at", "correlation_id")
    return _trails("Webhook", rows.order_by(_NEWEST).values_list(*fields)[:most])


def _drafts(rows: QuerySet[Draft], most: int) -> list[Trail]:
    fields = ("kind", "state", "location_id", "created_at", "correlation_id")
    return _trails("Draft", rows.order_by(_ASKED).values_list(*fields)[:most])


def _trails(kind: str, rows: Iterable[tuple[str, str, str | None, datetime, str]]) -> list[Trail]:
    return [
        Trail(kind, what, state, location_id or "", at, correlation_id)
        for what, state, location_id, at, correlation_id in rows
    ]
