"""Jobs for the sync benchmark: made beforehand, put into the table in one go, watched until they are settled.

The rule: rows are such as `sync.jobs.enqueue` makes, ordering keys and written fields included.
"""

import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from django.utils import timezone
from pydantic import SecretStr
from uuid_utils.compat import uuid7

LOCATIONS = 20
# Nothing is to be held back: what is measured is the engine.
NO_LIMIT = 100_000_000
DAILY = 2_000_000_000
GIVES_UP_S = 90.0

_INSERT = """
insert into sync_syncjob (id, location_id, operation, payload, ordering_key, writes, next_at, created_at,
    correlation_id, tries, idempotency_key, state, cause, code, is_lookup, is_redrive, is_suspect, lookups,
    fence, result)
select id, location_id, operation, payload::jsonb, ordering_key, writes::text[], next_at, created_at,
    correlation_id, tries, '', 'waiting', '', '', false, false, false, 0, 0, '{}'
from unnest(%b::uuid[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::timestamptz[],
            %b::timestamptz[], %b::text[], %b::int[])
    as t(id, location_id, operation, payload, ordering_key, writes, next_at, created_at, correlation_id,
         tries)
"""


@dataclass(frozen=True, slots=True)
class Made:
    """A job to be. payload: as JSON."""

    id: UUID
    location_id: str
    operation: str
    payload: str
    ordering_key: str
    writes: str


def locations() -> list[str]:
    """Make the locations, with a token each; return their ids."""
    from sync import credentials
    from sync.models import Location

    now = timezone.now()
    ids = [f"studio{number:014d}" for number in range(LOCATIONS)]
    for id in ids:
        Location.objects.create(
            pk=id, name=id, created_at=now, burst_limit=NO_LIMIT, daily_limit=DAILY, timezone="Europe/Berlin"
        )
        credentials.hold_private(id, SecretStr(f"pit-{id}-0123456789abcdef"), now=now)
    return ids


def jobs(count: int, ids: list[str], *, seed: int, apart: bool = False) -> list[Made]:
    """Return jobs as a day has them: half upserts of new people, half updates of contacts.

    One update in ten is the second of its contact, and so waits for the first. apart: upserts alone, of
    which none waits for another.
    """
    made: list[Made] = []
    for number in range(count):
        of_new = apart or number % 40 < 20
        operation, payload = _upsert(seed, number) if of_new else _update(seed, number)
        made.append(_made(ids[number % len(ids)], operation, payload))
    return made


def _upsert(seed: int, number: int) -> tuple[str, dict[str, Any]]:
    return "contact.upsert", {
        "first_name": "Ada",
        "last_name": f"Number {number}",
        "email": f"ada.{seed}.{number}@example.org",
        "phone": f"+1202{seed % 1000:03d}{number:06d}",
        "source": "TrainU",
        "custom_fields": [{"id": "goalOfTraining", "value": "Run ten kilometres"}],
    }


def _update(seed: int, number: int) -> tuple[str, dict[str, Any]]:
    if number % 80 >= 60 and number % 5 == 4:
        # Of the same location as that one, and of other fields, so that it does not supersede it.
        first = f"contact{seed}x{number - 40}"
        return "contact.update", {"contact_id": first, "website": f"https://example.org/{number}"}
    return "contact.update", {"contact_id": f"contact{seed}x{number}", "city": "Ulm", "assigned_to": "nora"}


def _made(location_id: str, operation: str, document: dict[str, Any]) -> Made:
    from sync.ghl.operations import OPERATIONS

    kind = OPERATIONS[operation]
    payload = kind.payload.parse(document)
    return Made(
        id=uuid7(),
        location_id=location_id,
        operation=operation,
        payload=json.dumps(payload.document()),
        ordering_key=kind.ordering_key(payload) or "",
        writes="{" + ",".join(sorted(kind.writes(payload))) + "}",
    )


def insert(
    connection: psycopg.Connection, made: list[Made], *, due: list[datetime] | None = None, tries: int = 0
) -> float:
    """Put jobs into the table in one transaction; return the seconds. due: of each; default is now."""
    now = timezone.now()
    started = time.perf_counter()
    with connection.transaction():
        for start in range(0, len(made), 1000):
            part = made[start : start + 1000]
            connection.execute(
                _INSERT,
                [
                    [one.id for one in part],
                    [one.location_id for one in part],
                    [one.operation for one in part],
                    [one.payload for one in part],
                    [one.ordering_key for one in part],
                    [one.writes for one in part],
                    due[start : start + 1000] if due else [now] * len(part),
                    [now] * len(part),
                    [f"bench-{one.id}" for one in part],
                    [tries] * len(part),
                ],
                prepare=True,
            )
    return time.perf_counter() - started


def wait_until_settled(connection: psycopg.Connection, *, before: datetime) -> bool:
    """Wait until no job that is due before a time is open; return whether that came about."""
    gives_up = time.monotonic() + GIVES_UP_S
    while time.monotonic() < gives_up:
        row = connection.execute(
            "select exists(select from sync_syncjob where state = 'leased')"
            " or exists(select from sync_syncjob join sync_location on sync_location.id = location_id"
            "           where sync_syncjob.state = 'waiting' and not is_suspect and next_at < %s)",
            [before],
        ).fetchone()
        if row == (False,):
            return True
        time.sleep(0.1)
    return False


def empty(connection: psycopg.Connection) -> None:
    """Throw the jobs away with everything that came of them."""
    connection.execute(
        "truncate sync_syncjob, sync_attempt, sync_contactstate, observability_event, observability_seenuuid"
        " cascade"
    )
    connection.execute("vacuum analyze sync_budget, sync_breaker, sync_location")
    connection.execute("checkpoint")
