"""The chain's verbs: verify it, sign its head, cut its beginning when retention says so.

The rule: a finding is never mended here and never hidden by a cut; it is SEV1, and a person decides.
What cannot be found: a rewrite by somebody who owns the database, of entries younger than the newest
checkpoint, or than the newest that they left: the next one takes the number of the first they deleted.
So each checkpoint also goes out on a log line, which that somebody does not own.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from observability.audit import seals
from observability.audit.walk import CUT_LOCK, Finding, Walked, walk
from observability.errors import reporting
from observability.models import AuditCheckpoint, AuditVerification
from trainu.faults import DataLossCode, DataLossFault

log = structlog.get_logger(__name__)

# The lock under which the database appends at commit; see migration 0005.
_LOCK_KEY = 0x7472_6169_6E75_0002
_KEPT_FINDINGS = 50


class Tampered(Exception):
    """The part of the chain that was to go does not fit together: it stays, as evidence."""


def verify(*, now: datetime, progress: Callable[[int], object] = lambda done: None) -> Walked:
    """Check the whole chain; note the outcome for health and pages, and report what was found.

    progress: called with how many more entries have been checked. Changes nothing that it checks.
    """
    started = time.monotonic()
    walked = walk(now=now, progress=progress)
    AuditVerification.objects.create(
        verified_at=now,
        seconds=round(time.monotonic() - started, 3),
        entries=walked.entries,
        head_seq=walked.head_seq,
        findings=walked.count,
        first_findings=[asdict(finding) for finding in walked.findings[:_KEPT_FINDINGS]],
    )
    if walked.count:
        report_tampering(walked.findings, count=walked.count)
    return walked


def report_tampering(findings: Sequence[Finding], *, count: int | None = None) -> None:
    """Tell everybody who must know that the audit log was tampered with: SEV1, ids only.

    The one place for it: the log line, the count of errors and Sentry follow from here.
    """
    first = findings[0]
    reporting.report(
        DataLossFault(DataLossCode.AUDIT_TAMPERED, seq=first.seq, entry_id=first.entry_id),
        event="audit_chain_broken",
        findings=count or len(findings),
        kinds=sorted({finding.kind.value for finding in findings}),
        first_seq=first.seq,
        first_entry_id=first.entry_id,
    )


def checkpoint(*, now: datetime) -> AuditCheckpoint | None:
    """Sign the chain's head; return the checkpoint, or None where nothing was added since the last one."""
    with transaction.atomic(), connection.cursor() as cursor:
        _lock(cursor)
        cursor.execute("select seq, hash from observability_auditlink order by seq desc limit 1")
        head = cursor.fetchone()
        newest = AuditCheckpoint.objects.order_by("-number").first()
        if head is None or (newest and newest.seq >= head[0]):
            return None
        made = _sign(head[0], bytes(head[1]), AuditCheckpoint.Reason.DAILY, now=now)
    # A field called hmac would be redacted, and the line could not prove anything.
    log.info("audit_checkpoint", number=made.number, seq=made.seq, hash=made.hash.hex(), seal=made.hmac.hex())
    return made


def head() -> tuple[int, str] | None:
    """Return place and hash of the newest link, for whoever keeps them where the database's owner cannot."""
    with connection.cursor() as cursor:
        cursor.execute("select seq, hash from observability_auditlink order by seq desc limit 1")
        newest = cursor.fetchone()
    return (newest[0], bytes(newest[1]).hex()) if newest else None


def least_days() -> int:
    """Return how long entries are kept at least: a year, unless whoever runs the service decides."""
    return 1 if settings.AUDIT_KEEP_UNDER_A_YEAR else 365


def cut(before: datetime, *, now: datetime) -> int:
    """Let the chain begin later: remove the links of entries older than `before`; return how many.

    For retention, before it drops the partitions of those days, in a transaction of its own. The newest
    link always stays. A second call with the same `before` changes nothing. Raises ValueError where
    entries would be younger than `least_days()`, Tampered where what is to go does not verify.
    """
    if before > now - timedelta(days=least_days()):
        raise ValueError(f"The audit log is kept for {least_days()} days at least.")
    last = _last_before(before)
    if last is None:
        return 0
    walked = walk(now=now, until=last)
    if walked.count:
        report_tampering(walked.findings, count=walked.count)
        raise Tampered(f"{walked.count} findings. Run `manage.py verify_audit`; nothing was removed.")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [CUT_LOCK])
        _lock(cursor)
        if _last_before(before) is None:
            return 0
        cursor.execute("select hash from observability_auditlink where seq = %s", [last])
        row = cursor.fetchone()
        hash_ = bytes(row[0]) if row else _before_first(cursor)
        signed = _sign(last, hash_, AuditCheckpoint.Reason.RETENTION, now=now, before=before)
        cursor.execute("select observability_audit_cut(%s, %s)", [last, least_days()])
        removed = int(cursor.fetchone()[0])
    log.info("audit_cut", number=signed.number, seq=last, links=removed, seal=signed.hmac.hex())
    return removed


def _last_before(before: datetime) -> int | None:
    """Return the last link of the beginning that is older than `before`; None: no cut is needed.

    May be the link before the first: an old entry that was chained behind a younger one is still to go.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select (select min(seq) from observability_auditlink),"
            " (select max(seq) from observability_auditlink),"
            " (select min(seq) from observability_auditlink where recorded_at >= %s),"
            " (select max(entries_before) from observability_auditcheckpoint)",
            [before],
        )
        first, head, younger, already = cursor.fetchone()
        if head is None or (already is not None and already >= before):
            return None
        cursor.execute("select exists (select from observability_auditlink where recorded_at < %s)", [before])
        if not cursor.fetchone()[0]:
            return None
    last = (younger if younger is not None else head) - 1
    return int(max(last, first - 1))


def _before_first(cursor: CursorWrapper) -> bytes:
    cursor.execute("select previous from observability_auditlink order by seq limit 1")
    return bytes(cursor.fetchone()[0])


def _sign(
    seq: int,
    hash_: bytes,
    reason: AuditCheckpoint.Reason,
    *,
    now: datetime,
    before: datetime | None = None,
) -> AuditCheckpoint:
    """Write a signed checkpoint; the caller holds the lock."""
    newest = AuditCheckpoint.objects.order_by("-number").values_list("number", flat=True).first()
    made = AuditCheckpoint(
        number=(newest or 0) + 1, created_at=now, reason=reason, seq=seq, hash=hash_, entries_before=before
    )
    made.hmac = seals.sign(made)
    made.save(force_insert=True)
    return made


def _lock(cursor: CursorWrapper) -> None:
    """Let nobody append until the transaction ends."""
    cursor.execute("select pg_advisory_xact_lock(%s)", [_LOCK_KEY])
