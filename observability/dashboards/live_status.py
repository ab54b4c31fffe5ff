"""How sync stands at this moment: what the page of sync health shows first, and asks for every few seconds.

The rule: a few statements, whatever the number of locations, jobs and events; all locations are counted, and
a filter only chooses which one is listed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db.models import Q, Sum

from observability.dashboards import latency, sync_pages
from observability.dashboards.budget import TARGET
from observability.dashboards.latency import P50, P95
from observability.dashboards.panels import Figure, Section, Target
from observability.dashboards.question import Question
from observability.dashboards.status_lists import integrations, locations, workers
from observability.dashboards.sync_pages import page
from observability.models import EventMinute
from sync.stats import dead_letters, flight, kill_switch, queues
from sync.stats.dead_letters import Letters
from sync.stats.flight import Figures
from sync.stats.kill_switch import Switch
from sync.stats.queues import Count, Queue

_HOUR, _DAY = timedelta(hours=1), timedelta(hours=24)
# As `observability.sync_health` has it.
_LATE = Target("at most 2 minutes", high=120.0)
_ENDS = ("sync_ok", "sync_dropped")


def sections(question: Question, letters: Letters, *, now: datetime) -> list[Section]:
    """Return figures of now, then locations, then integrations and workers. letters: as they are counted."""
    standing = flight.figures(now=now)
    jobs, webhooks = queues.jobs(now=now), queues.webhooks(now=now)
    switch = kill_switch.look(now=now)
    took = latency.of_last_hour(now=now)
    figures = [
        *_successes(now),
        *_latencies(took, now),
        *_jobs(jobs, standing, now),
        _held(switch),
        _webhooks(webhooks),
        *_letters(letters, now),
        _troubled(standing),
    ]
    return [
        Section("Now", figures, is_live=True),
        Section("Locations now", (), [locations(question, standing.locations, now=now)], is_live=True),
        Section("Integrations and workers now", (), [integrations(), workers(now=now)], is_live=True),
    ]


def _successes(now: datetime) -> list[Figure]:
    since_hour, since_day = now - _HOUR, now - _DAY
    rows = EventMinute.objects.filter(event__in=_ENDS, minute__gt=since_day, minute__lte=now)
    # The minute at hand is the last of the sixty.
    counted = rows.values_list("event").annotate(
        day=Sum("events"), hour=Sum("events", filter=Q(minute__gt=since_hour), default=0)
    )
    by_event: Mapping[str, tuple[int, int]] = {event: (hour, day) for event, day, hour in counted}
    (ok_hour, ok_day), (dropped_hour, dropped_day) = (by_event.get(event, (0, 0)) for event in _ENDS)
    return [
        _success("success_hour", "Success, last hour", ok_hour, dropped_hour, since_hour, now),
        _success("success_day", "Success, last 24 hours", ok_day, dropped_day, since_day, now),
    ]


def _success(key: str, label: str, succeeded: int, dropped: int, since: datetime, now: datetime) -> Figure:
    settled = succeeded + dropped
    return Figure(
        key,
        label,
        succeeded / settled if settled else None,
        "share",
        sample=settled,
        target=TARGET,
        url=sync_pages.events("sync_ok", since=since, now=now),
        note="" if settled else "No job was settled.",
    )


def _latencies(took: Mapping[str, Mapping[int, int]], now: datetime) -> list[Figure]:
    settled, ghl = took["settled"], took["ghl"]
    jobs, attempts = sum(settled.values()), sum(ghl.values())
    to_success, answer = "Enqueued to success, last hour", "GoHighLevel's answer, last hour"
    done = sync_pages.events("sync_ok", since=now - _HOUR, now=now)

    def milliseconds(seconds: float | None) -> float | None:
        return None if seconds is None else seconds * 1e3

    return [
        Figure(
            "settled_p50_hour",
            f"{to_success}, p50",
            latency.percentile(settled, P50),
            "seconds",
            jobs,
            url=done,
        ),
        Figure(
            "settled_p95_hour",
            f"{to_success}, p95",
            latency.percentile(settled, P95),
            "seconds",
            jobs,
            url=done,
        ),
        Figure(
            "ghl_p50_hour",
            f"{answer}, p50",
            milliseconds(latency.percentile(ghl, P50)),
            "milliseconds",
            attempts,
            url=done,
        ),
        Figure(
            "ghl_p95_hour",
            f"{answer}, p95",
            milliseconds(latency.percentile(ghl, P95)),
            "milliseconds",
            attempts,
            url=done,
        ),
    ]


def _jobs(jobs: Queue, standing: Figures, now: datetime) -> list[Figure]:
    in_flight = page(sync_pages.FLIGHT)
    late_s = (now - jobs.late_since).total_seconds() if jobs.late_since else 0.0
    next_in_s = (standing.next_at - now).total_seconds() if standing.next_at else None
    return [
        Figure(
            "jobs_waiting",
            "Jobs waiting",
            jobs.waiting.number,
            url=page(sync_pages.JOBS, state__exact="waiting"),
            note=_and_more(
                jobs.waiting, "" if next_in_s is None else f"The next comes due in {next_in_s:,.0f} s."
            ),
        ),
        Figure("jobs_late", "First job late for", late_s, "seconds", target=_LATE, url=in_flight),
        Figure(
            "jobs_in_hand",
            "Jobs in hand",
            standing.in_hand.number,
            url=page(sync_pages.JOBS, state__exact="leased"),
            note=_and_more(
                standing.in_hand,
                f"Lost with their process: {jobs.lost}. They are taken back." if jobs.lost.number else "",
            ),
        ),
    ]


def _held(switch: Switch) -> Figure:
    note = f"The kill switch is on since {switch.since:%Y-%m-%d %H:%M} UTC." if switch.is_on else ""
    return Figure(
        "messages_held",
        "Messages held by the kill switch",
        switch.held.number,
        url=page(sync_pages.KILL_SWITCH),
        note=_and_more(switch.held, note or "The kill switch is off."),
    )


def _webhooks(webhooks: Queue) -> Figure:
    return Figure(
        "webhooks_waiting",
        "Webhooks waiting",
        webhooks.waiting.number,
        url=page(sync_pages.WEBHOOKS, state__exact="waiting"),
        note=_and_more(webhooks.waiting, ""),
    )


def _letters(letters: Letters, now: datetime) -> Sequence[Figure]:
    oldest_s = (now - letters.oldest_at).total_seconds() if letters.oldest_at else None
    causes = f"Of {letters.groups:,} cause{'' if letters.groups == 1 else 's'}."
    return [
        Figure(
            "dead_letters_open",
            "Dead letters open",
            letters.open,
            url=page(sync_pages.CAUSES),
            note=causes if letters.groups else "",
        ),
        Figure(
            "dead_letters_oldest",
            "Oldest open dead letter",
            oldest_s,
            "seconds",
            url=page(sync_pages.LETTERS, state="open"),
            note="" if letters.open else "None is open.",
        ),
    ]


def _troubled(standing: Figures) -> Figure:
    return Figure(
        "locations_troubled",
        "Locations with trouble",
        standing.troubled,
        target=Target("none", high=0.0),
        url=page(sync_pages.LOCATIONS),
        note=f"Of {standing.locations:,}.",
    )


def _and_more(count: Count, note: str) -> str:
    return " ".join(words for words in ("There are more." if count.is_more else "", note) if words)


def read_letters() -> Letters:
    """Return how many dead letters wait, for this part and for the trend of them."""
    return dead_letters.letters()
