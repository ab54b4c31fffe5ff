"""The demo's Monday morning: 1,200 dead letters in four causes, as a weekend leaves them to the staff.

The rule: made by the verbs that the engine itself calls when something dies, from a seed, once. What is tried
again meets the simulated GoHighLevel, which takes the first cause's jobs now and refuses the others' still.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from random import Random
from typing import Any
from uuid import UUID

from django.db import transaction
from uuid_utils.compat import uuid7

from sync import attempt_log, backoff
from sync.dead_letters import letters
from sync.dead_letters.death import Death
from sync.ghl.operations import OPERATIONS
from sync.models import DeadLetter, SyncAttempt, SyncJob
from trainu.demo.studios import Studio

# What died within so long is written down as one batch.
_BATCH = timedelta(minutes=20)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why so many jobs died. share: how many. outcome, code, status, words: of the last try."""

    share: int
    operation: str
    cause: str
    outcome: str
    code: str
    status: int | None
    words: str
    tries: int


OUTAGE = Trouble(
    640,
    "contact.add_tags",
    "exhausted",
    "transient",
    "status_503",
    503,
    "Service Unavailable",
    backoff.MOST_TRIES,
)
BAD_PHONE = Trouble(
    290,
    "contact.update",
    "refused",
    "permanent",
    "status_422",
    422,
    "phone must be a valid phone number",
    1,
)
GONE = Trouble(220, "note.create", "refused", "permanent", "target_gone", 404, "Contact not found", 1)
UNKNOWN = Trouble(50, "message.send", "check_by_hand", "ambiguous", "timeout", None, "", 1)
TROUBLES = (OUTAGE, BAD_PHONE, GONE, UNKNOWN)
COUNT = sum(trouble.share for trouble in TROUBLES)


@dataclass(frozen=True, slots=True)
class _Dead:
    job: SyncJob
    trouble: Trouble
    died_at: datetime


def make(studios: Sequence[Studio], *, now: datetime, seed: int, parts: int = 1) -> int:
    """Let the weekend's jobs have died; return how many. Does nothing where there are letters already.

    parts: 10 makes a tenth of them, for tests.
    """
    if DeadLetter.objects.exists():
        return 0
    rng = Random(f"monday {seed}")
    dead = [_dead(rng, studios, trouble, now) for trouble in TROUBLES for _ in range(trouble.share // parts)]
    dead.sort(key=lambda one: one.died_at)
    with transaction.atomic():
        SyncJob.objects.bulk_create([one.job for one in dead], batch_size=500)
        tried = [attempt for one in dead for attempt in _attempts(rng, one)]
        attempt_log.TABLE.ensure({attempt.started_at.astimezone(UTC).date() for attempt in tried})
        SyncAttempt.objects.bulk_create(tried, batch_size=500)
        for at, batch in groupby(dead, key=lambda one: _floor(one.died_at)):
            letters.died([_death(one) for one in batch], now=min(now, at + _BATCH))
    return len(dead)


def _dead(rng: Random, studios: Sequence[Studio], trouble: Trouble, now: datetime) -> _Dead:
    studio = rng.choice(studios)
    payload = _payload(rng, trouble, rng.choice(studio.contacts))
    kind = OPERATIONS[trouble.operation]
    checked = kind.payload.parse(payload)
    lasted = sum(backoff.DELAYS[: trouble.tries - 1], timedelta(seconds=2))
    died_at = now - timedelta(minutes=5) - timedelta(hours=38) * rng.random() ** 2
    job = SyncJob(
        id=UUID(int=uuid7().int),
        location_id=studio.id,
        operation=trouble.operation,
        payload=checked.document(),
        ordering_key=kind.ordering_key(checked) or "",
        writes=sorted(kind.writes(checked)),
        state=SyncJob.State.DEAD,
        cause=trouble.cause,
        code=trouble.code,
        tries=trouble.tries,
        fence=trouble.tries,
        next_at=died_at,
        created_at=died_at - lasted,
        settled_at=died_at,
        correlation_id=f"weekend-{rng.getrandbits(48):012x}",
    )
    return _Dead(job, trouble, died_at)


def _payload(rng: Random, trouble: Trouble, contact: str) -> dict[str, Any]:
    if trouble is OUTAGE:
        return {"contact_id": contact, "tags": [rng.choice(("vip", "morning", "trial", "strength"))]}
    if trouble is BAD_PHONE:
        # Of seven figures, as a form without a check lets them in.
        return {"contact_id": contact, "phone": f"+120255{rng.randrange(10)}"}
    if trouble is GONE:
        return {"contact_id": f"gone{rng.getrandbits(60):016d}"[:20], "body": "Knee is fine again."}
    return {"contact_id": contact, "channel": "SMS", "message": "See you on Monday."}


def _attempts(rng: Random, one: _Dead) -> Iterator[SyncAttempt]:
    at = one.job.created_at
    for number in range(1, one.trouble.tries + 1):
        yield SyncAttempt(
            started_at=at,
            job_id=one.job.pk,
            fence=number,
            kind=SyncAttempt.Kind.SEND,
            outcome=one.trouble.outcome,
            code=one.trouble.code,
            status=one.trouble.status,
            duration_ms=15_000.0 if one.trouble.status is None else round(rng.uniform(80, 900), 1),
            trace_id=f"{rng.getrandbits(64):016x}" if one.trouble.status else "",
            request=_request(one),
            response=_response(one.trouble),
        )
        at += backoff.delay(number) or timedelta(0)


def _request(one: _Dead) -> dict[str, Any]:
    """Return the request as it was kept: masked."""
    kind = OPERATIONS[one.job.operation]
    checked = kind.payload.parse(one.job.payload)
    sent = kind.request(checked, one.job.location_id, "")
    return {"method": sent.method, "path": sent.path, "query": [], "body": checked.masked()}


def _response(trouble: Trouble) -> dict[str, Any]:
    if trouble.status is None:
        return {"phase": "maybe_sent", "cause": "timeout", "error": "TimeoutError"}
    body = {"statusCode": trouble.status, "message": trouble.words}
    return {"content": "json", "body": body}


def _death(one: _Dead) -> Death:
    return Death(
        job_id=one.job.pk,
        webhook_id=None,
        location_id=one.job.location_id,
        subject=one.trouble.operation,
        cause=one.trouble.cause,
        code=one.trouble.code,
        status=one.trouble.status,
        words=one.trouble.words,
    )


def _floor(at: datetime) -> datetime:
    return at - (at - datetime.min.replace(tzinfo=UTC)) % _BATCH
