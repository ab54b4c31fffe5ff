"""The demo's trainers, their clients, and what their app says of them: the same each time, from the seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from trainu.demo.rhythm import new_id
from trainu.demo.studios import Studio

COUNT = 3
CLIENTS_EACH = 12
_NAMES = ("Robin", "Alex", "Sam")
# Why the app suggests a draft of a kind, in its words.
REASONS = {
    "booking_confirmation": "Booked a session in the app",
    "booking_reminder": "Has a session tomorrow",
    "booking_reschedule": "The session was moved by the studio",
    "no_show_recovery": "Did not come to the last session",
    "progress_celebration": "Has reached the goal of this month",
    "at_risk_outreach": "Has not trained for two weeks",
    "weekly_checkin": "Weekly check-in is due",
    "general_reply": "Has written, and nobody has answered",
}
# What an insight of a kind says.
INSIGHTS = {
    "risk": "Has not opened the app for twelve days.",
    "attendance": "Came to one of the last four sessions.",
    "progress": "Lifts a fifth more than a month ago.",
}


@dataclass(frozen=True, slots=True)
class Client:
    """client_id: as the app calls them; contact_id: as GoHighLevel does. person: what the app knows."""

    client_id: str
    contact_id: str
    person: dict[str, str]


@dataclass(frozen=True, slots=True)
class Coach:
    trainer_id: str
    name: str
    location_id: str
    clients: tuple[Client, ...]


def coaches(studios: Sequence[Studio], seed: int) -> list[Coach]:
    """Return the trainers, one a studio."""
    rng = Random(f"{seed}:coaches")
    return [
        Coach(
            new_id(rng, "t"),
            name,
            studio.id,
            tuple(
                Client(new_id(rng, "c"), contact, dict(studio.people.get(contact, {})))
                for contact in studio.contacts[:CLIENTS_EACH]
            ),
        )
        for name, studio in zip(_NAMES[:COUNT], studios, strict=False)
    ]


def wish(coach: Coach, client: Client, kind: str, channel: str, *, now: datetime) -> dict[str, Any]:
    """Return what an app sends to have a draft written."""
    context: dict[str, Any] = {
        "client": client.person,
        "trainer": {"name": coach.name},
        "reason": REASONS[kind],
    }
    if kind.startswith("booking_"):
        starts_at = (now + timedelta(hours=26)).replace(minute=0, second=0, microsecond=0)
        context["booking"] = {"starts_at": starts_at.isoformat(), "title": "Training session"}
    if kind == "booking_reschedule":
        context["booking"]["previous_starts_at"] = (starts_at - timedelta(days=1)).isoformat()
    if kind == "progress_celebration":
        context["goal"] = {"title": "Ten kilometres", "reached": True}
    if kind == "general_reply":
        context["last_message"] = "Can I train with a cold?"
    return {
        "trainer_id": coach.trainer_id,
        "client_id": client.client_id,
        "contact_id": client.contact_id,
        "location_id": coach.location_id,
        "channel": channel,
        "kind": kind,
        "context": context,
    }


def insight(coach: Coach, client: Client, kind: str) -> dict[str, Any]:
    """Return what an app sends to tell of something that was found out."""
    return {
        "trainer_id": coach.trainer_id,
        "client_id": client.client_id,
        "kind": kind,
        "text": INSIGHTS[kind],
        "impact": {"risk": 85, "attendance": 65, "progress": 35}[kind],
        "contact_id": client.contact_id,
        "location_id": coach.location_id,
    }
