"""Accept a body of events: check the key, read, keep what is wrong, store what is right, answer.

The rule: refused items are kept first and accepted ones committed second, so that an answer never
speaks of what a crash could still undo.
"""

import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from observability import capture, intake, quarantine, rate_limit
from observability.api_keys import Caller
from observability.models import ApiKey
from observability.store import Origin
from trainu import correlation
from trainu.problem import Problem


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a batch. rejected: one entry a refused item."""

    accepted: int
    duplicates: int
    rejected: list[dict[str, Any]]

    @property
    def status(self) -> int:
        """422 when there was something and all of it was refused, else 200."""
        return 422 if self.rejected and not self.accepted and not self.duplicates else 200


def accept(body: bytes, caller: Caller, *, now: datetime, source: str = "api") -> Answer:
    """Take in a request body for a caller that may write events.

    Raises Problem 400, 413, 429 as `intake.read` and `rate_limit.spend` do; django.db.OperationalError
    when the database is away, after which nothing of the batch counts as accepted.
    """
    batch = intake.read(body, now=now, backfill=ApiKey.Scope.EVENTS_BACKFILL in caller.scopes)
    return finish(batch, caller, now=now, source=source)


def finish(batch: intake.Batch, caller: Caller, *, now: datetime, source: str) -> Answer:
    """Count a batch that was read against the caller's limit, keep its refusals, store the rest."""
    rate_limit.spend(caller, max(1, batch.size))
    origin = Origin(source, correlation.current(), caller.id)
    if batch.refusals:
        quarantine.keep(batch.refusals, origin, now=now)
    accepted = capture.persist(batch.occurrences, origin)
    return Answer(
        accepted=accepted,
        duplicates=len(batch.occurrences) - accepted,
        rejected=[
            {
                "index": refusal.index,
                "uuid": str(refusal.uuid) if refusal.uuid else None,
                "code": refusal.code,
                "message": refusal.message,
            }
            for refusal in batch.refusals
        ],
    )


def unpack(body: bytes, encoding: str) -> bytes:
    """Return the body as it was before Content-Encoding; raises Problem 400, 413 or 415.

    A bomb is stopped at the size limit, not after it has been unpacked.
    """
    if len(body) > intake.MAX_BYTES:
        raise too_large()
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "gzip-js":
            return _gunzip(body)
    raise Problem(415, "unsupported_encoding", "Content-Encoding may be gzip, or absent.")


def too_large() -> Problem:
    """Return the refusal of a body over the limit."""
    return Problem(
        413, "body_too_large", f"A body holds up to {intake.MAX_BYTES // 2**20} MiB. Send smaller batches."
    )


def _gunzip(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        unpacked = unpacker.decompress(body, intake.MAX_BYTES + 1)
    except zlib.error:
        raise Problem(400, "malformed_gzip", "The body is not gzip, though its header says so.") from None
    if len(unpacked) > intake.MAX_BYTES:
        raise too_large()
    if not unpacker.eof:
        raise Problem(400, "malformed_gzip", "The gzip body ends too early.")
    return unpacked
