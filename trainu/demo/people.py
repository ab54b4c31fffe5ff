"""Who takes part in the demo: trainers and clients, each with a fate that is drawn on the day of joining.

The rule: what a person does later is coherent because habits and turning points are drawn here, once.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from math import exp
from random import Random

from trainu.demo.rhythm import WEEKDAYS, days_before, dice, growth, how_many, later, moment, new_id

TRAINERS_A_DAY = 2.0
CLIENTS_A_DAY = 12.0
LOCATIONS = 24
# Nobody stays longer: it bounds how far back a day has to look.
TRAINER_STAYS_AT_MOST = 270
CLIENT_STAYS_AT_MOST = 180
# For so long after joining a trainer accepts new clients.
TRAINER_IS_OPEN_FOR = 120
NEW_FOR_DAYS = 28
HOUR = 3600.0
DAY = 86_400.0
# Steps of onboarding in their order, and how likely each is to be the one where somebody stops who stops:
# long forms and questions of money cost most.
CLIENT_STEPS = {"profile": 0.1, "goals": 0.15, "intake_form": 0.3, "payment": 0.45}
TRAINER_STEPS = {"profile": 0.08, "calendar": 0.12, "availability": 0.15, "services": 0.2, "payout": 0.45}


@dataclass(frozen=True, slots=True)
class Trainer:
    trainer_id: str
    location_id: str
    joined_at: datetime
    steps: tuple[tuple[str, datetime], ...]
    onboarded_at: datetime | None
    leaves_on: date
    popularity: float
    diligence: float

    @property
    def distinct_id(self) -> str:
        return f"trainer:{self.trainer_id}"

    def age(self, on: date) -> int:
        """Return the days since joining."""
        return (on - self.joined_at.date()).days


@dataclass(frozen=True, slots=True)
class Client:
    client_id: str
    contact_id: str
    trainer: Trainer
    seen_at: datetime
    joined_at: datetime
    steps: tuple[tuple[str, datetime], ...]
    onboarded_at: datetime | None
    first_booking_at: datetime | None
    first_insight_at: datetime | None
    leaves_on: date
    returning: bool
    eagerness: float
    pace: float

    @property
    def distinct_id(self) -> str:
        return f"client:{self.client_id}"

    def age(self, on: date) -> int:
        """Return the days since joining."""
        return (on - self.joined_at.date()).days

    def training_days(self, on: date) -> int:
        """Return the days since the first full day after onboarding, which is day 0."""
        return (on - (self.onboarded_at or self.joined_at).date()).days - 1

    def segment(self, on: date) -> str:
        if self.returning:
            return "returning"
        return "new" if self.age(on) < NEW_FOR_DAYS else "regular"

    def visits(self, on: date) -> float:
        """Return the probability of a visit on a day: habits wear off, and weekends differ."""
        staying_power = 0.4 + 0.6 * exp(-self.age(on) / 45)
        return self.eagerness * staying_power * WEEKDAYS[on.weekday()]


@lru_cache(maxsize=8)
def locations(seed: int) -> tuple[str, ...]:
    rng = Random(f"{seed}:locations")
    return tuple(new_id(rng, "loc") for _ in range(LOCATIONS))


@lru_cache(maxsize=512)
def trainers_joining(seed: int, on: date) -> tuple[Trainer, ...]:
    rng = dice(seed, on, "trainers")
    count = how_many(rng, TRAINERS_A_DAY * WEEKDAYS[on.weekday()] * growth(on))
    return tuple(_trainer(rng, seed, on) for _ in range(count))


def _trainer(rng: Random, seed: int, on: date) -> Trainer:
    joined_at = moment(rng, on)
    onboarded_at = later(joined_at, rng, HOUR, 5 * DAY) if rng.random() < 0.82 else None
    if onboarded_at is None:
        stays = rng.randrange(1, 10)
    else:
        stays = 14 + min(int(rng.expovariate(1 / 140)), TRAINER_STAYS_AT_MOST - 15)
    trainer_id = new_id(rng, "t")
    return Trainer(
        trainer_id=trainer_id,
        location_id=rng.choice(locations(seed)),
        joined_at=joined_at,
        steps=_steps(trainer_id, TRAINER_STEPS, joined_at, onboarded_at),
        onboarded_at=onboarded_at,
        leaves_on=on + timedelta(days=stays),
        popularity=min(rng.paretovariate(1.5), 15.0),
        diligence=rng.uniform(0.45, 0.98),
    )


def _steps(
    person_id: str, stops: dict[str, float], joined_at: datetime, onboarded_at: datetime | None
) -> tuple[tuple[str, datetime], ...]:
    """Return the steps of onboarding that a person completes, and when: all of them, or up to a stop."""
    # Dice of their own: how somebody walks through forms must not change what everybody does later.
    rng = Random(f"{person_id}:steps")
    taken = list(stops)
    if onboarded_at is None:
        taken = taken[: taken.index(rng.choices(taken, list(stops.values()))[0])]
        until = later(joined_at, rng, 300, HOUR if rng.random() < 0.8 else DAY)
    else:
        until = onboarded_at - timedelta(seconds=1)
    span = (until - joined_at).total_seconds()
    moments = sorted(later(joined_at, rng, 1, span) for _ in taken)
    # The last step of all is what ends onboarding.
    if onboarded_at is not None:
        moments[-1] = until
    return tuple(zip(taken, moments, strict=True))


@lru_cache(maxsize=512)
def clients_joining(seed: int, on: date) -> tuple[Client, ...]:
    rng = dice(seed, on, "clients")
    tomorrow = on + timedelta(days=1)
    open_for_clients = [
        trainer
        for past in days_before(on, TRAINER_IS_OPEN_FOR)
        for trainer in trainers_joining(seed, past)
        if trainer.onboarded_at and trainer.onboarded_at.date() < on and trainer.leaves_on > tomorrow
    ]
    count = how_many(rng, CLIENTS_A_DAY * WEEKDAYS[on.weekday()] * growth(on))
    weights = [trainer.popularity for trainer in open_for_clients]
    return tuple(_client(rng, on, trainer) for trainer in rng.choices(open_for_clients, weights, k=count))


def _client(rng: Random, on: date, trainer: Trainer) -> Client:
    seen_at = moment(rng, on)
    joined_at = later(seen_at, rng, 600, 3000)
    onboarded_at = first_booking_at = first_insight_at = None
    stays = rng.randrange(3)
    if rng.random() < 0.76:
        onboarded_at = later(joined_at, rng, 300, HOUR if rng.random() < 0.7 else 2 * DAY)
        stays = rng.randrange(4, 14)
        if rng.random() < 0.8:
            stays = 14 + min(int(rng.expovariate(1 / 55)), CLIENT_STAYS_AT_MOST - 15)
        if rng.random() < 0.85:
            first_booking_at = later(onboarded_at, rng, 60, HOUR if rng.random() < 0.6 else 3 * DAY)
        if first_booking_at and rng.random() < 0.8:
            first_insight_at = later(first_booking_at, rng, HOUR, 7 * DAY)
    client_id = new_id(rng, "c")
    return Client(
        client_id=client_id,
        contact_id=new_id(rng, "con"),
        trainer=trainer,
        seen_at=seen_at,
        joined_at=joined_at,
        steps=_steps(client_id, CLIENT_STEPS, joined_at, onboarded_at),
        onboarded_at=onboarded_at,
        first_booking_at=first_booking_at,
        first_insight_at=first_insight_at,
        leaves_on=min(on + timedelta(days=stays), trainer.leaves_on),
        returning=rng.random() < 0.15,
        eagerness=rng.uniform(0.2, 0.85),
        pace=rng.uniform(0.6, 1.25),
    )


@lru_cache(maxsize=64)
def trainers_around(seed: int, on: date) -> tuple[Trainer, ...]:
    """Return the trainers who have joined before the day and have not left yet."""
    past = days_before(on - timedelta(days=1), TRAINER_STAYS_AT_MOST)
    return tuple(person for day in past for person in trainers_joining(seed, day) if person.leaves_on >= on)


@lru_cache(maxsize=64)
def clients_around(seed: int, on: date) -> tuple[Client, ...]:
    """Return the onboarded clients who have joined before the day and have not left yet."""
    past = days_before(on - timedelta(days=1), CLIENT_STAYS_AT_MOST)
    return tuple(
        person
        for day in past
        for person in clients_joining(seed, day)
        if person.leaves_on >= on and person.onboarded_at and person.onboarded_at.date() < on
    )
