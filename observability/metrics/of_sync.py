"""Figures of sync: its queues, dead letters, locations and the kill switch, as `sync.stats` counts them.

The rule: a count ends where `sync.stats` stops counting, and its words say where.
"""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import Metric

from observability.metrics.families import age_s, gauge, gauges
from sync.stats import answering, dead_letters, drafts, flight, held, kill_switch, neglected, queues
from sync.stats.queues import MOST, Count

_UP_TO = f"Counted up to {MOST:,}; {MOST + 1} means more."


def jobs(now: datetime) -> Iterator[Metric]:
    """Jobs by state, and how late they are."""
    queue, figures = queues.jobs(now=now), flight.figures(now=now)
    yield gauges(
        "sync_jobs",
        f"Jobs for GoHighLevel: waiting, in hand, or lost with the worker that had them. {_UP_TO}",
        ["state"],
        {
            ("waiting",): _number(queue.waiting),
            ("in_hand",): _number(figures.in_hand),
            ("lost",): _number(queue.lost),
        },
    )
    yield gauge(
        "sync_jobs_late_seconds",
        "For how long the first job has waited that could have been tried.",
        age_s(queue.late_since, now),
    )
    yield gauge("sync_locations", "Locations, whatever their state.", figures.locations)
    yield gauge("sync_locations_troubled", "Locations with trouble of any kind.", figures.troubled)


def webhooks(now: datetime) -> Iterator[Metric]:
    """Stored webhooks that are not processed yet."""
    queue = queues.webhooks(now=now)
    yield gauges(
        "webhooks",
        f"Stored webhooks: waiting to be processed, or lost with the worker that had them. {_UP_TO}",
        ["state"],
        {("waiting",): _number(queue.waiting), ("lost",): _number(queue.lost)},
    )
    yield gauge(
        "webhooks_late_seconds",
        "For how long the first webhook has waited that could have been processed.",
        age_s(queue.late_since, now),
    )


def letters(now: datetime) -> Iterator[Metric]:
    """Dead letters that somebody has to see to."""
    counted, waiting = dead_letters.letters(), neglected.look(now=now)
    yield gauges(
        "dead_letters",
        "Dead letters: open, snoozed ones included, or being redriven.",
        ["state"],
        {("open",): counted.open, ("redriving",): counted.redriving},
    )
    yield gauge("dead_letter_causes", "Causes with dead letters that are not decided.", counted.groups)
    yield gauge(
        "dead_letters_oldest_seconds",
        "For how long the oldest open dead letter has been dead; 0 where there is none.",
        age_s(counted.oldest_at, now),
    )
    yield gauge(
        "dead_letters_neglected_seconds",
        "The same of those that nobody has snoozed.",
        age_s(waiting.oldest_at, now),
    )
    yield gauge(
        "dead_letters_died_1h",
        f"Open dead letters that died within the last hour. {_UP_TO}",
        _number(waiting.grown),
    )


def locations(now: datetime) -> Iterator[Metric]:
    """What keeps locations from sending, and whether GoHighLevel answers."""
    kinds = {one.kind: one.number for one in held.in_short(now=now)}
    seen = answering.look(now=now)
    yield gauges(
        "sync_locations_held",
        "Locations that nothing is sent for: paused by a person, or misconfigured.",
        ["state"],
        {(state,): kinds.get(state, 0) for state in ("paused", "misconfigured")},
    )
    yield gauges(
        "sync_breakers",
        "Locations whose GoHighLevel does not answer (open), or does again (ramping).",
        ["state"],
        {("open",): seen.opened, ("ramping",): seen.ramping},
    )
    told = [
        at for at in (seen.answered_at, seen.asked.at if seen.asked and seen.asked.answers else None) if at
    ]
    yield gauge(
        "ghl_answered_age_seconds",
        "Since when GoHighLevel was last heard to answer; missing where that is an hour or more.",
        age_s(max(told), now) if told else None,
    )


def messages(now: datetime) -> Iterator[Metric]:
    """The kill switch, and what it holds."""
    switch = kill_switch.look(now=now)
    yield gauge("kill_switch_on", "1 while the kill switch holds all messages, else 0.", float(switch.is_on))
    yield gauge(
        "messages_held",
        f"Messages that are due and wait for the kill switch. Counted up to {kill_switch.MOST:,}.",
        switch.held.number,
    )


def drafted(now: datetime) -> Iterator[Metric]:
    """Drafts that are not over, and how late they are."""
    found = drafts.look(now=now)
    yield gauges(
        "drafts",
        "Drafts: to be written, in hand, lost with the worker that had them, to be reviewed, failed, approved"
        f" and to be sent, or not taken by GoHighLevel. {_UP_TO}",
        ["state"],
        {
            ("waiting",): _number(found.waiting),
            ("in_hand",): _number(found.writing),
            ("lost",): _number(found.lost),
            ("review",): _number(found.review),
            ("failed",): _number(found.failed),
            ("scheduled",): _number(found.scheduled),
            ("undelivered",): _number(found.undelivered),
        },
    )
    yield gauge(
        "drafts_late_seconds",
        "For how long the first draft has waited that could have been written; missing without a model.",
        age_s(found.late_since, now) if found.is_on else None,
    )


def _number(count: Count) -> int:
    return count.number + count.is_more
