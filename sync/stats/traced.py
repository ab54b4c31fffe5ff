"""What sync did under a correlation id: jobs, their attempts, webhooks, drafts. Ids and times, no data.

The rule: the newest so many, found by an index. Whoever asks for a page sets a limit of time.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sync.ghl import words
from sync.ghl.errors import Code, Outcome, Verdict
from sync.models import Draft, DraftAttempt, SyncAttempt, SyncJob, Webhook

# Of jobs that were enqueued together, the attempts of the newest are told.
_MOST_JOBS = 500
# Clocks of two hosts differ.
_BEFORE = timedelta(hours=1)
_FINDINGS = {
    "found": "It was looked for in GoHighLevel, and it had been done.",
    "not_found": "It was looked for in GoHighLevel, and it had not been done.",
    "cannot_tell": "It was looked for in GoHighLevel, which could not tell.",
}


@dataclass(frozen=True, slots=True)
class JobSeen:
    """A job as it stands now. tries: those that cost."""

    job_id: UUID
    operation: str
    location_id: str
    state: str
    cause: str
    code: str
    tries: int
    created_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class AttemptSeen:
    """An attempt. number: of the claim. status: of HTTP. trace_id: what GoHighLevel's support asks for.

    words: what its outcome and code mean, for staff.
    """

    job_id: UUID
    number: int
    kind: str
    outcome: str
    code: str
    status: int | None
    started_at: datetime
    duration_ms: float
    trace_id: str
    words: str


@dataclass(frozen=True, slots=True)
class WebhookSeen:
    """A webhook, and how far its processing is. code: why it was ignored, or failed last."""

    webhook_id: int
    topic: str
    location_id: str | None
    state: str
    code: str
    tries: int
    received_at: datetime
    processed_at: datetime | None


@dataclass(frozen=True, slots=True)
class DraftSeen:
    """A draft as it stands now. kind, state: in words. code: why it failed last."""

    draft_id: UUID
    kind: str
    channel: str
    state: str
    code: str
    round: int
    created_at: datetime
    approved_at: datetime | None
    approved_by: str
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class CallSeen:
    """A call of the language model for a draft. outcome: in words. duration_ms: None while it goes on."""

    draft_id: UUID
    round: int
    number: int
    outcome: str
    code: str
    model: str
    began_at: datetime
    duration_ms: float | None


def jobs(correlation_id: str, since: datetime, most: int) -> list[JobSeen]:
    """Return the newest jobs that were enqueued under an id."""
    found = SyncJob.objects.filter(correlation_id=correlation_id, created_at__gte=since)
    fields = ("pk", "operation", "location_id", "state", "cause", "code", "tries", "created_at", "settled_at")
    return [JobSeen(*row) for row in found.order_by("-created_at").values_list(*fields)[:most]]


def attempts(correlation_id: str, since: datetime, most: int) -> list[AttemptSeen]:
    """Return the newest attempts of the jobs that were enqueued under an id."""
    enqueued = SyncJob.objects.filter(correlation_id=correlation_id).order_by("-created_at")
    found = dict(enqueued.values_list("pk", "created_at")[:_MOST_JOBS])
    if not found:
        return []
    # The bound on the time is what spares the partitions before it; in the rest an index finds the jobs.
    begun_at = max(since, min(found.values()) - _BEFORE)
    tried = SyncAttempt.objects.filter(job_id__in=list(found), started_at__gte=begun_at)
    fields = (
        "job_id",
        "fence",
        "kind",
        "outcome",
        "code",
        "status",
        "started_at",
        "duration_ms",
        "trace_id",
    )
    rows = tried.order_by("-started_at").values_list(*fields)[:most]
    return [AttemptSeen(*(*row, _words(outcome=row[3], code=row[4]))) for row in rows]


def webhooks(correlation_id: str, since: datetime, most: int) -> list[WebhookSeen]:
    """Return the newest webhooks that came in under an id."""
    found = Webhook.objects.filter(correlation_id=correlation_id, received_at__gte=since)
    fields = ("pk", "topic", "location_id", "state", "code", "tries", "received_at", "processed_at")
    return [WebhookSeen(*row) for row in found.order_by("-received_at").values_list(*fields)[:most]]


def drafts(correlation_id: str, since: datetime, most: int) -> list[DraftSeen]:
    """Return the newest drafts that were asked for under an id."""
    found = Draft.objects.filter(correlation_id=correlation_id, created_at__gte=since)
    return [
        DraftSeen(
            one.pk,
            one.get_kind_display(),
            one.channel,
            one.state,
            one.code,
            one.round,
            one.created_at,
            one.approved_at,
            one.approved_by,
            one.sent_at,
        )
        for one in found.defer("context", "text", "written_text").order_by("-created_at")[:most]
    ]


def calls(correlation_id: str, since: datetime, most: int) -> list[CallSeen]:
    """Return the newest calls of the language model for the drafts that were asked for under an id."""
    asked = Draft.objects.filter(correlation_id=correlation_id, created_at__gte=since)
    ids = list(asked.order_by("-created_at").values_list("pk", flat=True)[:_MOST_JOBS])
    if not ids:
        return []
    made = DraftAttempt.objects.filter(draft__in=ids, began_at__gte=since).order_by("-began_at")
    fields = ("draft_id", "round", "number", "outcome", "code", "model", "began_at", "duration_ms")
    return [CallSeen(*row) for row in made.values_list(*fields)[:most]]


def _words(*, outcome: str, code: str) -> str:
    if outcome in _FINDINGS:
        return _FINDINGS[outcome]
    try:
        return words.explain(Verdict(Outcome(outcome), Code(code))).words
    except ValueError:
        # A word of another release.
        return ""
