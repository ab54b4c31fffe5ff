"""How a letter came about and what was done with it, from sync's own rows, on one time axis.

The rule: bounded everywhere, found by an index, and nobody's data: ids, words, and what was redacted when it
was stored. What people did is told by the audit log, and joined by the page.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.urls import reverse

from sync import job_search
from sync.dead_letters import search
from sync.models import BulkItem, DeadLetter, SyncAttempt, SyncJob, Webhook
from trainu.bounded_query import bounded
from trainu.moments import Moment

MOST_ATTEMPTS = 50
MOST_JOBS = 10
MOST_OTHERS = 20
TIME_LIMIT_MS = 3_000
_CLOCK_SKEW = timedelta(hours=1)
_TONES = {"transient": "warn", "ambiguous": "warn", "permanent": "bad", "configuration": "bad", "ok": "ok"}
_ENDS = {"recovered": "ok", "discarded": "warn", "superseded": "warn"}
_SOURCES = {"marketplace": "GoHighLevel", "workflow": "a workflow of GoHighLevel"}

# From the job that the letter is of now, back over those that it replaces.
_LINE = """
with recursive line as (
    select id, replaces_id, 1 as depth from sync_syncjob where id = %s
    union all
    select job.id, job.replaces_id, line.depth + 1
    from sync_syncjob job join line on job.id = line.replaces_id where line.depth < %s
)
select id from line
"""


@dataclass(frozen=True, slots=True)
class Story:
    """jobs: oldest first; more than one where data was changed. attempts: newest first, of all of them.

    moments: oldest first.
    """

    jobs: Sequence[SyncJob]
    attempts: Sequence[SyncAttempt]
    moments: Sequence[Moment]


def of(letter: DeadLetter) -> Story:
    """Return a letter's story; it was read with its group, job and webhook. Raises TooBroad."""
    with bounded(TIME_LIMIT_MS):
        jobs = _line(letter.job) if letter.job else []
        attempts = _attempts(jobs)
        moments = [
            *_of_webhooks(letter),
            *_of_jobs(jobs),
            *_of_attempts(attempts),
            *_of_bulks(letter),
            *_of_notes(letter),
            *_of_letter(letter),
        ]
    return Story(jobs, attempts, sorted(moments, key=lambda moment: moment.at))


def _line(job: SyncJob) -> list[SyncJob]:
    if job.replaces_id is None:
        return [job]
    with connection.cursor() as cursor:
        cursor.execute(_LINE, [job.pk, MOST_JOBS])
        ids: list[UUID] = [id for (id,) in cursor.fetchall()]
    return list(SyncJob.objects.defer("payload").filter(pk__in=ids).order_by("position"))


def _attempts(jobs: Sequence[SyncJob]) -> list[SyncAttempt]:
    if not jobs:
        return []
    # None is older than its job, which leaves most of the table's days unread.
    since = jobs[0].created_at - _CLOCK_SKEW
    tried = SyncAttempt.objects.filter(job_id__in=[job.pk for job in jobs], started_at__gte=since)
    return list(tried.order_by("-started_at", "-fence")[:MOST_ATTEMPTS])


def _of_webhooks(letter: DeadLetter) -> Iterator[Moment]:
    job = letter.job
    if job is None:
        found = [letter.webhook] if letter.webhook else []
    else:
        among = Webhook.objects.defer("body").filter(correlation_id=job.correlation_id)
        found = list(among.order_by("received_at")[:MOST_OTHERS])
    for webhook in found:
        yield Moment(
            at=webhook.received_at,
            kind="Webhook",
            title=f"Came in from {_SOURCES[webhook.kind]}: {_words(webhook.topic)}",
            detail=f"Webhook {webhook.pk}, {webhook.get_state_display().lower()}",
            url=_page("webhook", webhook.pk),
            tone="info",
        )


def _of_jobs(jobs: Sequence[SyncJob]) -> Iterator[Moment]:
    for job in jobs:
        title = "Asked for again with changed data" if job.replaces_id else "Asked for"
        yield Moment(
            at=job.created_at,
            kind="Copy" if job.replaces_id else "Job",
            title=f"{title}: {job.operation}",
            detail=f"Job {job.pk}",
            url=_page("syncjob", job.pk),
            tone="info",
        )


def _of_attempts(attempts: Sequence[SyncAttempt]) -> Iterator[Moment]:
    for one in attempts:
        said = job_search.in_words(one.outcome, one.code)
        status = f"HTTP {one.status}" if one.status else "no answer"
        yield Moment(
            at=one.started_at,
            kind="Lookup" if one.kind == SyncAttempt.Kind.LOOKUP else "Attempt",
            title=said.words or _words(one.code),
            detail=f"Number {one.fence}, {status}, {one.duration_ms:,.0f} ms",
            tone=_TONES.get(one.outcome, ""),
        )


def _of_bulks(letter: DeadLetter) -> Iterator[Moment]:
    items = BulkItem.objects.filter(letter=letter).select_related("operation")
    for item in items.order_by("-pk")[:MOST_OTHERS]:
        operation = item.operation
        yield Moment(
            at=item.ended_at or operation.started_at,
            kind="Bulk",
            title=f"{operation}: {item.get_state_display().lower()}",
            detail=item.words,
            url=_page("bulkoperation", operation.pk),
            tone="info",
            by=operation.by,
        )


def _of_notes(letter: DeadLetter) -> Iterator[Moment]:
    for note in search.notes(letter):
        yield Moment(at=note.at, kind="Note", title=note.words, by=note.by)


def _of_letter(letter: DeadLetter) -> Iterator[Moment]:
    said = letter.words or _words(letter.code)
    again = letter.deaths > 1
    if again:
        yield Moment(letter.first_died_at, "Death", "Became a dead letter", tone="bad")
    times = f"Died again, {letter.deaths} times in all" if again else "Became a dead letter"
    yield Moment(letter.died_at, "Death", f"{times}: {said}", tone="bad")
    if letter.resolved_at:
        # Nobody is named who did not do it: only a discard is a person's.
        yield Moment(
            letter.resolved_at,
            letter.get_state_display(),
            letter.discard_reason or letter.get_state_display(),
            tone=_ENDS.get(letter.state, ""),
            by=letter.discarded_by,
        )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _page(model: str, key: Any) -> str:
    return reverse(f"admin:sync_{model}_change", args=[key])
