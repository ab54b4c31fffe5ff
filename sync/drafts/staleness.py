"""Drafts whose client has done something since: they are marked, and what was approved is asked about again.

The rules: what counts is when it happened there, as far as GoHighLevel says. An approved draft comes back to
its reviewer when its client has done what the reviewer cannot have known, and nothing of it has left; the
service does that, and it is in the audit log.

A booking is no act of the client's where a job of ours made the change: the app that has asked for the job
knows of it, and asks for its draft (a confirmation, a new time) about that very change. The webhook may
overtake the answer to our request, so a job that is under way, or ended within minutes of the change, counts
as having made it. A confirmation and a no-show are no acts of theirs either: others set them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from sync import signals
from sync.drafts import recalling
from sync.models import Draft, SyncJob
from sync.models.job import APPOINTMENT, CONTACT
from sync.signals import Act, BookingChanged
from sync.transitions import State as JobState

State = Draft.State

# Who recalls, as the audit log names the service.
SERVICE = "system"
BOOKED = frozenset({"scheduled", "rescheduled", "canceled"})
CLOCK_SKEW = timedelta(minutes=2)
_OPEN = (State.WAITING, State.WRITING, State.REVIEW, State.FAILED, State.SCHEDULED)
_MOST = 200


@dataclass(frozen=True, slots=True)
class ClientActed:
    """A client wrote or booked. at: when it happened there."""

    contact_id: str
    location_id: str
    act: Draft.ClientAct
    at: datetime


def note(acts: Sequence[ClientActed], *, now: datetime) -> None:
    """Mark the open drafts of clients who have acted. Inside the caller's transaction."""
    last: dict[tuple[str, str], ClientActed] = {}
    for one in sorted(acts, key=lambda one: one.at):
        last[one.contact_id, one.location_id] = one
    for key in sorted(last):
        _mark(last[key], now)


def note_bookings(bookings: Sequence[BookingChanged], *, now: datetime) -> None:
    """Mark open drafts of clients who have booked, moved or cancelled. Inside the caller's transaction."""
    theirs = [one for one in bookings if one.change in BOOKED and one.contact_id]
    if not theirs:
        return
    drafts = Draft.objects.filter(contact_id__in={one.contact_id for one in theirs}, state__in=_OPEN)
    with_drafts = set(drafts.values_list("contact_id", "location_id"))
    acts = [
        ClientActed(one.contact_id, one.location_id, Draft.ClientAct.BOOKED, one.at)
        for one in theirs
        if (one.contact_id, one.location_id) in with_drafts and not _is_ours(one)
    ]
    note(acts, now=now)


def _mark(acted: ClientActed, now: datetime) -> None:
    older = Q(client_acted_at=None) | Q(client_acted_at__lt=acted.at)
    of_client = Q(contact_id=acted.contact_id, location_id=acted.location_id, state__in=_OPEN)
    drafts = list(Draft.objects.filter(older, of_client).order_by("pk").select_for_update()[:_MOST])
    jobs = _untouched([one.job_id for one in drafts if one.job_id and acted.at > one.based_at])
    recalled = []
    for draft in drafts:
        draft.client_acted_at, draft.client_act = acted.at, acted.act
        if draft.state == State.SCHEDULED and draft.job_id in jobs:
            recalling.take_back(draft, jobs[draft.job_id], now=now)
            recalled.append(draft)
    Draft.objects.bulk_update(drafts, ["client_acted_at", "client_act", *recalling.CHANGES])
    if recalled:
        why = f"The client {Draft.ClientAct(acted.act).label} since."
        told = [Act("draft.recall", recalling.TARGET, str(one.pk), why, SERVICE) for one in recalled]
        signals.acted.send(sender=None, acts=told)


def _untouched(ids: Sequence[UUID]) -> dict[UUID, SyncJob]:
    """Return those of the jobs of which nothing has left, locked.

    Everybody else locks a job before its draft. Whoever has one locked is not waited for, then: it is about
    to be sent or settled, or a person recalls it.
    """
    if not ids:
        return {}
    jobs = SyncJob.objects.filter(pk__in=ids).defer("payload")
    locked = jobs.order_by("position").select_for_update(skip_locked=True, no_key=True)
    return {job.pk: job for job in locked if recalling.is_untouched(job)}


def _is_ours(booking: BookingChanged) -> bool:
    """Whether a job of ours has made this change, or may have: about this appointment, at that time."""
    about = Q(of_appointment=booking.appointment_id) | Q(
        of_contact=booking.contact_id, operation="appointment.create"
    )
    jobs = SyncJob.objects.alias(of_contact=CONTACT, of_appointment=APPOINTMENT).filter(
        about, location_id=booking.location_id, operation__startswith="appointment.", fence__gt=0
    )
    may_have = jobs.filter(
        Q(settled_at=None) | Q(settled_at__gte=booking.at - CLOCK_SKEW, state=JobState.SUCCEEDED),
        created_at__lte=booking.at + CLOCK_SKEW,
    )
    return may_have.exists()
