"""What the AI agent writes in the demo, what trainers approve of it, what is sent and answered.

A draft is drawn with its whole fate on the day it is written; approval and answer may come later.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from random import Random
from typing import Literal

from observability.catalog.agent import (
    DraftKind,
    InsightCreated,
    MessageDrafted,
    MessageSent,
    TrainerApproved,
)
from observability.catalog.sync import WebhookReceived
from trainu.demo import goals
from trainu.demo.bookings import Turn, known_on, turns_on
from trainu.demo.people import HOUR, Client, clients_around, clients_joining
from trainu.demo.rhythm import Happening, days_before, dice, later, lognormal_ms, moment, new_id

# Written late, approved next morning, answered two days after that.
DRAFT_DAYS = 4
# A client's first insight comes within so many days of joining.
FIRST_INSIGHT_DAYS = 14
ANSWER_WITHIN = 47 * HOUR
MODELS = ("gpt-5-mini", "gpt-5-mini", "claude-haiku-4-5")
# What a change of a booking makes the agent write, and how often.
ABOUT_BOOKINGS: dict[Turn, tuple[DraftKind, float]] = {
    "scheduled": ("booking_confirmation", 0.85),
    "rescheduled": ("booking_reschedule", 0.8),
    "no_show": ("no_show_recovery", 0.85),
}


@dataclass(frozen=True, slots=True)
class Draft:
    draft_id: str
    client: Client
    kind: DraftKind
    channel: Literal["sms", "email"]
    drafted_at: datetime
    approved_at: datetime | None
    sent_at: datetime | None
    answered_at: datetime | None
    edited: bool


def happenings(seed: int, on: date) -> Iterator[Happening]:
    rng = dice(seed, on, "agent")
    for past in days_before(on, DRAFT_DAYS):
        for draft in drafts_of(seed, past):
            yield from _changes(rng, draft, on)
    yield from _insights(rng, seed, on)


@lru_cache(maxsize=16)
def drafts_of(seed: int, on: date) -> tuple[Draft, ...]:
    """Return what the agent writes about what happens on a day."""
    rng = dice(seed, on, "drafts")
    return tuple(_draft(rng, at, client, kind) for at, client, kind in _occasions(rng, seed, on))


def _occasions(rng: Random, seed: int, on: date) -> Iterator[tuple[datetime, Client, DraftKind]]:
    for at, turn, booking in turns_on(seed, on):
        kind, share = ABOUT_BOOKINGS.get(turn, ("general_reply", 0.0))
        if rng.random() < share:
            yield at, booking.client, kind
    evening, tomorrow = datetime.combine(on, time(17), UTC), on + timedelta(days=1)
    for booking in known_on(seed, on):
        if tomorrow not in (booking.first_start.date(), booking.last_start.date()):
            continue
        stands = booking.turns[0][0] < evening and not booking.is_called_off(evening)
        if stands and booking.start_after(evening).date() == tomorrow:
            yield later(evening, rng, 0, HOUR), booking.client, "booking_reminder"
    checkins = 0.2 if on.weekday() == 0 else 0.01
    for client in clients_around(seed, on):
        luck = rng.random()
        if luck < checkins:
            yield moment(rng, on), client, "weekly_checkin"
        elif luck < checkins + 0.02:
            yield moment(rng, on), client, "general_reply"
        elif luck < 0.9 and goals.stage(client, client.training_days(on) - 1) == "reached":
            yield moment(rng, on), client, "progress_celebration"
        elif luck > 0.4 and (client.leaves_on - on).days == 2:
            yield moment(rng, on), client, "at_risk_outreach"


def _draft(rng: Random, at: datetime, client: Client, kind: DraftKind) -> Draft:
    drafted_at = later(at, rng, 4, 60)
    approved_at = sent_at = answered_at = None
    if rng.random() < 0.55 + 0.4 * client.trainer.diligence:
        approved_at = _awake(rng, later(drafted_at, rng, 60, 60 + rng.expovariate(1 / 2) * HOUR))
    if approved_at and rng.random() < 0.985:
        sent_at = later(approved_at, rng, 2, 90)
    if sent_at and rng.random() < 0.42:
        answered_at = later(sent_at, rng, 60, min(60 + rng.expovariate(1 / 8) * HOUR, ANSWER_WITHIN))
    return Draft(
        draft_id=new_id(rng, "d"),
        client=client,
        kind=kind,
        channel="sms" if rng.random() < 0.72 else "email",
        drafted_at=drafted_at,
        approved_at=approved_at,
        sent_at=sent_at,
        answered_at=answered_at,
        edited=rng.random() < 0.22,
    )


def _awake(rng: Random, at: datetime) -> datetime:
    """Return the time itself by day, and the next morning for one at night."""
    if 7 <= at.hour < 21:
        return at
    morning = at.date() + timedelta(days=1 if at.hour >= 21 else 0)
    return later(datetime.combine(morning, time(7), UTC), rng, 0, 2 * HOUR)


def _changes(rng: Random, draft: Draft, on: date) -> Iterator[Happening]:
    client, trainer = draft.client, draft.client.trainer
    said: dict[str, str] = {
        "draft_id": draft.draft_id,
        "client_id": client.client_id,
        "trainer_id": trainer.trainer_id,
    }
    kind, channel = draft.kind, draft.channel
    if draft.drafted_at.date() == on:
        took = lognormal_ms(rng, 2400, 0.5)
        drafted = MessageDrafted(
            **said, kind=kind, channel=channel, duration_ms=took, model=rng.choice(MODELS)
        )
        yield draft.drafted_at, client.distinct_id, drafted
        if kind == "general_reply":
            yield draft.drafted_at - timedelta(seconds=4), "svc:sync", _inbound(rng, client)
    if draft.approved_at and draft.approved_at.date() == on:
        approved = TrainerApproved(**said, kind=kind, channel=channel, edited=draft.edited)
        yield draft.approved_at, trainer.distinct_id, approved
    if draft.sent_at and draft.sent_at.date() == on:
        sent = MessageSent(
            **said, kind=kind, channel=channel, job_id=new_id(rng, "j"), location_id=trainer.location_id
        )
        yield draft.sent_at, client.distinct_id, sent
    if draft.answered_at and draft.answered_at.date() == on:
        yield draft.answered_at, "svc:sync", _inbound(rng, client)


def _inbound(rng: Random, client: Client) -> WebhookReceived:
    """Return the webhook by which a message of a client comes in."""
    return WebhookReceived(
        webhook_id=new_id(rng, "wh"),
        location_id=client.trainer.location_id,
        topic="inbound_message",
        contact_id=client.contact_id,
        client_id=client.client_id,
        duration_ms=lognormal_ms(rng, 9, 0.5),
    )


def _insights(rng: Random, seed: int, on: date) -> Iterator[Happening]:
    for past in days_before(on, FIRST_INSIGHT_DAYS):
        for client in clients_joining(seed, past):
            at = client.first_insight_at
            if at and at.date() == on and on <= client.leaves_on:
                yield at, client.distinct_id, _insight(rng, client)
    for client in clients_around(seed, on):
        settled = client.first_insight_at and client.first_insight_at.date() < on
        if rng.random() < 0.03 and settled:
            yield moment(rng, on), client.distinct_id, _insight(rng, client)


def _insight(rng: Random, client: Client) -> InsightCreated:
    return InsightCreated(
        insight_id=new_id(rng, "i"),
        client_id=client.client_id,
        trainer_id=client.trainer.trainer_id,
        kind=rng.choices(("attendance", "progress", "risk"), (35, 45, 20))[0],
    )
