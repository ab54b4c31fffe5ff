"""Finding jobs for whoever looks at them: a list, one job, its attempts; and what may be shown of them.

The rule: every question is bounded in rows and in time, newest first by `position`, which an index serves.
What a person's data may be in is masked here, before any page or answer gets it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sync.ghl import masking, words
from sync.ghl.errors import Code, Outcome, Verdict
from sync.ghl.operations import OPERATIONS
from sync.ghl.words import Explanation
from sync.models import DeadLetter, SyncAttempt, SyncJob
from trainu.bounded_query import bounded

MOST_ROWS = 100
MOST_ATTEMPTS = 50
TIME_LIMIT_MS = 3_000
_CLOCK_SKEW = timedelta(hours=1)

_FINDINGS = {
    "found": Explanation("It was found in GoHighLevel: it had been done.", "Nothing to do."),
    "not_found": Explanation(
        "It was not found in GoHighLevel: it had not been done.",
        "Nothing to do: where a try is left, it is sent by itself.",
    ),
    "cannot_tell": Explanation(
        "GoHighLevel cannot tell whether it was done.", "Look there yourself before you send it again."
    ),
}
_UNKNOWN = Explanation("", "")


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs, newest first, without their payloads. older: what to go on with, None at the end."""

    jobs: Sequence[SyncJob]
    older: int | None


def page(
    *, location_id: str = "", state: str = "", older_than: int | None = None, most: int = MOST_ROWS
) -> Page:
    """Return a page of jobs. older_than: `older` of the page before. Raises TooBroad."""
    found = SyncJob.objects.defer("payload")
    if location_id:
        found = found.filter(location_id=location_id)
    if state:
        found = found.filter(state=state)
    if older_than is not None:
        found = found.filter(position__lt=older_than)
    most = min(most, MOST_ROWS)
    with bounded(TIME_LIMIT_MS):
        jobs = list(found.order_by("-position")[: most + 1])
    return Page(jobs[:most], jobs[most - 1].position if len(jobs) > most else None)


def find(job_id: UUID) -> SyncJob | None:
    """Return a job, None where there is none."""
    return SyncJob.objects.filter(pk=job_id).first()


def attempts(job: SyncJob) -> list[SyncAttempt]:
    """Return a job's newest attempts, newest first."""
    # None is older than its job, which leaves most of the table's days unread.
    since = job.created_at - _CLOCK_SKEW
    tried = SyncAttempt.objects.filter(job_id=job.pk, started_at__gte=since)
    return list(tried.order_by("-started_at", "-fence")[:MOST_ATTEMPTS])


def letter_id(job: SyncJob) -> int | None:
    """Return the id of a job's dead letter, None where it never died."""
    return DeadLetter.objects.filter(job=job).values_list("pk", flat=True).first()


def shown_payload(job: SyncJob) -> dict[str, Any]:
    """Return a job's payload with everything masked that its schema calls personal."""
    kind = OPERATIONS.get(job.operation)
    try:
        masked: dict[str, Any] = (
            kind.payload.parse(job.payload).masked() if kind else masking.mask(job.payload)
        )
    except ValueError:
        # Stored under another schema, or erased: nobody knows which of its fields are harmless.
        masked = masking.mask(job.payload)
    return masked


def in_words(outcome: str, code: str) -> Explanation:
    """Return what an attempt's end means and what to do, empty for a code without words."""
    if code in _FINDINGS:
        return _FINDINGS[code]
    try:
        return words.explain(Verdict(Outcome(outcome), Code(code)))
    except ValueError:
        return _UNKNOWN
