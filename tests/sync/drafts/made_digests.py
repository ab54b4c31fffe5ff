"""Drafts, and what came of them, as tests of digests want them."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from sync.models import AppointmentState, Draft, Insight, Location, Message


def location(id: str = "loc-1", zone: str = "UTC", *, now: datetime) -> Location:
    found, _ = Location.objects.get_or_create(
        pk=id, defaults={"name": id, "timezone": zone, "created_at": now}
    )
    return found


def draft(at: datetime, state: str = "review", **given: Any) -> Draft:
    """A draft of trainer t-1 for client c-1, asked for at this moment; a sent one was sent then."""
    fields: dict[str, Any] = {
        "id": uuid4(),
        "trainer_id": "t-1",
        "client_id": "c-1",
        "contact_id": f"contact-{given.get('client_id', 'c-1')}",
        "location": given.get("location") or location(now=at),
        "channel": "sms",
        "kind": "weekly_checkin",
        "state": state,
        "next_at": at,
        "based_at": at,
        "created_at": at,
        "correlation_id": "cid",
    }
    if state in ("sent", "undelivered", "scheduled"):
        fields |= {"approved_at": at, "approved_by": "staff:1", "sent_at": at if state == "sent" else None}
    if state in ("sent", "dismissed"):
        fields["ended_at"] = at
    if state == "failed":
        fields["code"] = "timeout"
    return Draft.objects.create(**fields | given)


def insight(at: datetime, kind: str = "risk", **given: Any) -> Insight:
    fields: dict[str, Any] = {"trainer_id": "t-1", "client_id": "c-1", "correlation_id": "cid"}
    return Insight.objects.create(id=uuid4(), kind=kind, created_at=at, **fields | given)


def message(at: datetime, client: str = "c-1", direction: str = "inbound") -> Message:
    return Message.objects.create(
        location=location(now=at),
        message_id=str(uuid4()),
        contact_id=f"contact-{client}",
        direction=direction,
        channel="sms",
        at=at,
    )


def booking(at: datetime, client: str = "c-1") -> AppointmentState:
    return AppointmentState.objects.create(
        location=location(now=at),
        appointment_id=str(uuid4()),
        contact_id=f"contact-{client}",
        added_at=at,
        first_seen_at=at,
    )
