"""Whether sync gets on with its work, in numbers and plain words for who is on call.

The rule: it reads what our own tables say, asks GoHighLevel nothing, and names locations by their ids.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sync.stats import dead_letters, kill_switch, locations, queues
from sync.stats.queues import Queue

JOBS_LATE = timedelta(minutes=2)
WEBHOOKS_LATE = timedelta(minutes=5)
# They are taken back one at a time.
LEASES_RUN_OUT = timedelta(minutes=3)
_MOST_NAMED = 10


def look(*, now: datetime) -> tuple[list[str], dict[str, Any]]:
    """Return what is wrong, in sentences, and the numbers."""
    jobs, webhooks = queues.jobs(now=now), queues.webhooks(now=now)
    held = [one.location_id for one in locations.held(now=now)]
    unanswered = [one.location_id for one in locations.unanswered(now=now)]
    switch = kill_switch.look(now=now)
    wrong = [*_late("Jobs", jobs, JOBS_LATE, now), *_late("Webhooks", webhooks, WEBHOOKS_LATE, now)]
    if switch.is_on:
        wrong.append("The kill switch is on: no message goes out until somebody turns it off.")
    if held:
        wrong.append("Locations are paused or misconfigured: their jobs wait until somebody resumes them.")
    if unanswered:
        wrong.append("GoHighLevel does not answer for some locations: their jobs wait until it does.")
    numbers = {
        "wrong": wrong,
        **_numbers("jobs", jobs, now),
        **_numbers("webhooks", webhooks, now),
        "dead_letters": dead_letters.letters().open,
        "kill_switch": "on" if switch.is_on else "off",
        "messages_held": str(switch.held),
        "held": _named(held),
        "unanswered": _named(unanswered),
    }
    return wrong, numbers


def _late(name: str, queue: Queue, limit: timedelta, now: datetime) -> Iterator[str]:
    if _age(queue.late_since, now) > limit:
        yield f"{name} wait that could be worked off. See whether the workers run, and keep up."
    if _age(queue.lost_since, now) > LEASES_RUN_OUT:
        yield f"{name} of workers that died are not taken back. See whether the workers run."


def _numbers(name: str, queue: Queue, now: datetime) -> dict[str, Any]:
    return {
        f"{name}_waiting": str(queue.waiting),
        f"{name}_late_s": round(_age(queue.late_since, now).total_seconds(), 1),
        f"{name}_lost": str(queue.lost),
    }


def _age(since: datetime | None, now: datetime) -> timedelta:
    return now - since if since else timedelta(0)


def _named(ids: list[str]) -> list[str]:
    """Return the first ids, and in words how many there are besides."""
    more = len(ids) - _MOST_NAMED
    return ids[:_MOST_NAMED] + ([f"and {more} more"] if more > 0 else [])
