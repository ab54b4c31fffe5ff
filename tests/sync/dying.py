"""Jobs that die, and a GoHighLevel that takes or refuses what is tried again: no HTTP, the queue's verbs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction

from sync import queue
from sync.dead_letters import letters
from sync.dead_letters.death import Death
from sync.models import DeadLetter, Location, Webhook
from sync.queue import Settled
from sync.transitions import Cause, Next, State

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SAID = "email must be an email"

# In one statement: some tests want ten thousand of them.
_DEAD_JOBS = """
insert into sync_syncjob (id, location_id, operation, payload, idempotency_key, ordering_key, writes,
    state, cause, code, is_lookup, is_redrive, is_suspect, tries, lookups, fence, next_at, result,
    correlation_id, created_at, settled_at)
select gen_random_uuid(), %(location)s, 'contact.update',
    jsonb_build_object('contact_id', 'c-' || number, 'first_name', 'Mira'), '', '', '{}', 'dead', 'refused',
    'status_422', false, false, false, %(tries)s, 0, 1, %(at)s, '{}', 'c', %(at)s, %(at)s
from generate_series(0, %(count)s - 1) number
returning id
"""


def location(pk: str = "loc-1", burst: int = 100_000) -> Location:
    return Location.objects.create(pk=pk, name="Studio", created_at=NOW, burst_limit=burst)


def death(job_id: UUID | None, **overrides: Any) -> Death:
    given = {
        "job_id": job_id,
        "webhook_id": None,
        "location_id": "loc-1",
        "subject": "contact.update",
        "cause": Cause.REFUSED.value,
        "code": "status_422",
        "status": 422,
        "words": SAID,
    }
    return Death(**given | overrides)


def dead_jobs(count: int, *, tries: int = 1, at: datetime = NOW, location_id: str = "loc-1") -> list[UUID]:
    """Write jobs as they stand when they have died; no letters yet."""
    with connection.cursor() as cursor:
        cursor.execute(_DEAD_JOBS, {"count": count, "tries": tries, "at": at, "location": location_id})
        return [id for (id,) in cursor.fetchall()]


def dead_letters(count: int, *, at: datetime = NOW, tries: int = 1, **overrides: Any) -> list[int]:
    """Write letters of new jobs; return their ids in the order in which bulk operations take them."""
    ids = dead_jobs(count, tries=tries, at=at, location_id=overrides.get("location_id", "loc-1"))
    letters.died([death(job, **overrides) for job in ids], now=at)
    return sorted(DeadLetter.objects.filter(job__in=ids).values_list("pk", flat=True))


def dead_webhook(place: Location, *, body: bytes = b"{}", at: datetime = NOW) -> Webhook:
    row = Webhook.objects.create(
        dedupe_key=str(uuid4()),
        location=place,
        kind="marketplace",
        topic="contact_create",
        body=body,
        received_at=at,
        correlation_id="c",
        state="dead",
        tries=6,
        next_at=at,
        code="handler_error",
        processed_at=at,
    )
    told = {"subject": row.topic, "code": row.code, "cause": "exhausted", "status": None}
    letters.died([death(None, webhook_id=row.pk, words="Our own software failed.", **told)], now=at)
    return row


def done(tries: int) -> Next:
    return Next(State.SUCCEEDED, tries + 1, 0)


def refused(tries: int) -> Next:
    return Next(State.DEAD, tries + 1, 0, cause=Cause.REFUSED)


@dataclass
class Destination:
    """Tries what is due, and settles it as the engine does. sends: what was sent, however it ended.

    takes: what becomes of a job. says: code and words of a refusal.
    """

    takes: Callable[[queue.Claimed], bool] = lambda job: True
    says: tuple[str, str] = ("status_422", SAID)
    sends: list[UUID] = field(default_factory=list)

    @transaction.atomic
    def work(self, now: datetime) -> int:
        """Try everything that is due; return how many jobs were."""
        claimed = queue.claim(now=now, most=10_000)
        ended: list[Settled] = []
        for job in claimed:
            if job.is_lookup:
                # Not there: it is sent now.
                following = Next(State.WAITING, job.tries, 1)
            else:
                self.sends.append(job.id)
                following = (done if self.takes(job) else refused)(job.tries)
            ended.append(Settled(job.id, job.fence, following, "ok", {}))
        mine = queue.settle(ended, now=now)
        code, words = self.says
        dead = [one.id for one in ended if one.next.state is State.DEAD and one.id in mine]
        if dead:
            letters.died([death(id, code=code, words=words) for id in dead], now=now)
        # As the engine does: of others nobody has a letter.
        revived = {job.id for job in claimed if job.is_redrive}
        well = {one.id for one in ended if one.next.state is State.SUCCEEDED}
        letters.ended(dict.fromkeys(well & revived, State.SUCCEEDED), now=now)
        return len(claimed)
