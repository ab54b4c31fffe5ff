"""What a list of events tells, read naively: people, their milestones, bookings, drafts and messages.

The rule: events, a zone and a moment go in, and plain values come out; nothing of `observability.dashboards`
is asked but the question's days and filters, so that what is computed here can contradict it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from observability.capture import Occurrence
from observability.catalog import CATALOG, Event

UNKNOWN = "unknown"
FEATURES = {
    "login": {"user_logged_in"},
    "directory": {"directory_search", "trainer_profile_viewed", "booking_cta_clicked"},
    "booking": {"booking_scheduled", "booking_confirmed", "booking_rescheduled", "booking_canceled"},
    "inbox": {"trainer_approved"},
    "digest": {"weekly_digest_viewed"},
    "goals": {"goal_updated", "goal_achieved", "progress_logged"},
    "files": {"file_uploaded"},
    "templates": {"template_applied"},
}
BOOKING_TURNS = {
    "booking_scheduled",
    "booking_confirmed",
    "booking_rescheduled",
    "booking_canceled",
    "no_show",
}


@dataclass(frozen=True, slots=True)
class Told:
    """One event, as plain values. properties: as declared, without those that are None."""

    name: str
    distinct_id: str
    timestamp: datetime
    uuid: UUID
    properties: Mapping[str, Any]


@dataclass(slots=True)
class Person:
    """A distinct id. Moments are those of the first event of a kind. furthest: (position, step).

    steps: every (position, step) told of the person. trainer: "" where nobody is named.
    """

    distinct_id: str
    trainer: str = ""
    segment: str = UNKNOWN
    registered_at: datetime | None = None
    onboarded_at: datetime | None = None
    booked_at: datetime | None = None
    insight_at: datetime | None = None
    steps: set[tuple[int, str]] = field(default_factory=set)

    @property
    def furthest(self) -> tuple[int, str] | None:
        return max(self.steps, default=None)


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking as its last event leaves it. state: booked, canceled or missed (no-show).

    scheduled_at: its first booking_scheduled, None where none was told. segment: the last that was named.
    """

    booking_id: str
    client_id: str
    trainer: str
    segment: str
    starts_at: datetime
    state: str
    scheduled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Draft:
    draft_id: str
    client_id: str
    trainer: str
    drafted_at: datetime | None
    approved_at: datetime | None
    sent_at: datetime | None
    is_edited: bool


@lru_cache(maxsize=10_000)
def first_moment(day: date, zone: str) -> datetime:
    """Return the first moment of a day: the first quarter of an hour whose local date is that day."""
    at = datetime.combine(day, time(), UTC) - timedelta(hours=16)
    while at.astimezone(ZoneInfo(zone)).date() < day:
        at += timedelta(minutes=15)
    return at


def local_day(at: datetime, zone: str) -> date:
    return at.astimezone(ZoneInfo(zone)).date()


def monday_of(day: date) -> date:
    return day - timedelta(days=day.isoweekday() - 1)


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the value below which a share of the values lies, interpolated linearly; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def told(one: Occurrence | Told) -> Told:
    if isinstance(one, Told):
        return one
    # Of a custom event they are plain already.
    event = one.event
    properties = event.model_dump(exclude_none=True) if isinstance(event, Event) else event.properties
    return Told(one.event.name, one.distinct_id, one.timestamp, one.uuid, properties)


class Past:
    """All that a list of events tells. The same uuid told twice is told once; the list's order is nothing.

    events: by (timestamp, uuid). people: by distinct id, everybody who is named or has acted. bookings,
    drafts: as they are after the last event. inbound: (whom it may be from: client or contact, when).
    """

    def __init__(self, events: Iterable[Occurrence | Told]) -> None:
        once = {one.uuid: told(one) for one in events}
        self.events = sorted(once.values(), key=lambda one: (one.timestamp, one.uuid))
        self.people = self._people()
        self.bookings = [self._booking(turns) for turns in self._by("booking_id", BOOKING_TURNS).values()]
        kinds = {"message_drafted", "trainer_approved", "message_sent"}
        self.drafts = [self._draft(turns) for turns in self._by("draft_id", kinds).values()]
        self.inbound = [
            (one.properties[name], one.timestamp)
            for one in self.events
            if one.name == "webhook_received" and one.properties["topic"] == "inbound_message"
            for name in ("client_id", "contact_id")
            if name in one.properties
        ]

    def human(self) -> list[Told]:
        """Return the events that make who has sent them active."""
        return [one for one in self.events if one.name in CATALOG and CATALOG[one.name].human]

    def person(self, distinct_id: str) -> Person:
        return self.people.get(distinct_id) or Person(distinct_id)

    def _by(self, key: str, names: set[str]) -> dict[str, list[Told]]:
        found: dict[str, list[Told]] = defaultdict(list)
        for one in self.events:
            if one.name in names:
                found[one.properties[key]].append(one)
        return found

    def _people(self) -> dict[str, Person]:
        people: dict[str, Person] = {}
        trainers: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
        segments: dict[str, list[tuple[datetime, str]]] = defaultdict(list)

        def meet(distinct_id: str) -> Person:
            return people.setdefault(distinct_id, Person(distinct_id))

        # In the order of time: what is set first is the earliest.
        for one in self.events:
            said, at = one.properties, one.timestamp
            meet(one.distinct_id)
            if one.name == "user_registered":
                person = meet(f"{said['role']}:{said['user_id']}")
                person.registered_at = person.registered_at or at
            elif one.name == "onboarding_step_completed":
                meet(f"{said['role']}:{said['user_id']}").steps.add((said["position"], said["step"]))
            elif one.name == "trainer_onboarded":
                person = meet(f"trainer:{said['trainer_id']}")
                person.onboarded_at = person.onboarded_at or at
            elif one.name == "client_onboarded":
                person = meet(f"client:{said['client_id']}")
                person.onboarded_at = person.onboarded_at or at
            elif one.name == "booking_scheduled":
                person = meet(f"client:{said['client_id']}")
                person.booked_at = person.booked_at or at
            elif one.name == "insight_created":
                person = meet(f"client:{said['client_id']}")
                person.insight_at = person.insight_at or at
            if one.name == "client_onboarded" or one.name in BOOKING_TURNS:
                who = meet(f"client:{said['client_id']}").distinct_id
                trainers[who].append((at, said["trainer_id"]))
                if "segment" in said:
                    segments[who].append((at, said["segment"]))
        for who, person in people.items():
            if who.startswith("trainer:"):
                person.trainer = who.removeprefix("trainer:")
            elif who in trainers:
                person.trainer = max(trainers[who])[1]
            if who in segments:
                person.segment = max(segments[who])[1]
        return people

    @staticmethod
    def _booking(turns: list[Told]) -> Booking:
        last = turns[-1].properties
        segments = [one.properties["segment"] for one in turns if "segment" in one.properties]
        scheduled = [one.timestamp for one in turns if one.name == "booking_scheduled"]
        states = {"booking_canceled": "canceled", "no_show": "missed"}
        return Booking(
            booking_id=last["booking_id"],
            client_id=last["client_id"],
            trainer=last["trainer_id"],
            segment=segments[-1] if segments else UNKNOWN,
            starts_at=last["starts_at"],
            state=states.get(turns[-1].name, "booked"),
            scheduled_at=min(scheduled, default=None),
        )

    @staticmethod
    def _draft(turns: list[Told]) -> Draft:
        first: dict[str, datetime] = {}
        for one in turns:
            first.setdefault(one.name, one.timestamp)
        return Draft(
            draft_id=turns[0].properties["draft_id"],
            client_id=turns[0].properties["client_id"],
            trainer=turns[0].properties["trainer_id"],
            drafted_at=first.get("message_drafted"),
            approved_at=first.get("trainer_approved"),
            sent_at=first.get("message_sent"),
            is_edited=any(one.properties.get("edited", False) for one in turns),
        )
