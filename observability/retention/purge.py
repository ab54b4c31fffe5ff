"""Remove what is older than its policy: one dataset a run, a report row for each run.

The rule: one purge of a dataset at a time; a run killed at any line is followed by one that goes on;
what was not yet counted or forwarded is held back, and the run says so.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from observability.audit.actions import Action
from observability.audit.recording import record
from observability.models import PurgeRun
from observability.retention import batches, policies, whole_days
from trainu.datasets import Dataset, Owned, Partitions, Rows

log = structlog.get_logger(__name__)

# With the hash of the dataset's name the key of its advisory lock.
_LOCK_CLASS = 0x7075_7267
TIME_IS_UP = "The time of this run was up; the next one goes on."


class Busy(Exception):
    """A purge of the same dataset is under way in another process."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would remove now. partitions: names. rows: an estimate; None where counting takes too long.

    held: why some of it must stay for now, or an empty text.
    """

    dataset: Dataset
    cutoff_at: datetime
    partitions: list[str]
    rows: int | None
    held: str = ""

    @property
    def is_empty(self) -> bool:
        return not self.partitions and self.rows == 0 and not self.held

    @property
    def rows_in_words(self) -> str:
        if self.rows is None:
            return "too many to count"
        about = "about " if self.partitions else ""
        more = "+" if not self.partitions and self.rows >= batches.COUNTED else ""
        return f"{about}{self.rows:,}{more}"


def plan(dataset: Dataset, *, now: datetime) -> Plan:
    """Return what a run would remove; changes nothing."""
    cutoff_at = policies.cutoff(dataset, now=now)
    if isinstance(dataset, Partitions):
        days = whole_days.due(dataset, cutoff_at=cutoff_at)
        reasons = {day: whole_days.held(dataset, day) for day in days}
        names = [dataset.table.partition(day) for day in days if not reasons[day]]
        held = next((reason for reason in reasons.values() if reason), "")
        return Plan(dataset, cutoff_at, names, whole_days.estimate(names), held)
    if isinstance(dataset, Rows):
        counts = [batches.count(table, cutoff_at=cutoff_at) for table in dataset.tables]
        rows = None if None in counts else sum(count or 0 for count in counts)
        return Plan(dataset, cutoff_at, [], rows)
    assert isinstance(dataset, Owned)
    return Plan(dataset, cutoff_at, [], dataset.due(cutoff_at))


def oldest(dataset: Dataset) -> datetime | None:
    """Return the time of the oldest data; None where there is none, or finding it takes too long."""
    if isinstance(dataset, Partitions):
        return whole_days.oldest(dataset)
    if isinstance(dataset, Rows):
        return min(filter(None, (batches.oldest(table) for table in dataset.tables)), default=None)
    assert isinstance(dataset, Owned)
    return dataset.oldest()


def run(
    dataset: Dataset,
    *,
    now: datetime,
    by: str,
    budget_s: float | None = None,
    progress: Callable[[int], object] = lambda done: None,
) -> PurgeRun:
    """Remove what is older than the policy; return the report, whose state says how it ended.

    by: who asked, as the audit log names actors. budget_s: when to stop between two steps; None: when it
    is done. progress: called with how many partitions or rows have gone. Outside a transaction only.
    Raises Busy.
    """
    with _alone(dataset):
        _close_dead_runs(dataset, now=now)
        report = PurgeRun.objects.create(
            dataset=dataset.name,
            cutoff_at=policies.cutoff(dataset, now=now),
            started_at=now,
            started_by=by[:80],
        )
        started = time.monotonic()
        ends = started + budget_s if budget_s is not None else float("inf")
        report.state = PurgeRun.State.INTERRUPTED
        report.reason = "It was stopped; the next run goes on."
        try:
            report.reason = _work(dataset, report, ends, progress)
            report.state = PurgeRun.State.INTERRUPTED if report.reason == TIME_IS_UP else PurgeRun.State.DONE
            report.oldest_left_at = oldest(dataset)
        except Exception as error:
            report.state, report.error = PurgeRun.State.FAILED, type(error).__name__[:64]
            report.reason = _advice(error)
            log.exception("purge_failed", dataset=dataset.name)
        finally:
            _finish(report, seconds=time.monotonic() - started, now=now)
    return report


def _work(dataset: Dataset, report: PurgeRun, ends: float, progress: Callable[[int], object]) -> str:
    """Remove step by step; return why something stays, or an empty text."""
    book = _Book(report)
    if isinstance(dataset, Partitions):
        reason = ""
        for day in whole_days.due(dataset, cutoff_at=report.cutoff_at):
            if time.monotonic() > ends:
                return TIME_IS_UP
            stays = whole_days.remove(dataset, day, note=lambda: book.note(partitions=1))
            reason = reason or stays
            progress(0 if stays else 1)
        return reason
    if isinstance(dataset, Rows):
        for table in dataset.tables:
            for count in batches.remove(
                table, cutoff_at=report.cutoff_at, note=lambda rows: book.note(rows=rows)
            ):
                progress(count)
                if time.monotonic() > ends:
                    return TIME_IS_UP
        return ""
    assert isinstance(dataset, Owned)
    if dataset.due(report.cutoff_at):
        book.note()
    removed = dataset.purge(report.cutoff_at)
    if removed:
        book.note(rows=removed)
    progress(removed)
    return ""


class _Book:
    """Counts what goes in the transaction that removes it, and audits the run with the first of it."""

    def __init__(self, report: PurgeRun) -> None:
        self.report = report
        self.audited = False

    @transaction.atomic
    def note(self, *, partitions: int = 0, rows: int = 0) -> None:
        """Call it inside the transaction in which something goes, and only there."""
        if not self.audited:
            record(Action.DATA_PURGE, actor=self.report.started_by, target=self.report)
        PurgeRun.objects.filter(pk=self.report.pk).update(
            partitions=F("partitions") + partitions, rows=F("rows") + rows
        )
        transaction.on_commit(self._remember)

    def _remember(self) -> None:
        self.audited = True


def _finish(report: PurgeRun, *, seconds: float, now: datetime) -> None:
    report.seconds = round(seconds, 3)
    report.finished_at = timezone.now()
    report.save(update_fields=["state", "reason", "error", "oldest_left_at", "seconds", "finished_at"])
    report.refresh_from_db(fields=["partitions", "rows"])


def _advice(error: Exception) -> str:
    """Return what to do about a failure; nothing of its text, which may hold data."""
    if whole_days.waited_in_vain(error):
        return (
            "Other transactions use the table all the time. End what has been open for long"
            " (pg_stat_activity); the next run goes on where this one stopped."
        )
    return "See the log line purge_failed of that minute; the next run tries again."


@contextmanager
def _alone(dataset: Dataset) -> Iterator[None]:
    """Hold the right to purge a dataset, over all hosts, until the block or the session ends."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s, hashtext(%s))", [_LOCK_CLASS, dataset.name])
        if not cursor.fetchone()[0]:
            raise Busy(f"A purge of {dataset.name} is under way in another process.")
    try:
        yield
    finally:
        # A session that has died has let go of it by that.
        if connection.connection and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock(%s, hashtext(%s))", [_LOCK_CLASS, dataset.name])


def _close_dead_runs(dataset: Dataset, *, now: datetime) -> None:
    """Whoever holds the lock is the only one alive: a run that still says running was killed."""
    PurgeRun.objects.filter(dataset=dataset.name, state=PurgeRun.State.RUNNING).update(
        state=PurgeRun.State.INTERRUPTED, finished_at=now, reason="Its process ended before it did."
    )
