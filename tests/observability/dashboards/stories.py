"""Small stories of which histories are made: one booking's turns, one draft's way, a fortnight of visits.

The rule: a story is a function of its dice, told in real catalog classes, which check what they hold. Stories
meet, for clients, trainers, bookings and drafts are few and always the same ones.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Literal

from observability.catalog import agent, booking, directory, files, goals, onboarding, performance, sync
from observability.catalog.event import Event
from tests.observability.dashboards.edges import NOW, Dice, hair, later, moment, past

CLIENTS = tuple(f"c{i}" for i in range(7))
TRAINERS = ("t0", "t1", "t2")
SEGMENTS = (None, None, "new", "regular", "unknown")
LOCATIONS = ("l0", "l1")
OPERATIONS = ("contact.upsert", "message.send")
CODES = ("timeout", "status_503", "status_422")
OTHERS = ("anon-1", "anon-2", "staff:s0", "svc:reports")
STEPS = {
    "client": ("profile", "goals", "intake_form", "payment"),
    "trainer": ("profile", "calendar", "availability", "services", "payout"),
}
Happening = tuple[datetime, str, Event]
Story = Callable[[Dice], Iterator[Happening]]


def sign_up(rng: Dice) -> Iterator[Happening]:
    """Somebody registers, perhaps twice, takes some steps in any order, and perhaps ends onboarding."""
    role: Literal["client", "trainer"] = rng.choice(("client", "client", "client", "trainer"))
    user_id = rng.choice(CLIENTS if role == "client" else TRAINERS)
    who, at = f"{role}:{user_id}", moment(rng)
    registered = onboarding.UserRegistered(user_id=user_id, role=role)
    # Whoever created the account is not always who it is for.
    yield at, rng.choice((who, who, "staff:s0", "anon-1")), registered
    if rng.random() < 0.15:
        yield later(rng, at, hours=500), who, registered
    steps = list(enumerate(STEPS[role], start=1))
    for position, step in rng.sample(steps, rng.randrange(len(steps) + 1)):
        # An app that has other steps at the same place, and one that tells them before the account.
        if rng.random() < 0.1:
            step, position = "terms", rng.randrange(1, 7)
        told = onboarding.OnboardingStepCompleted(user_id=user_id, role=role, step=step, position=position)
        yield (at if rng.random() < 0.1 else later(rng, at, hours=72)), who, told
    if rng.random() < 0.5:
        ends = later(rng, at, hours=100)
        if role == "client":
            yield ends, who, _client_onboarded(rng, user_id)
        else:
            yield ends, who, onboarding.TrainerOnboarded(trainer_id=user_id, duration_s=1.0)


def first_times(rng: Dice) -> Iterator[Happening]:
    """A client signs up and has the first booking or insight right at the limits that are asked about."""
    client_id, at = rng.choice(CLIENTS), moment(rng)
    if rng.random() < 0.3:
        # So that the limit itself lies at now.
        at = past(NOW - rng.choice((timedelta(hours=24), timedelta(days=7))) + hair(rng))
    yield at, f"client:{client_id}", onboarding.UserRegistered(user_id=client_id, role="client")
    for _ in range(rng.randrange(3)):
        limit = timedelta(days=rng.choice((0, 1, 7, 14, 21, 56)))
        then = past(at + limit + hair(rng))
        if rng.random() < 0.5:
            yield then, "svc:agent", _insight(rng, client_id)
        else:
            yield then, f"client:{client_id}", _turn(rng, booking.BookingScheduled, client_id, moment(rng))


def insight(rng: Dice) -> Iterator[Happening]:
    yield moment(rng), "svc:agent", _insight(rng, rng.choice(CLIENTS))


def booked(rng: Dice) -> Iterator[Happening]:
    """A booking is made and changed: confirmed, moved, canceled and booked again, missed, in any order."""
    client_id = rng.choice(CLIENTS)
    at, starts_at = moment(rng), _start(rng)
    trainer_id, number = rng.choice(TRAINERS), rng.randrange(4)
    kinds = (
        booking.BookingConfirmed,
        booking.BookingRescheduled,
        booking.BookingRescheduled,
        booking.BookingCanceled,
        booking.NoShow,
        booking.NoShow,
        booking.BookingScheduled,
    )
    made = [booking.BookingScheduled, *rng.choices(kinds, k=rng.randrange(5))]
    # What GoHighLevel has made without telling us begins in the middle.
    for kind in made[rng.random() < 0.1 :]:
        moved_from = starts_at
        if kind is booking.BookingRescheduled:
            starts_at = _start(rng)
            if rng.random() < 0.2:
                trainer_id = rng.choice(TRAINERS)
        turn = _turn(rng, kind, client_id, starts_at, number=number, trainer_id=trainer_id, moved=moved_from)
        who = rng.choice((f"client:{client_id}", f"client:{client_id}", f"trainer:{trainer_id}", "svc:sync"))
        yield at, who, turn
        at = later(rng, at, hours=100)


def missed(rng: Dice) -> Iterator[Happening]:
    """A client misses an appointment, and perhaps books anew at about the last moment that counts."""
    client_id, starts_at = rng.choice(CLIENTS), moment(rng)
    if rng.random() < 0.4:
        # So that the day has been over for seven days since just about now.
        starts_at = past(NOW - timedelta(days=8) + timedelta(minutes=15 * rng.randrange(-60, 61)))
    number = rng.randrange(100)
    made_at = starts_at - timedelta(hours=rng.randrange(1, 90))
    for at, kind in ((made_at, booking.BookingScheduled), (past(starts_at + hair(rng)), booking.NoShow)):
        yield at, f"client:{client_id}", _turn(rng, kind, client_id, starts_at, number=number)
    if rng.random() < 0.7:
        anew = past(starts_at + rng.choice((timedelta(0), timedelta(days=7), timedelta(days=2))) + hair(rng))
        who = client_id if rng.random() < 0.8 else rng.choice(CLIENTS)
        yield anew, f"client:{who}", _turn(rng, booking.BookingScheduled, who, _start(rng))


def weekly_training(rng: Dice) -> Iterator[Happening]:
    """A client trains every week with the same trainer: what baselines and trends are made of."""
    client_id, trainer_id = rng.choice(CLIENTS), rng.choice(TRAINERS)
    first = moment(rng)
    for week in range(rng.randrange(3, 9)):
        starts_at = past(first + timedelta(days=7 * week))
        made_at = starts_at - timedelta(hours=rng.randrange(1, 90))
        number = 1_000 + 10 * rng.randrange(50) + week
        turn = _turn(
            rng, booking.BookingScheduled, client_id, starts_at, number=number, trainer_id=trainer_id
        )
        yield made_at, f"client:{client_id}", turn
        if rng.random() < 0.4:
            kind = rng.choice((booking.NoShow, booking.NoShow, booking.BookingCanceled))
            end = _turn(rng, kind, client_id, starts_at, number=number, trainer_id=trainer_id)
            yield past(starts_at + timedelta(minutes=20)), f"trainer:{trainer_id}", end


def drafted(rng: Dice) -> Iterator[Happening]:
    """The agent drafts a message, a trainer approves it, perhaps twice, it is sent, and perhaps answered."""
    client_id, trainer_id = rng.choice(CLIENTS), rng.choice(TRAINERS)
    said: dict[str, Any] = {
        "draft_id": f"d-{client_id}-{trainer_id}-{rng.randrange(30)}",
        "client_id": client_id,
        "trainer_id": trainer_id,
        "kind": "weekly_checkin",
        "channel": "sms",
    }
    at = moment(rng)
    if rng.random() < 0.3:
        # So that the day has been over for 48 hours since just about now.
        at = past(NOW - timedelta(days=3) + timedelta(minutes=15 * rng.randrange(-60, 61)))
    # Of a draft from before our time only the end is told.
    if rng.random() < 0.9:
        yield at, "svc:agent", agent.MessageDrafted(**said, duration_ms=900.0)
    for _ in range(rng.choice((0, 1, 1, 1, 2))):
        at = later(rng, at, hours=30)
        yield at, f"trainer:{trainer_id}", agent.TrainerApproved(**said, edited=rng.random() < 0.4)
    if rng.random() < 0.75:
        at = later(rng, at, hours=5)
        yield at, "svc:sync", agent.MessageSent(**said)
    for _ in range(rng.randrange(3)):
        wait = rng.choice((timedelta(0), timedelta(hours=48), timedelta(minutes=rng.randrange(3_000))))
        yield past(at + wait + hair(rng)), "svc:sync", _webhook(rng, client_id)


def webhook(rng: Dice) -> Iterator[Happening]:
    yield moment(rng), "svc:sync", _webhook(rng, rng.choice(CLIENTS))


def visits(rng: Dice) -> Iterator[Happening]:
    """Somebody comes by, on one day or on many in a row, and uses this and that."""
    who = rng.choice(
        (*(f"client:{one}" for one in CLIENTS), *(f"trainer:{one}" for one in TRAINERS), *OTHERS)
    )
    at, days = moment(rng), rng.choice((1, 1, 2, 5, 25))
    for day in range(days):
        then = past(at + timedelta(days=day))
        for _ in range(rng.randrange(1, 3)):
            yield then, who, _use(rng)


def measurements(rng: Dice) -> Iterator[Happening]:
    """What nobody did is told of somebody: it makes nobody active."""
    who = rng.choice((f"client:{rng.choice(CLIENTS)}", "anon-3"))
    yield moment(rng), who, performance.PageLoadTime(duration_ms=100.0, page="/home")


def job(rng: Dice) -> Iterator[Happening]:
    """A job is tried until it succeeds or is given up, and perhaps redriven then."""
    at = begun = moment(rng)
    said: dict[str, Any] = {
        "job_id": f"j-{rng.randrange(10_000)}",
        "location_id": rng.choice(LOCATIONS),
        "operation": rng.choice(OPERATIONS),
    }
    for attempt in range(1, rng.randrange(1, 5)):
        said |= {"attempt": attempt, "duration_ms": round(rng.lognormvariate(5, 1), 1)}
        end, settled_after_s = rng.random(), (at - begun).total_seconds() + 0.5
        if end < 0.5:
            yield at, "svc:sync", sync.SyncOk(**said, settled_after_s=settled_after_s)
            return
        code = rng.choice(CODES)
        if end < 0.65:
            reason: dict[str, Any] = {"reason": "permanent", "code": code, "settled_after_s": settled_after_s}
            yield at, "svc:sync", sync.SyncDropped(**said, **reason)
        else:
            yield at, "svc:sync", sync.SyncRetry(**said, code=code, retry_in_s=60.0)
        at = later(rng, at, hours=6)


STORIES: dict[str, Story] = {
    story.__name__: story
    for story in (
        sign_up,
        first_times,
        insight,
        booked,
        missed,
        weekly_training,
        drafted,
        webhook,
        visits,
        measurements,
        job,
    )
}


def _start(rng: Dice) -> datetime:
    """Return the start of an appointment: mostly at an edge of the past, now and then still to come."""
    if rng.random() < 0.2:
        return NOW + timedelta(seconds=rng.randrange(1, 20 * 86_400))
    if rng.random() < 0.3:
        at = moment(rng)
        return past(at - timedelta(days=at.weekday()) + hair(rng))
    return moment(rng)


def _turn(
    rng: Dice,
    kind: type[booking.BookingEvent],
    client_id: str,
    starts_at: datetime,
    *,
    number: int | None = None,
    trainer_id: str = "",
    moved: datetime | None = None,
) -> booking.BookingEvent:
    said: dict[str, Any] = {
        # Of one client for ever, whichever stories tell of it.
        "booking_id": f"b-{client_id}-{rng.randrange(4) if number is None else number}",
        "client_id": client_id,
        "trainer_id": trainer_id or rng.choice(TRAINERS),
        "starts_at": starts_at,
        "segment": rng.choice(SEGMENTS),
    }
    if kind is booking.BookingRescheduled:
        said["previous_starts_at"] = moved or starts_at
    return kind(**said)


def _client_onboarded(rng: Dice, client_id: str) -> onboarding.ClientOnboarded:
    return onboarding.ClientOnboarded(
        client_id=client_id, trainer_id=rng.choice(TRAINERS), segment=rng.choice(SEGMENTS), duration_s=1.0
    )


def _insight(rng: Dice, client_id: str) -> agent.InsightCreated:
    return agent.InsightCreated(
        insight_id=f"i-{rng.randrange(1_000)}",
        client_id=client_id,
        trainer_id=rng.choice(TRAINERS),
        kind="risk",
    )


def _webhook(rng: Dice, client_id: str) -> sync.WebhookReceived:
    """A webhook, most likely of a message: the client is named, or only a contact of the same id, or both."""
    named = rng.choice(
        ({"client_id": client_id}, {"contact_id": client_id}, {"client_id": client_id, "contact_id": "con-1"})
    )
    return sync.WebhookReceived(
        webhook_id=f"w-{rng.randrange(10_000)}",
        location_id=rng.choice(LOCATIONS),
        topic=rng.choice(("inbound_message", "inbound_message", "inbound_message", "appointment_update")),
        duration_ms=round(rng.lognormvariate(3, 0.5), 1),
        **named,
    )


def _use(rng: Dice) -> Event:
    client_id, trainer_id = rng.choice(CLIENTS), rng.choice(TRAINERS)
    goal: dict[str, Any] = {
        "goal_id": f"g-{rng.randrange(9)}",
        "client_id": client_id,
        "trainer_id": trainer_id,
        "kind": "strength",
    }
    file: dict[str, Any] = {"uploaded_by": "client", "content": "image", "size_bytes": 5}
    uses: tuple[Callable[[], Event], ...] = (
        lambda: onboarding.UserLoggedIn(user_id=client_id, role="client"),
        lambda: directory.DirectorySearch(results=3),
        lambda: directory.TrainerProfileViewed(trainer_id=trainer_id),
        lambda: directory.BookingCtaClicked(trainer_id=trainer_id),
        lambda: booking.LeadCreated(client_id=client_id),
        lambda: agent.WeeklyDigestViewed(digest_id="w-1", trainer_id=trainer_id, surface="admin"),
        lambda: goals.GoalUpdated(**goal, change="created"),
        lambda: goals.ProgressLogged(**goal, progress=50.0, logged_by="client"),
        lambda: goals.GoalAchieved(**goal),
        lambda: files.FileUploaded(**file, file_id=f"f-{rng.randrange(99)}"),
        lambda: files.TemplateApplied(template_id="p-1", trainer_id=trainer_id, kind="program"),
    )
    return rng.choice(uses)()
