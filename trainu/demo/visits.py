"""An ordinary day of those who are already in: logins, pages, goals, files, templates, digests."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from random import Random

from observability.catalog.agent import WeeklyDigestViewed
from observability.catalog.directory import BookingCtaClicked, TrainerProfileViewed
from observability.catalog.files import FileUploaded, TemplateApplied
from observability.catalog.onboarding import UserLoggedIn
from observability.catalog.performance import PageLoadTime
from trainu.demo import goals
from trainu.demo.people import Client, Trainer, clients_around, trainers_around
from trainu.demo.rhythm import (
    WEEKDAYS,
    Happening,
    dice,
    later,
    lognormal_ms,
    moment,
    new_id,
    rough_hours,
)

CLIENT_PAGES = ("/home", "/goals/{id}", "/bookings", "/messages", "/trainers/{id}")
TRAINER_PAGES = ("/inbox", "/clients", "/clients/{id}", "/calendar", "/insights")
TEMPLATES = ("program", "meal_plan", "check_in", "session")
MEGABYTE = 1_000_000
# Trainers open last week's digest on Monday, and the rest of them on Tuesday.
DIGEST_OPENED = {0: 0.65, 1: 0.15}


def happenings(seed: int, on: date) -> Iterator[Happening]:
    rng = dice(seed, on, "visits")
    rough = rough_hours(seed, on)
    for client in clients_around(seed, on):
        # Whoever sets or reaches a goal is there that day.
        turning_point = goals.stage(client, client.training_days(on)) in ("set", "reached", "given up")
        if rng.random() < client.visits(on) or turning_point:
            yield from _client_visit(rng, client, moment(rng, on), rough)
    for trainer in trainers_around(seed, on):
        if rng.random() < trainer.diligence * WEEKDAYS[on.weekday()] * 0.85:
            yield from _trainer_visit(rng, trainer, moment(rng, on), rough)


def _client_visit(rng: Random, client: Client, at: datetime, rough: range) -> Iterator[Happening]:
    who, trainer_id = client.distinct_id, client.trainer.trainer_id
    if rng.random() < 0.65:
        yield at, who, UserLoggedIn(user_id=client.client_id, role="client")
    for number in range(rng.choice((1, 1, 2))):
        shown_at = later(at, rng, 5 + number * 90, 80 + number * 90)
        yield shown_at, who, _page(rng, CLIENT_PAGES, shown_at, rough)
    yield from goals.happenings(rng, client, at, client.training_days(at.date()))
    if rng.random() < 0.1:
        viewed_at = later(at, rng, 200, 300)
        viewed = TrainerProfileViewed(trainer_id=trainer_id, client_id=client.client_id, source="link")
        yield viewed_at, who, viewed
        if rng.random() < 0.5:
            clicked = BookingCtaClicked(
                trainer_id=trainer_id, client_id=client.client_id, placement="profile"
            )
            yield later(viewed_at, rng, 5, 60), who, clicked
    if rng.random() < 0.06:
        size = int(rng.lognormvariate(0.5, 1.0) * MEGABYTE)
        uploaded = FileUploaded(
            file_id=new_id(rng, "f"),
            uploaded_by="client",
            trainer_id=trainer_id,
            client_id=client.client_id,
            content=rng.choice(("image", "image", "video")),
            size_bytes=size,
            duration_ms=lognormal_ms(rng, size / 1500, 0.4),
        )
        yield later(at, rng, 300, 600), who, uploaded


def _trainer_visit(rng: Random, trainer: Trainer, at: datetime, rough: range) -> Iterator[Happening]:
    who, trainer_id, on = trainer.distinct_id, trainer.trainer_id, at.date()
    yield at, who, UserLoggedIn(user_id=trainer_id, role="trainer")
    for number in range(rng.choice((1, 1, 2))):
        shown_at = later(at, rng, 5 + number * 90, 80 + number * 90)
        yield shown_at, who, _page(rng, TRAINER_PAGES, shown_at, rough)
    if not trainer.onboarded_at or trainer.onboarded_at > at:
        return
    if rng.random() < DIGEST_OPENED.get(on.weekday(), 0.0):
        last_week = on - timedelta(days=7)
        digest = WeeklyDigestViewed(
            digest_id=f"dg{trainer_id[1:]}-{last_week:%G-w%V}",
            trainer_id=trainer_id,
            surface=rng.choice(("email", "admin")),
        )
        yield later(at, rng, 60, 200), who, digest
    if rng.random() < 0.14:
        template = TemplateApplied(
            template_id=f"tpl-{rng.choice('abcdefgh')}", trainer_id=trainer_id, kind=rng.choice(TEMPLATES)
        )
        yield later(at, rng, 200, 600), who, template
    if rng.random() < 0.1:
        size = int(rng.lognormvariate(0.0, 1.2) * MEGABYTE)
        uploaded = FileUploaded(
            file_id=new_id(rng, "f"),
            uploaded_by="trainer",
            trainer_id=trainer_id,
            content=rng.choice(("document", "document", "video", "image")),
            size_bytes=size,
            duration_ms=lognormal_ms(rng, size / 2000, 0.4),
        )
        yield later(at, rng, 300, 900), who, uploaded


def _page(rng: Random, pages: tuple[str, ...], at: datetime, rough: range) -> PageLoadTime:
    slower = 3.0 if at.hour in rough else 1.0
    return PageLoadTime(
        duration_ms=lognormal_ms(rng, 1050 * slower, 0.45),
        page=rng.choice(pages),
        connection=rng.choices(("4g", "5g", "wifi", "3g"), (45, 20, 30, 5))[0],
    )
