"""How people come in: visitors of the directory, leads, registrations, and the steps of onboarding."""

from collections.abc import Iterator
from datetime import date, datetime
from random import Random
from typing import Literal

from observability.catalog.booking import LeadCreated
from observability.catalog.directory import BookingCtaClicked, DirectorySearch, TrainerProfileViewed
from observability.catalog.onboarding import (
    ClientOnboarded,
    OnboardingStepCompleted,
    TrainerOnboarded,
    UserRegistered,
)
from trainu.demo.people import (
    Client,
    Trainer,
    clients_joining,
    trainers_around,
    trainers_joining,
)
from trainu.demo.rhythm import (
    WEEKDAYS,
    Happening,
    days_before,
    dice,
    growth,
    how_many,
    later,
    lognormal_ms,
    moment,
    new_id,
)

# Visitors of a day who will not register.
PASSERS_BY = 40.0
# The slowest onboarding, of a trainer, ends within so many days.
ONBOARDING_DAYS = 6
SPECIALTIES = ("strength", "yoga", "running", "mobility", "nutrition", "boxing")
REFERRERS = ("search_engine", "instagram", "friend", "newsletter")


def happenings(seed: int, on: date) -> Iterator[Happening]:
    rng = dice(seed, on, "arrivals")
    for client in clients_joining(seed, on):
        yield from _joining(rng, client)
    for trainer in trainers_joining(seed, on):
        registered = UserRegistered(user_id=trainer.trainer_id, role="trainer", method=_method(rng))
        yield trainer.joined_at, trainer.distinct_id, registered
    yield from _passing_by(rng, seed, on)
    for past in days_before(on, ONBOARDING_DAYS):
        for client in clients_joining(seed, past):
            yield from _stepping(client)
            if client.onboarded_at:
                yield client.onboarded_at, client.distinct_id, _client_onboarded(client, client.onboarded_at)
        for trainer in trainers_joining(seed, past):
            yield from _stepping(trainer)
            if trainer.onboarded_at:
                at = trainer.onboarded_at
                yield at, trainer.distinct_id, _trainer_onboarded(trainer, at)


def _joining(rng: Random, client: Client) -> Iterator[Happening]:
    """Tell the way from the first search to the new account, all within the hour before it."""
    who, trainer = client.distinct_id, client.trainer
    yield from _searching(rng, who, client.seen_at, trainer)
    at = later(client.seen_at, rng, 240, 420)
    yield at, who, BookingCtaClicked(trainer_id=trainer.trainer_id, placement="profile")
    lead = LeadCreated(
        client_id=client.client_id,
        trainer_id=trainer.trainer_id,
        location_id=trainer.location_id,
        source="directory",
    )
    yield later(at, rng, 20, 170), who, lead
    referrer = rng.choice(REFERRERS) if rng.random() < 0.6 else None
    registered = UserRegistered(
        user_id=client.client_id, role="client", method=_method(rng), referrer=referrer
    )
    yield client.joined_at, who, registered


def _passing_by(rng: Random, seed: int, on: date) -> Iterator[Happening]:
    """Tell of visitors who look around, some of whom leave a contact, none of whom registers."""
    trainers = [trainer for trainer in trainers_around(seed, on) if trainer.onboarded_at]
    for _ in range(how_many(rng, PASSERS_BY * WEEKDAYS[on.weekday()] * growth(on))):
        client_id, trainer, at = new_id(rng, "c"), rng.choice(trainers), moment(rng, on)
        who = f"client:{client_id}"
        yield from _searching(rng, who, at, trainer if rng.random() < 0.7 else None)
        if rng.random() < 0.3:
            at = later(at, rng, 240, 420)
            yield at, who, BookingCtaClicked(trainer_id=trainer.trainer_id, placement="profile")
            if rng.random() < 0.5:
                lead = LeadCreated(
                    client_id=client_id,
                    trainer_id=trainer.trainer_id,
                    location_id=trainer.location_id,
                    source="form",
                )
                yield later(at, rng, 20, 170), who, lead


def _searching(rng: Random, who: str, at: datetime, found: Trainer | None) -> Iterator[Happening]:
    """Tell of one to three searches within three minutes, and of the profile that was opened then."""
    for number in range(rng.randrange(1, 4)):
        search = DirectorySearch(
            results=rng.randrange(40),
            specialty=rng.choice(SPECIALTIES) if rng.random() < 0.7 else None,
            duration_ms=lognormal_ms(rng, 140, 0.6),
        )
        yield later(at, rng, number * 60, number * 60 + 50), who, search
    if found:
        viewed = TrainerProfileViewed(
            trainer_id=found.trainer_id, source="search", position=rng.randrange(1, 20)
        )
        yield later(at, rng, 180, 230), who, viewed


def _stepping(person: Client | Trainer) -> Iterator[Happening]:
    role: Literal["client", "trainer"] = "client" if isinstance(person, Client) else "trainer"
    user_id = person.client_id if isinstance(person, Client) else person.trainer_id
    for position, (step, at) in enumerate(person.steps, start=1):
        completed = OnboardingStepCompleted(user_id=user_id, role=role, step=step, position=position)
        yield at, person.distinct_id, completed


def _client_onboarded(client: Client, at: datetime) -> ClientOnboarded:
    return ClientOnboarded(
        client_id=client.client_id,
        trainer_id=client.trainer.trainer_id,
        segment=client.segment(at.date()),
        duration_s=(at - client.joined_at).total_seconds(),
    )


def _trainer_onboarded(trainer: Trainer, at: datetime) -> TrainerOnboarded:
    return TrainerOnboarded(
        trainer_id=trainer.trainer_id,
        location_id=trainer.location_id,
        duration_s=(at - trainer.joined_at).total_seconds(),
    )


def _method(rng: Random) -> str:
    return rng.choices(("password", "google", "apple"), (60, 30, 10))[0]
