"""Sync health: how sync stands now, and how well it went over a period.

The rule: one reading of each kind of counts covers the period and the one before it. What cannot be told by
location or operation is shown of all, and says so.
"""

from datetime import datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from django.utils import timezone

from observability import counters
from observability.counters import Counter
from observability.dashboards import attempts, budget, freshness, latency, live_status, points, sync_pages
from observability.dashboards.attempts import Counted
from observability.dashboards.intervals import wilson
from observability.dashboards.latency import P50, P95, P99, Took
from observability.dashboards.panels import Chart, Dashboard, Figure, Lines, Section, Series, Unit
from observability.dashboards.points import Points
from observability.dashboards.question import Question
from observability.dashboards.sync_pages import page
from sync.stats import backlog, locations, processing
from sync.stats.dead_letters import Letters

NAME, TITLE = "sync_health", "Sync health"
OF_ALL = "Of all locations and operations."
# So many causes have a line of their own.
MOST_CAUSES = 8
_MOST_CODES = 4
# Operations of so many days are offered.
_OFFERED = timedelta(days=28)


def build(question: Question, *, now: datetime) -> Dashboard:
    """Return the whole dashboard; what is live comes first.

    location, operation: filters of the question; trainer and segment are left alone.
    """
    over = points.of(question, now=now)
    letters = live_status.read_letters()
    counted = attempts.count(question, over, now=now)
    took = latency.of_period(question, over, now=now)
    return Dashboard(
        NAME,
        TITLE,
        freshness.counted_at(),
        [
            *live_status.sections(question, letters, now=now),
            Section("How jobs end", _ends(question, counted, now), _trends(question, over, counted)),
            Section(
                "How long it takes", _latencies(question, took, now), [_latency_trend(question, over, took)]
            ),
            Section("Dead letters", (), [_backlog(question, letters, now)]),
            Section("Webhooks", _webhooks(question, counted, took, now)),
        ],
        _notes(question),
    )


def live(question: Question, *, now: datetime) -> list[Section]:
    """Return the sections that are asked for again every few seconds."""
    return live_status.sections(question, live_status.read_letters(), now=now)


def choices(name: str, *, now: datetime | None = None) -> list[str]:
    """Return what is offered for the filters `location` and `operation`; nothing for others."""
    match name:
        case "location":
            return locations.ids()
        case "operation":
            return attempts.operations(since=(now or timezone.now()).date() - _OFFERED)
    return []


def _notes(question: Question) -> list[str]:
    if not _is_narrowed(question):
        return []
    return [
        "The filters choose attempts, causes and, by location, webhooks. How sync stands now, how long it"
        " takes, what was put off, and dead letters are of all locations and operations."
    ]


def _ends(question: Question, counted: Counted, now: datetime) -> list[Figure]:
    total, before = counted.total, counted.before
    low, high = wilson(total.succeeded, total.settled) or (None, None)
    given_up = sync_pages.letters(question)
    nothing = "" if total.settled else "No job was settled."
    return [
        Figure(
            "sync_success",
            "Success rate",
            total.success,
            "share",
            sample=total.settled,
            low=low,
            high=high,
            before=before.success,
            target=budget.TARGET,
            url=given_up,
            note=nothing,
        ),
        Figure(
            "error_budget",
            "Error budget left",
            budget.left(total.dropped, total.settled),
            "share",
            sample=total.settled,
            before=budget.left(before.dropped, before.settled),
            target=budget.LEFT,
            url=given_up,
            note=nothing,
        ),
        Figure(
            "retry_rate",
            "Retry rate",
            total.retry_rate,
            "share",
            total.attempts,
            before=before.retry_rate,
            url=sync_pages.events("sync_retry", since=question.starts_at, now=now),
            note="" if total.attempts else "No attempt has ended.",
        ),
        _deferred(question),
    ]


def _deferred(question: Question) -> Figure:
    def count(of: Question) -> dict[str, int]:
        return counters.by_label(Counter.SYNC_DEFERRED, since=of.starts_at, until=of.ends_at)

    by_code = count(question)
    most = sorted(by_code.items(), key=lambda pair: (-pair[1], pair[0]))[:_MOST_CODES]
    codes = ", ".join(f"{_words(code)} {attempts:,}" for code, attempts in most)
    return Figure(
        "deferred",
        "Put off at no cost",
        sum(by_code.values()),
        before=sum(count(question.before()).values()),
        url=page(sync_pages.FLIGHT),
        note=_with_scope(question, f"Most: {codes}." if codes else ""),
    )


def _trends(question: Question, over: Points, counted: Counted) -> list[Chart]:
    ends = counted.ends
    return [
        Lines(
            key="sync_success_trend",
            title="Success rate",
            unit="share",
            xs=over.labels,
            series=[Series("Success rate", [one.success for one in ends], url=sync_pages.letters(question))],
            target=budget.TARGET,
            floor=None,
        ),
        Lines(
            key="sync_outcomes",
            title="Attempts",
            xs=over.labels,
            series=[
                Series("Succeeded", [one.succeeded for one in ends], url=sync_pages.jobs(question)),
                Series(
                    "Tried again",
                    [one.retried for one in ends],
                    url=sync_pages.jobs(question, tried="before"),
                ),
                Series("Given up", [one.dropped for one in ends], url=sync_pages.letters(question)),
            ],
            stacked=True,
        ),
        _causes(question, over, counted),
    ]


def _causes(question: Question, over: Points, counted: Counted) -> Lines:
    """Those with most failures have lines of their own; the others share one, where they are several."""
    ranked = sorted(counted.causes.items(), key=lambda pair: (-sum(pair[1]), pair[0]))
    alone = MOST_CAUSES if len(ranked) > MOST_CAUSES + 1 else len(ranked)
    series = [
        Series(_words(code), failed, url=sync_pages.letters(question, code=code))
        for code, failed in ranked[:alone]
    ]
    rest = [failed for _, failed in ranked[alone:]]
    if rest:
        series.append(Series(f"{len(rest)} other causes", [sum(point) for point in zip(*rest, strict=True)]))
    return Lines(
        key="sync_errors",
        title="Failed attempts by cause",
        xs=over.labels,
        series=series,
        stacked=True,
        note="" if series else "No attempt has failed.",
    )


def _latencies(question: Question, took: Took, now: datetime) -> list[Figure]:
    succeeded = sync_pages.events("sync_ok", since=question.starts_at, now=now)
    return [
        _percentile("settled_p50", "Enqueued to success, p50", question, took, P50, url=succeeded),
        _percentile("settled_p95", "Enqueued to success, p95", question, took, P95, url=succeeded),
        _percentile("settled_p99", "Enqueued to success, p99", question, took, P99, url=succeeded),
        _percentile("ghl_p50", "GoHighLevel's answer, p50", question, took, P50, url=succeeded),
        _percentile("ghl_p95", "GoHighLevel's answer, p95", question, took, P95, url=succeeded),
        _percentile("ghl_p99", "GoHighLevel's answer, p99", question, took, P99, url=succeeded),
    ]


def _percentile(key: str, label: str, question: Question, took: Took, share: Fraction, *, url: str) -> Figure:
    """Return a percentile of the metric that the key begins with; what takes moments is in milliseconds."""
    metric = key.partition("_")[0]
    unit: Unit = "seconds" if metric == "settled" else "milliseconds"

    def value(histograms: dict[str, latency.Histogram]) -> float | None:
        seconds = latency.percentile(histograms[metric], share)
        return seconds if seconds is None or unit == "seconds" else seconds * 1e3

    return Figure(
        key,
        label,
        value(took.total),
        unit,
        sum(took.total[metric].values()),
        before=value(took.before),
        url=url,
        note=_with_scope(question, ""),
    )


def _latency_trend(question: Question, over: Points, took: Took) -> Lines:
    shares = [("p50", P50), ("p95", P95), ("p99", P99)]
    return Lines(
        key="sync_latency",
        title="From enqueueing to success",
        unit="seconds",
        xs=over.labels,
        series=[
            Series(label, [latency.percentile(one, share) for one in took.trend]) for label, share in shares
        ],
        note=_with_scope(question, ""),
    )


def _backlog(question: Question, letters: Letters, now: datetime) -> Lines:
    checks = backlog.checks(since=question.starts_at, until=min(question.ends_at, now))
    zone = ZoneInfo(question.zone)
    return Lines(
        key="dead_letter_backlog",
        title="Open dead letters",
        xs=[*(f"{at.astimezone(zone):%Y-%m-%d %H:%M}" for at, _ in checks), "Now"],
        series=[
            Series("Open", [*(is_open for _, is_open in checks), letters.open], url=page(sync_pages.LEDGER))
        ],
        note=_with_scope(question, "" if checks else "The ledger was not checked in this period."),
    )


def _webhooks(question: Question, counted: Counted, took: Took, now: datetime) -> list[Figure]:
    processed = processing.took(question.location)
    received = sync_pages.events("webhook_received", since=question.starts_at, now=now)
    return [
        Figure(
            "webhooks_received",
            "Webhooks received",
            counted.total.webhooks,
            before=counted.before.webhooks,
            url=received,
            note="Whatever the operation." if question.operation else "",
        ),
        _percentile("webhook_stored_p95", "Stored, p95", question, took, P95, url=received),
        Figure(
            "webhook_processed_p95",
            "Processed, p95",
            processed.p95.total_seconds() if processed.p95 is not None else None,
            "seconds",
            processed.webhooks,
            url=page(sync_pages.WEBHOOKS),
            note="" if processed.webhooks else "None was processed.",
        ),
    ]


def _is_narrowed(question: Question) -> bool:
    return bool(question.location or question.operation)


def _with_scope(question: Question, note: str) -> str:
    return " ".join(words for words in (note, OF_ALL if _is_narrowed(question) else "") if words)


def _words(code: str) -> str:
    """A code as a reader has it: they are words with underscores."""
    return code.replace("_", " ") or "no code"
