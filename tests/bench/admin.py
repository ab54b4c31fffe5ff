"""The admin's lists and pages at a million dead letters and five million attempts: server time of each.

The rule: a page is asked for as a browser does, with everything on, by who may see all of it; its rendering
counts too, and nothing is kept from the time before. What is slower than the goal is named.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg

from tests.bench import machine, mountain, service
from tests.bench.pages import times as server_times

LETTERS = 1_000_000
ATTEMPTS_EACH = 5
GOAL_MS = 100


def main(letters: int) -> dict[str, Any]:
    with service.database() as url, psycopg.connect(url, autocommit=True) as connection:
        folder = Path(parse_qs(urlsplit(url).query)["host"][0]).parent
        mountain.raise_it(connection, letters=letters, attempts=letters * ATTEMPTS_EACH)
        with machine.Watch(folder) as watch:
            pages = {name: server_times(path) for name, path in _pages(letters)}
        slow = [name for name, taken in pages.items() if taken["median_ms"] >= GOAL_MS]
        return {
            "bench": "admin",
            "cores": os.cpu_count(),
            "letters": letters,
            "attempts": letters * ATTEMPTS_EACH,
            "machine": {"foreign_cpu": watch.foreign, "fdatasync_ms": machine.fdatasync_ms(folder)},
            "pages": pages,
            "goal_ms": GOAL_MS,
            "slower_than_goal": slow,
        }


def _pages(count: int) -> Iterator[tuple[str, str]]:
    from django.urls import reverse

    from sync.models import CauseGroup, DeadLetter

    group = CauseGroup.objects.order_by("-total")[0]
    rare = CauseGroup.objects.order_by("total")[0]
    letter = DeadLetter.objects.filter(state="open").order_by("-died_at")[0]
    middle = DeadLetter.objects.filter(state="open").order_by("-died_at")[count // 4]
    assert letter.job is not None
    letters = reverse("admin:sync_deadletter_changelist")
    confirm = reverse("admin:sync_bulk_confirm")
    yield "home", reverse("admin:index")
    yield "overview", reverse("admin:overview")
    yield "causes", reverse("admin:sync_causegroup_changelist")
    yield "cause", reverse("admin:sync_causegroup_change", args=[group.pk])
    yield "letters", letters
    for name, query in {
        "of a cause": f"group={group.pk}",
        "of a rare cause": f"group={rare.pk}",
        "of a location": f"location={letter.location_id}",
        "of a cause and location": f"group={group.pk}&location={letter.location_id}",
        "of an operation": "subject=note.create",
        "of a code": "code=status_422",
        "of a rare status": "status=409",
        "that died again": "times=3",
        "of an owner": "assignee=1",
        "of nobody": "assignee=0",
        "older than the middle": f"before={middle.died_at.isoformat().replace('+00:00', 'Z')}",
        "of a payload": "payload=contact_id%3Dcontact77",
        "discarded": "state=discarded",
    }.items():
        yield f"letters {name}", f"{letters}?{query}"
    yield "letter", reverse("admin:sync_deadletter_change", args=[letter.pk])
    yield "confirm, a rare cause", f"{confirm}?kind=redrive&group={rare.pk}"
    yield "bulk operations", reverse("admin:sync_bulkoperation_changelist")
    yield "jobs in flight", reverse("admin:sync_flight")
    yield "jobs", reverse("admin:sync_syncjob_changelist")
    yield "job", reverse("admin:sync_syncjob_change", args=[letter.job_id])
    yield "locations", reverse("admin:sync_location_changelist")
    yield "location", reverse("admin:sync_location_change", args=[letter.location_id])
    yield "trace", reverse("admin:trace", args=[letter.job.correlation_id])
    yield "kill switch", reverse("admin:sync_kill_switch")
    yield "webhooks", reverse("admin:sync_webhook_changelist")
