"""Walk along the whole chain, and tell what does not fit: the reading half of a verification.

The rule: one cursor, and so one moment of the database, however long the walk; memory does not grow
with the chain. A break is told once and the walk goes on with what is stored.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db import connection, transaction

from observability.audit import seals
from observability.models import AuditCheckpoint

BATCH = 2_000
# A walk holds it shared, a cut alone.
CUT_LOCK = 0x7472_6169_6E75_0003
# More than that says nothing more; the count goes on.
MOST_FINDINGS = 1_000
# So long after a cut the entries that it was for may still be there.
CUT_TAKES = timedelta(days=2)
# A chain older than that has been signed, or nobody runs the schedules.
SIGNED_WITHIN = timedelta(days=2)


class Kind(StrEnum):
    """What was found."""

    CHANGED = "changed"
    DELETED = "deleted"
    NOT_CHAINED = "not_chained"
    BROKEN = "broken"
    REWRITTEN = "rewritten"
    HEAD_LOST = "head_lost"
    BEGINNING_LOST = "beginning_lost"
    CHECKPOINT_FORGED = "checkpoint_forged"
    CHECKPOINT_LOST = "checkpoint_lost"


WORDS = {
    Kind.CHANGED: "The entry, or its link, was changed after it was chained.",
    Kind.DELETED: "The entry was deleted.",
    Kind.NOT_CHAINED: "The entry was put in past the chain, or its link was deleted.",
    Kind.BROKEN: "The link does not follow the one before: links were deleted, put in or changed.",
    Kind.REWRITTEN: "The chain is not the one that was signed here: it was rewritten.",
    Kind.HEAD_LOST: "The chain ends before a place that was signed: its newest links are gone.",
    Kind.BEGINNING_LOST: "The chain does not begin where the last signed cut left it.",
    Kind.CHECKPOINT_FORGED: "The checkpoint was not signed with this service's key, or was changed.",
    Kind.CHECKPOINT_LOST: "A signed checkpoint is missing, or none was ever written.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not fit. seq: of the link, or of the checkpoint's; 0: none. Ids only."""

    kind: Kind
    seq: int = 0
    entry_id: str = ""
    checkpoint: int = 0

    def __str__(self) -> str:
        places = {"link": self.seq, "entry": self.entry_id, "checkpoint": self.checkpoint}
        where = ", ".join(f"{name} {place}" for name, place in places.items() if place)
        return f"{where}: {WORDS[self.kind]}" if where else WORDS[self.kind]


@dataclass(slots=True)
class Walked:
    """What a walk has seen. count: all findings; findings: the first of them."""

    entries: int = 0
    first_seq: int = 0
    head_seq: int = 0
    head: bytes = seals.GENESIS
    count: int = 0
    findings: list[Finding] = field(default_factory=list)

    def found(self, kind: Kind, **where: Any) -> None:
        self.count += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(kind, **where))


_LINKS = """
select l.seq, l.entry_id::text, l.recorded_at, l.previous, l.hash, e.id is not null,
    array[e.actor_kind, e.actor_id, e.action, e.target_type, e.target_id, e.reason, e.correlation_id,
        e.changes::text]
from observability_auditlink l
left join observability_auditentry e on e.recorded_at = l.recorded_at and e.id = l.entry_id
where l.seq <= %s
order by l.seq
"""
_NOT_CHAINED = """
select e.id::text from observability_auditentry e
where e.recorded_at >= %s
    and not exists (
        select from observability_auditlink l where l.entry_id = e.id and l.recorded_at = e.recorded_at
    )
order by e.recorded_at
"""


def walk(
    *, now: datetime, until: int | None = None, progress: Callable[[int], object] = lambda done: None
) -> Walked:
    """Check every link up to `until` (None: all of them, what they leave out, and the checkpoints).

    progress: called with how many more links have been checked.
    """
    walked = Walked()
    with transaction.atomic(), connection.cursor() as cursor:
        # No cut meanwhile. And checkpoints first: what they sign is then there for the links' later look.
        cursor.execute("select pg_advisory_xact_lock_shared(%s)", [CUT_LOCK])
        checkpoints = list(AuditCheckpoint.objects.order_by("number"))
        signed = _checked(checkpoints, walked)
        _walk_links(walked, signed, until, progress)
        if until is None:
            _find_unchained(walked, signed, now)
            _compare_head(walked, signed)
            _require_signature(walked, checkpoints, now)
    return walked


def _checked(checkpoints: list[AuditCheckpoint], walked: Walked) -> list[AuditCheckpoint]:
    """Return the checkpoints that can be trusted."""
    expected = 1
    signed = []
    for checkpoint in checkpoints:
        if checkpoint.number != expected:
            walked.found(Kind.CHECKPOINT_LOST, checkpoint=expected)
        expected = checkpoint.number + 1
        if seals.is_ours(checkpoint):
            signed.append(checkpoint)
        else:
            walked.found(Kind.CHECKPOINT_FORGED, seq=checkpoint.seq, checkpoint=checkpoint.number)
    return signed


def _cuts(signed: list[AuditCheckpoint]) -> list[AuditCheckpoint]:
    return [one for one in signed if one.reason == AuditCheckpoint.Reason.RETENTION]


def _walk_links(
    walked: Walked, signed: list[AuditCheckpoint], until: int | None, progress: Callable[[int], object]
) -> None:
    cuts = _cuts(signed)
    gone_before = max((cut.entries_before for cut in cuts if cut.entries_before), default=None)
    begins = {cut.seq: bytes(cut.hash) for cut in cuts}
    vouched: dict[int, list[AuditCheckpoint]] = {}
    for checkpoint in signed:
        vouched.setdefault(checkpoint.seq, []).append(checkpoint)
    with _streamed(_LINKS, [until if until is not None else 2**63 - 1]) as batches:
        for rows in batches:
            for seq, entry_id, recorded_at, previous, hash_, is_there, columns in rows:
                previous, hash_ = bytes(previous), bytes(hash_)
                where = {"seq": seq, "entry_id": entry_id}
                if not walked.entries:
                    walked.first_seq = seq
                    if not _begins_well(seq, previous, begins):
                        walked.found(Kind.BEGINNING_LOST, **where)
                elif seq != walked.head_seq + 1 or previous != walked.head:
                    walked.found(Kind.BROKEN, **where)
                if is_there:
                    if seals.digest(seq, previous, entry_id, recorded_at, columns) != hash_:
                        walked.found(Kind.CHANGED, **where)
                elif gone_before is None or recorded_at >= gone_before:
                    walked.found(Kind.DELETED, **where)
                for checkpoint in vouched.get(seq, ()):
                    if bytes(checkpoint.hash) != hash_:
                        walked.found(Kind.REWRITTEN, seq=seq, checkpoint=checkpoint.number)
                walked.entries += 1
                walked.head_seq, walked.head = seq, hash_
            progress(len(rows))


def _begins_well(seq: int, previous: bytes, begins: dict[int, bytes]) -> bool:
    if seq == 1:
        return previous == seals.GENESIS
    return begins.get(seq - 1) == previous


def _find_unchained(walked: Walked, signed: list[AuditCheckpoint], now: datetime) -> None:
    """Look for entries that no link leads to; those of a cut just made are on their way out."""
    fresh = [cut.entries_before for cut in _cuts(signed) if cut.created_at > now - CUT_TAKES]
    leaving = max((before for before in fresh if before), default=None)
    with _streamed(_NOT_CHAINED, [leaving or "-infinity"]) as batches:
        for rows in batches:
            for (entry_id,) in rows:
                walked.found(Kind.NOT_CHAINED, entry_id=entry_id)


def _compare_head(walked: Walked, signed: list[AuditCheckpoint]) -> None:
    newest = max(signed, key=lambda one: one.seq, default=None)
    if newest and newest.seq > walked.head_seq:
        walked.found(Kind.HEAD_LOST, seq=newest.seq, checkpoint=newest.number)


def _require_signature(walked: Walked, checkpoints: list[AuditCheckpoint], now: datetime) -> None:
    """A chain of some age that nobody has signed: the checkpoints were deleted, or no worker ever ran."""
    if checkpoints or not walked.entries:
        return
    with connection.cursor() as cursor:
        cursor.execute("select recorded_at from observability_auditlink order by seq limit 1")
        row = cursor.fetchone()
    if row and row[0] < now - SIGNED_WITHIN:
        walked.found(Kind.CHECKPOINT_LOST, checkpoint=1)


@contextmanager
def _streamed(query: str, parameters: list[Any]) -> Iterator[Iterator[list[tuple[Any, ...]]]]:
    """Run a query under a cursor on the server; yields its rows in batches."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(query, parameters)
        yield iter(lambda: cursor.fetchmany(BATCH), [])
