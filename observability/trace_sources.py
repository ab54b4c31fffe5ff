"""What can be told about a correlation id: events and log lines, and what sync did under it.

The rule: every source stops at its limit of rows and of time, and finds its rows by an index.
"""

from datetime import datetime, timedelta

from django.urls import NoReverseMatch, reverse

from observability import trace
from observability.event_search import key_of
from observability.models import Event, LogLine
from observability.trace import Source
from sync.stats import buried, traced
from trainu.bounded_query import BY_BLOOM, bounded
from trainu.moments import Moment

# The many are quiet, so that the few stand out.
LEVEL_TONES = {"error": "bad", "warn": "warn"}
_DETAIL_CHARACTERS = 4_000
_OUTCOME_TONES = {"transient": "warn", "ambiguous": "warn", "permanent": "bad", "configuration": "bad"}
_STATE_TONES = {"dead": "bad", "succeeded": "ok", "done": "ok", "recovered": "ok", "discarded": "warn"}
_DRAFT_TONES = {"failed": "bad", "undelivered": "bad", "sent": "ok", "dismissed": "warn"}
_CALL_TONES = {"transient": "warn", "permanent": "bad", "lost": "warn"}
_BULK_TONES = {"Recovered": "ok", "Failed again, same cause": "bad", "Failed again, new cause": "bad"}


def events(correlation_id: str, since: datetime, most: int) -> list[Moment]:
    """Return the events that were reported under an id."""
    found = Event.objects.filter(timestamp__gte=since, correlation_id=correlation_id)
    with bounded(trace.TIME_LIMIT_MS, **BY_BLOOM):
        rows = list(found.defer("properties").order_by("-timestamp")[:most])
    return [
        Moment(
            at=event.timestamp,
            kind="Event",
            title=event.event,
            detail=f"{event.distinct_id}, by {event.source}",
            url=reverse("admin:event", args=[str(key_of(event))]),
        )
        for event in rows
    ]


def log_lines(correlation_id: str, since: datetime, most: int) -> list[Moment]:
    """Return the log lines that were written under an id."""
    found = LogLine.objects.filter(logged_at__gte=since, correlation_id=correlation_id)
    with bounded(trace.TIME_LIMIT_MS):
        rows = list(found.order_by("-logged_at", "-id")[:most])
    return [
        Moment(
            at=line.logged_at,
            kind=f"Log, {line.level}",
            title=line.event,
            detail=str(line.rest.get("exception", ""))[-_DETAIL_CHARACTERS:] or line.service,
            tone=LEVEL_TONES.get(line.level, ""),
        )
        for line in rows
    ]


def jobs(correlation_id: str, since: datetime, most: int) -> list[Moment]:
    """Return the sync jobs that were enqueued under an id, as they stand now."""
    with bounded(trace.TIME_LIMIT_MS):
        found = traced.jobs(correlation_id, since, most)
    return [
        Moment(
            at=job.created_at,
            kind="Job",
            title=f"{job.operation}: {_words(job.state, job.cause, _trouble(job.code))}",
            detail=f"Job {job.job_id} of location {job.location_id}, tries that counted: {job.tries}",
            url=_page("admin:sync_syncjob_change", job.job_id),
            tone=_STATE_TONES.get(job.state, ""),
        )
        for job in found
    ]


def attempts(correlation_id: str, since: datetime, most: int) -> list[Moment]:
    """Return the attempts of the jobs that were enqueued under an id."""
    with bounded(trace.TIME_LIMIT_MS):
        found = traced.attempts(correlation_id, since, most)
    return [
        Moment(
            at=one.started_at,
            kind="Lookup" if one.kind == "lookup" else "Attempt",
            title=_words(one.outcome, one.code),
            detail=_of_attempt(one),
            url=_page("admin:sync_syncjob_change", one.job_id),
            tone=_OUTCOME_TONES.get(one.outcome, ""),
        )
        for one in found
    ]


def webhooks(correlation_id: str, since: datetime, most: int) -> list[Moment]:
    """Return the webhooks that came in under an id."""
    with bounded(trace.TIME_LIMIT_MS):
        found = traced.webhooks(correlation_id, since, most)
    return [
        Moment(
            at=one.received_at,
            kind="Webhook",
            title=f"{one.topic}: {_words(one.state, one.code)}",
            detail=f"Webhook {one.webhook_id} of location {one.location_id or 'unknown'}, tries: {one.tries}",
            url=_page("admin:sync_webhook_change", one.webhook_id),
            tone=_STATE_TONES.get(one.state, ""),
        )
        for one in found
    ]


def letters(correlation_id: str, since: datetime, most: int) -> list[Moment]:
    """Return when what was done under an id died, again and again, and how that ended."""
    with bounded(trace.TIME_LIMIT_MS):
        found = buried.letters(correlation_id, most)
    told = [moment for one in found for moment in _of_letter(one) if moment.at >= since]
    return sorted(told, key=lambda moment: moment.at)[-most:]


def bulk_operations(correlation_id: str, since: datetime, most: int) -> list[Moment]:
    """Return the bulk operations that had letters of an id in their set, and what they did with them."""
    with bounded(trace.TIME_LIMIT_MS):
        found = buried.bulk(correlation_id, most)
    return [
        Moment(
            at=one.ended_at or one.started_at,
            kind="Bulk operation",
            title=f"{one.kind}: {one.outcome}",
            detail=f"Bulk operation {one.operation_id}, dead letter {one.letter_id}",
            url=_page("admin:sync_bulkoperation_change", one.operation_id),
            tone=_BULK_TONES.get(one.outcome, ""),
            by=one.by,
        )
        for one in found
        if one.started_at >= since
    ]


def drafts(correlation_id: str, since: datetime, most: int) -> list[Moment]:
    """Return the drafts that were asked for under an id, as they stand now, when approved and when sent."""
    with bounded(trace.TIME_LIMIT_MS):
        found = traced.drafts(correlation_id, since, most)
    told = [moment for one in found for moment in _of_draft(one) if moment.at >= since]
    return sorted(told, key=lambda moment: moment.at)[-most:]


def model_calls(correlation_id: str, since: datetime, most: int) -> list[Moment]:
    """Return the calls of the language model for the drafts that were asked for under an id."""
    with bounded(trace.TIME_LIMIT_MS):
        found = traced.calls(correlation_id, since, most)
    return [
        Moment(
            at=one.began_at,
            kind="Model call",
            title=_words(one.outcome, one.code),
            detail=_of_call(one),
            url=_page("admin:sync_draft", one.draft_id),
            tone=_CALL_TONES.get(one.outcome, ""),
        )
        for one in found
    ]


def _of_draft(one: traced.DraftSeen) -> list[Moment]:
    url = _page("admin:sync_draft", one.draft_id)
    name = f"Draft {one.draft_id}"
    tone = _DRAFT_TONES.get(one.state, "")
    standing = f"{one.kind}, {one.channel}: {_words(one.state, one.code)}"
    told = [Moment(one.created_at, "Draft", standing, name, url, tone)]
    if one.approved_at:
        told.append(Moment(one.approved_at, "Draft", "approved", name, url, "", one.approved_by))
    if one.sent_at:
        told.append(Moment(one.sent_at, "Draft", "sent", name, url, "ok"))
    return told


def _of_call(one: traced.CallSeen) -> str:
    facts = [f"try {one.number} of round {one.round}", f"draft {one.draft_id}"]
    facts += [f"{one.duration_ms:,.0f} ms"] if one.duration_ms is not None else []
    facts += [one.model] if one.model else []
    return ", ".join(facts)


def _of_letter(one: buried.LetterSeen) -> list[Moment]:
    url = _page("admin:sync_deadletter_change", one.letter_id)
    name = f"Dead letter {one.letter_id}"

    def moment(at: datetime, title: str, tone: str, by: str = "") -> Moment:
        return Moment(at, "Dead letter", title, name, url, tone, by)

    told = [moment(one.first_died_at, f"{one.what}: {_words('dead', one.code)}", "bad")]
    if one.deaths > 1:
        told.append(moment(one.died_at, f"{one.what}: dead again, {one.deaths} times in all", "bad"))
    if one.resolved_at:
        told.append(
            moment(one.resolved_at, f"{one.what}: {one.state}", _STATE_TONES.get(one.state, ""), one.by)
        )
    return told


def _of_attempt(one: traced.AttemptSeen) -> str:
    facts = [f"number {one.number} of job {one.job_id}", f"{one.duration_ms:,.0f} ms"]
    facts += [f"HTTP {one.status}"] if one.status else []
    facts += [f"GoHighLevel's trace id {one.trace_id}"] if one.trace_id else []
    return f"{one.words} ({', '.join(facts)})".strip()


def _trouble(code: str) -> str:
    return "" if code == "ok" else code


def _words(*said: str) -> str:
    return ", ".join(word.replace("_", " ") for word in dict.fromkeys(said) if word)


def _page(name: str, key: object) -> str:
    try:
        return reverse(name, args=[key])
    except NoReverseMatch:
        return ""


trace.register(Source("events", "observability.view_event", events, timedelta(days=30)))
trace.register(Source("log lines", "observability.view_logline", log_lines, timedelta(days=90)))
trace.register(Source("sync jobs", "sync.view_syncjob", jobs, timedelta(days=90)))
trace.register(Source("attempts of sync jobs", "sync.view_syncattempt", attempts, timedelta(days=90)))
trace.register(Source("webhooks", "sync.view_webhook", webhooks, timedelta(days=90)))
trace.register(Source("dead letters", "sync.view_deadletter", letters, timedelta(days=400)))
trace.register(Source("bulk operations", "sync.view_bulkoperation", bulk_operations, timedelta(days=400)))
trace.register(Source("drafts", "sync.view_draft", drafts, timedelta(days=400)))
trace.register(Source("calls of the language model", "sync.view_draft", model_calls, timedelta(days=400)))
