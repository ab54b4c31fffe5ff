"""Events written down by hand, as short as can be: what the oracle's own tests, and any example, are made of.

The rule: local time in, UTC out; what a test does not care about has a value here that does not matter.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from uuid_utils.compat import uuid7

from observability.capture import Occurrence
from observability.catalog import agent, booking, goals, onboarding, sync
from observability.catalog.event import Event
from observability.dashboards.question import Question

UTC = ZoneInfo("UTC")


def at(words: str, zone: str = "UTC", *, fold: int = 0) -> datetime:
    """Return the moment of a local time; fold 1: the second one of a time that a change of clocks repeats."""
    return datetime.fromisoformat(words).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def question(first: str, last: str, zone: str = "UTC", **filters: str) -> Question:
    return Question(date.fromisoformat(first), date.fromisoformat(last), zone, **filters)


def tell(when: datetime, who: str, event: Event, *, uuid: UUID | None = None) -> Occurrence:
    return Occurrence(event, who, when, uuid or uuid7())


def registered(client_id: str, when: datetime, *, role: Any = "client", who: str = "") -> Occurrence:
    event = onboarding.UserRegistered(user_id=client_id, role=role)
    return tell(when, who or f"{role}:{client_id}", event)


def onboarded(
    client_id: str, when: datetime, *, trainer: str = "t1", segment: str | None = None
) -> Occurrence:
    event = onboarding.ClientOnboarded(
        client_id=client_id, trainer_id=trainer, segment=segment, duration_s=1.0
    )
    return tell(when, f"client:{client_id}", event)


def step(user_id: str, when: datetime, name: str, position: int, *, role: Any = "client") -> Occurrence:
    event = onboarding.OnboardingStepCompleted(user_id=user_id, role=role, step=name, position=position)
    return tell(when, f"{role}:{user_id}", event)


def insight(client_id: str, when: datetime) -> Occurrence:
    event = agent.InsightCreated(insight_id="i1", client_id=client_id, trainer_id="t1", kind="risk")
    return tell(when, "svc:agent", event)


def seen(who: str, when: datetime) -> Occurrence:
    """Somebody has logged in, and so was active."""
    return tell(when, who, onboarding.UserLoggedIn(user_id="u1", role="client"))


def turn(
    kind: type[booking.BookingEvent],
    when: datetime,
    starts_at: datetime,
    *,
    number: str = "b1",
    client: str = "c1",
    trainer: str = "t1",
    segment: str | None = None,
    uuid: UUID | None = None,
) -> Occurrence:
    """One turn of a booking."""
    moved: dict[str, Any] = {"previous_starts_at": starts_at} if kind is booking.BookingRescheduled else {}
    event = kind(
        booking_id=number,
        client_id=client,
        trainer_id=trainer,
        starts_at=starts_at,
        segment=segment,
        **moved,
    )
    return tell(when, f"client:{client}", event, uuid=uuid)


def draft(number: str, client: str = "c1", trainer: str = "t1") -> dict[str, Any]:
    return {
        "draft_id": number,
        "client_id": client,
        "trainer_id": trainer,
        "kind": "weekly_checkin",
        "channel": "sms",
    }


def drafted(number: str, when: datetime, **whose: str) -> Occurrence:
    return tell(when, "svc:agent", agent.MessageDrafted(**draft(number, **whose), duration_ms=1.0))


def approved(number: str, when: datetime, *, edited: bool = False, **whose: str) -> Occurrence:
    return tell(when, "trainer:t1", agent.TrainerApproved(**draft(number, **whose), edited=edited))


def sent(number: str, when: datetime, **whose: str) -> Occurrence:
    return tell(when, "svc:sync", agent.MessageSent(**draft(number, **whose)))


def webhook(
    when: datetime, *, topic: str = "inbound_message", duration_ms: float = 1.0, **of: str
) -> Occurrence:
    event = sync.WebhookReceived(
        webhook_id="w1", location_id=of.pop("location", "l1"), topic=topic, duration_ms=duration_ms, **of
    )
    return tell(when, "svc:sync", event)


def goal(who: str, when: datetime, *, client: str = "c1") -> Occurrence:
    event = goals.GoalAchieved(goal_id="g1", client_id=client, trainer_id="t1", kind="habit")
    return tell(when, who, event)


def attempt(
    kind: type[sync.AttemptEvent],
    when: datetime,
    *,
    location: str = "l1",
    operation: str = "contact.upsert",
    ms: float = 1.0,
    settled_s: float = 1.0,
    code: str = "timeout",
) -> Occurrence:
    """The end of one attempt."""
    said: dict[str, Any] = {
        "job_id": "j1",
        "location_id": location,
        "operation": operation,
        "attempt": 1,
        "duration_ms": ms,
    }
    if kind is not sync.SyncRetry:
        said["settled_after_s"] = settled_s
    if kind is not sync.SyncOk:
        said["code"] = code
    if kind is sync.SyncRetry:
        said["retry_in_s"] = 60.0
    if kind is sync.SyncDropped:
        said["reason"] = "permanent"
    return tell(when, "svc:sync", kind(**said))
