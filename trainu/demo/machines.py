"""What machines report in the demo: the sync with GoHighLevel, its webhooks, requests and queries.

Most of it echoes what people do on the same day. Troubles are drawn apart, with their retries, which
may reach into the next day; on a bad day GoHighLevel fails for some hours, and everything is slow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from random import Random
from typing import Literal

from observability.catalog import Event
from observability.catalog.agent import MessageSent
from observability.catalog.booking import BookingEvent, BookingScheduled, LeadCreated
from observability.catalog.performance import ApiResponseTime, DatabaseQueryTime
from observability.catalog.sync import SyncDropped, SyncEvent, SyncOk, SyncRetry, WebhookReceived
from trainu.demo.people import locations
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
    rough_hours,
)

SYNC = "svc:sync"
WEB = "svc:web"
OPERATIONS = ("contact.upsert", "contact.tags", "note.create", "task.update", "opportunity.upsert")
TOPICS = ("contact_update", "opportunity_update", "note_create", "task_complete", "contact_tag_update")
PASSING = ("timeout", "connection_reset", "status_503", "status_500")
LASTING = ("status_422", "status_404", "status_400")
# The engine's own delays after a failed attempt; the sum stays below a day.
RETRY_AFTER_S = (60.0, 300.0, 900.0, 3600.0, 21600.0)
TROUBLE_DAYS = 2
TROUBLES_A_DAY, TROUBLES_AN_HOUR_OF_OUTAGE = 9.0, 26.0
JOBS_A_DAY, WEBHOOKS_A_DAY, REQUESTS_A_DAY = 110.0, 50.0, 120.0
SAMPLED_ONE_IN = 20
ROUTES = (
    ("post", "/api/events"),
    ("get", "/api/dashboards/{name}"),
    ("post", "/api/sync/jobs"),
    ("get", "/api/sync/jobs/{job_id}"),
    ("post", "/api/webhooks/ghl"),
    ("post", "/api/drafts"),
    ("get", "/admin/"),
)


@dataclass(frozen=True, slots=True)
class Job:
    job_id: str
    location_id: str
    operation: str
    enqueued_at: datetime

    def ok(self, rng: Random, at: datetime, attempt: int = 1) -> SyncOk:
        return SyncOk(
            job_id=self.job_id,
            location_id=self.location_id,
            operation=self.operation,
            attempt=attempt,
            duration_ms=lognormal_ms(rng, 240, 0.5),
            settled_after_s=(at - self.enqueued_at).total_seconds(),
        )


def happenings(seed: int, on: date, around: Sequence[Happening]) -> Iterator[Happening]:
    """Tell what machines do on a day, around what people and the agent do."""
    rng = dice(seed, on, "machines")
    busy = WEEKDAYS[on.weekday()] * growth(on)
    for at, _, event in around:
        yield from _echoes(rng, at, event)
    places = locations(seed)
    for _ in range(how_many(rng, JOBS_A_DAY * busy)):
        job = Job(new_id(rng, "j"), rng.choice(places), rng.choice(OPERATIONS), moment(rng, on))
        at = later(job.enqueued_at, rng, 0.3, 4)
        yield at, SYNC, job.ok(rng, at)
    for _ in range(how_many(rng, WEBHOOKS_A_DAY * busy)):
        contact_id = new_id(rng, "con")
        yield moment(rng, on), SYNC, _webhook(rng, rng.choice(places), rng.choice(TOPICS), contact_id)
    for past in days_before(on, TROUBLE_DAYS):
        yield from troubles_of(seed, past)
    yield from _requests(rng, on, how_many(rng, REQUESTS_A_DAY * busy), rough_hours(seed, on))


def _echoes(rng: Random, at: datetime, event: Event) -> Iterator[Happening]:
    """Tell what the sync engine has to do with an event."""
    match event:
        case MessageSent(job_id=str(job_id), location_id=str(place)):
            # The message counts as sent when GoHighLevel has accepted it: at the same moment.
            job = Job(job_id, place, f"message.{event.channel}", at - timedelta(seconds=2))
            yield at, SYNC, job.ok(rng, at)
        case BookingScheduled(location_id=str(place)) if event.source != "ghl":
            done_at = later(at, rng, 0.5, 4)
            job = Job(new_id(rng, "j"), place, "appointment.create", at)
            yield done_at, SYNC, job.ok(rng, done_at)
        case LeadCreated(location_id=str(place)):
            done_at = later(at, rng, 0.5, 4)
            yield done_at, SYNC, Job(new_id(rng, "j"), place, "contact.upsert", at).ok(rng, done_at)
        case BookingEvent(location_id=str(place)):
            topic = "appointment_create" if isinstance(event, BookingScheduled) else "appointment_update"
            webhook = _webhook(rng, place, topic, None, event.client_id)
            yield at - timedelta(milliseconds=rng.randrange(200, 900)), SYNC, webhook
        case _:
            return


def _webhook(
    rng: Random, place: str, topic: str, contact_id: str | None, client_id: str | None = None
) -> WebhookReceived:
    return WebhookReceived(
        webhook_id=new_id(rng, "wh"),
        location_id=place,
        topic=topic,
        contact_id=contact_id,
        client_id=client_id,
        duration_ms=lognormal_ms(rng, 9, 0.5),
    )


@lru_cache(maxsize=4)
def troubles_of(seed: int, on: date) -> tuple[Happening, ...]:
    """Return what becomes of the jobs of a day whose first attempt fails, until they are settled."""
    rng = dice(seed, on, "troubles")
    places, rough = locations(seed), rough_hours(seed, on)
    starts = [moment(rng, on) for _ in range(how_many(rng, TROUBLES_A_DAY * growth(on)))]
    midnight = datetime.combine(on, time(), UTC)
    for hour in rough:
        count = how_many(rng, TROUBLES_AN_HOUR_OF_OUTAGE * growth(on))
        starts += [later(midnight, rng, hour * 3600, (hour + 1) * 3600) for _ in range(count)]
    told: list[Happening] = []
    for start in starts:
        job = Job(new_id(rng, "j"), rng.choice(places), rng.choice(OPERATIONS), start)
        told += _trouble(rng, job, lasting=0.02 if start.hour in rough else 0.12)
    return tuple(told)


def _trouble(rng: Random, job: Job, lasting: float) -> Iterator[Happening]:
    at, attempt = later(job.enqueued_at, rng, 0.3, 4), 1
    if rng.random() < lasting:
        yield at, SYNC, _dropped(rng, job, at, attempt, rng.choice(LASTING), "permanent")
        return
    while attempt == 1 or rng.random() < 0.42:
        code = rng.choice(PASSING)
        if attempt > len(RETRY_AFTER_S):
            yield at, SYNC, _dropped(rng, job, at, attempt, code, "exhausted")
            return
        delay = RETRY_AFTER_S[attempt - 1]
        retry = SyncRetry(
            job_id=job.job_id,
            location_id=job.location_id,
            operation=job.operation,
            attempt=attempt,
            duration_ms=10_000.0 if code == "timeout" else lognormal_ms(rng, 700, 0.7),
            code=code,
            retry_in_s=delay,
        )
        yield at, SYNC, retry
        at, attempt = later(at, rng, delay, delay + 3), attempt + 1
    yield at, SYNC, job.ok(rng, at, attempt)


def _dropped(
    rng: Random, job: Job, at: datetime, attempt: int, code: str, reason: Literal["exhausted", "permanent"]
) -> SyncEvent:
    return SyncDropped(
        job_id=job.job_id,
        location_id=job.location_id,
        operation=job.operation,
        attempt=attempt,
        duration_ms=lognormal_ms(rng, 400, 0.6),
        code=code,
        reason=reason,
        settled_after_s=(at - job.enqueued_at).total_seconds(),
    )


def _requests(rng: Random, on: date, count: int, rough: range) -> Iterator[Happening]:
    for _ in range(count):
        at, (method, route) = moment(rng, on), rng.choice(ROUTES)
        slower = 4.0 if at.hour in rough else 1.0
        waited = lognormal_ms(rng, 11 * slower, 0.9)
        response = ApiResponseTime(
            duration_ms=round(waited + lognormal_ms(rng, 35 * slower, 0.7), 1),
            route=route,
            method=method,
            status=rng.choices((200, 202, 404, 422, 500), (900, 80, 10, 8, 2))[0],
            sampled_one_in=SAMPLED_ONE_IN,
        )
        queries = DatabaseQueryTime(
            duration_ms=waited, queries=rng.randrange(1, 15), route=route, sampled_one_in=SAMPLED_ONE_IN
        )
        yield at, WEB, response
        yield at, WEB, queries
