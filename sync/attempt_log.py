"""Attempts as they are kept: written in batches, masked, in a table with a partition for each day.

The rule: nothing personal and no token is written. A day without a partition gets one; no attempt is lost.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import IntegrityError, transaction

from sync.attempt import Ended, Past
from sync.ghl import masking
from sync.ghl.errors import Verdict
from sync.ghl.request import Request
from sync.ghl.response import Answer, Failure
from sync.models import SyncAttempt, SyncJob
from trainu import personal_data, statements
from trainu.partitioned_table import PartitionedTable
from trainu.transactions import sqlstate

TABLE = PartitionedTable("sync_attempt")
_NO_PARTITION = "23514"
# A lookup does not take for its own what other jobs have made; of a location, as many as this are known.
_MOST_CLAIMED = 500
# Clocks differ, so a lookup also looks at what was made a little before: longer than any of them does.
_BEFORE = timedelta(minutes=5)

_INSERT = """
insert into sync_attempt
    (started_at, job_id, fence, kind, outcome, code, status, duration_ms, trace_id, request, response)
select a, b, c, d, e, f, g, h, i, j::jsonb, k::jsonb
from unnest(%b::timestamptz[], %b::uuid[], %b::int[], %b::text[], %b::text[], %b::text[], %b::smallint[],
            %b::float8[], %b::text[], %b::text[], %b::text[]) as rows(a, b, c, d, e, f, g, h, i, j, k)
on conflict do nothing
"""


def write(ended: Sequence[Ended]) -> None:
    """Keep how attempts ended. Inside the caller's transaction."""
    text = personal_data.redacted
    rows = [_row(one, text) for one in ended]
    columns = [list(column) for column in zip(*rows, strict=True)]
    try:
        with transaction.atomic():
            _insert(columns)
    except IntegrityError as error:
        if sqlstate(error) != _NO_PARTITION or "no partition" not in str(error):
            raise
        TABLE.ensure({one.started_at.astimezone(UTC).date() for one in ended})
        _insert(columns)


def past(job_id: UUID, location_id: str, operation: str, created_at: datetime) -> Past:
    """Return what a lookup must know of what was before it."""
    sends = SyncAttempt.objects.filter(job_id=job_id, kind=SyncAttempt.Kind.SEND)
    # The first of them, not the last: what any of them has done is this job's work. One that was lost, and
    # whose recovery was lost too, is written down with the time of the latter, or not at all.
    first = sends.filter(fence=1).values_list("started_at", flat=True).first()
    since = first or created_at
    made: Collection[dict[str, str]] = (
        SyncJob.objects.filter(location_id=location_id, operation=operation, settled_at__gte=since - _BEFORE)
        .exclude(pk=job_id)
        .exclude(result={})
        .order_by("-settled_at")
        .values_list("result", flat=True)[:_MOST_CLAIMED]
    )
    return Past(since, frozenset(id for ids in made for id in ids.values()))


def _insert(columns: list[list[Any]]) -> None:
    statements.count(_INSERT, columns)


def _row(one: Ended, text: Callable[[str], str]) -> tuple[Any, ...]:
    answer = one.answer if isinstance(one.answer, Answer) else None
    return (
        one.started_at,
        one.job.id,
        one.job.fence,
        one.kind,
        outcome_of(one),
        code_of(one),
        answer.status if answer else None,
        one.duration_ms,
        (answer.trace_id if answer else None) or "",
        _dumped(_request(one.request, text)),
        _dumped(_response(one.answer, text)),
    )


def outcome_of(one: Ended) -> str:
    """Return the word for how an attempt ended: an outcome of `sync.ghl.errors`, or what a lookup found."""
    result = one.result
    return result.outcome.value if isinstance(result, Verdict) else result.found.value


def code_of(one: Ended) -> str:
    """Return the code of an attempt; a lookup that came to a finding has that for a code."""
    result = one.result
    return result.code.value if isinstance(result, Verdict) else result.found.value


def _request(request: Request | None, text: Callable[[str], str]) -> dict[str, Any] | None:
    if request is None:
        return None
    return {
        "method": request.method,
        "path": request.path,
        "query": sorted(request.query),
        "body": masking.mask(request.body, text=text) if request.body else None,
    }


def _response(answer: Answer | Failure | None, text: Callable[[str], str]) -> dict[str, Any] | None:
    if isinstance(answer, Failure):
        return {"phase": answer.phase.value, "cause": answer.cause.value, "error": answer.kind}
    if answer is None:
        return None
    return {"content": answer.content.value, "body": masking.mask(answer.body, text=text)}


def _dumped(document: dict[str, Any] | None) -> str | None:
    return None if document is None else orjson.dumps(document).decode()
