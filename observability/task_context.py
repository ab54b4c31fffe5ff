"""Make each of django-q2's tasks a unit of work: an id, empty scopes, and its failure reported.

The rule: nothing here raises. An exception in a receiver of pre_execute kills django-q2's worker.
"""

import sys
from contextlib import ExitStack
from typing import Any

import sentry_sdk
import structlog
from django.db.models.signals import pre_save
from django.utils import timezone
from django_q import worker
from django_q.models import Task
from django_q.signals import post_execute_in_worker, pre_enqueue, pre_execute

from observability import carrier, timings
from observability.audit import actor
from observability.errors import monitors, reporting, units
from observability.errors.classification import Unit
from observability.errors.monitors import CheckIn
from observability.redaction import redact
from trainu import correlation, pulse

log = structlog.get_logger(__name__)

# Keys in django-q2's signed task package; they survive redelivery.
_KEY = "correlation_id"
_USER = "user_id"
_context = ExitStack()
_check_in: CheckIn | None = None


def on_enqueue(task: dict[str, Any], **_signal: Any) -> None:
    """Put the id of the work in hand, and who asked for it, into the task's package.

    A schedule's task gets a new id, and nobody has asked for it.
    """
    task.setdefault(_KEY, correlation.current() or correlation.new())
    if user_id := structlog.contextvars.get_contextvars().get(_USER):
        task.setdefault(_USER, user_id)


def on_start(task: dict[str, Any], func: Any, **_signal: Any) -> None:
    """Enter the task's unit of work. A worker runs one task at a time, so one context is enough."""
    global _check_in
    if pulse.is_ping(task):
        return
    try:
        _context.close()
        timings.clock.take()
        kind = Unit.SCHEDULE if monitors.is_schedule(task) else Unit.TASK
        chosen = correlation.accept(task.get(_KEY)) or correlation.new()
        # django-q2 ends the context while it holds a lock that its guard waits for: no flush there.
        _context.enter_context(units.entered(kind, name_of(task), chosen, flush_s=0))
        _context.enter_context(structlog.contextvars.bound_contextvars(task=name_of(task)))
        if user_id := task.get(_USER):
            _context.enter_context(structlog.contextvars.bound_contextvars(user_id=user_id))
            _context.enter_context(actor.acting_as(user_id))
        _check_in = monitors.start(task)
    except Exception as error:  # noqa: BLE001 - the task matters more than its context
        log.warning("task_context_failed", error=type(error).__name__)


def on_end(task: dict[str, Any], **_signal: Any) -> None:
    """Count the task's queries, and leave nothing for the next one."""
    global _check_in
    if pulse.is_ping(task):
        return
    try:
        now = timezone.now()
        timings.recorder.add("database_query_time", f"/tasks/{name_of(task)}", timings.clock.take(), now=now)
        check_in, _check_in = _check_in, None
        monitors.finish(check_in, well=bool(task.get("success")))
        _context.close()
    except Exception as error:  # noqa: BLE001 - as above
        log.warning("task_context_failed", error=type(error).__name__)


class TaskErrors:
    """What django-q2 calls its error reporter: asked inside its except clause, timeouts included.

    It would load one by an entry point, which needs an installed package; `connect` puts it in place.
    """

    def report(self) -> None:
        """Report what the task has raised, which django-q2 then only keeps as text.

        After a timeout the guard kills this process at once: what it has counted, and what is on its way to
        Sentry, must be gone by then.
        """
        exception = sys.exc_info()[1]
        if exception is None:
            return
        reporting.report(exception, event="task_failed")
        if not isinstance(exception, Exception):
            carrier.carry()
        sentry_sdk.flush(timeout=units.FLUSH_S)


def on_save(instance: Task, **_signal: Any) -> None:
    """Keep what a task has raised without what its message may quote; staff read it among failed tasks."""
    if isinstance(instance.result, str):
        instance.result = redact(instance.result)


def name_of(task: dict[str, Any]) -> str:
    """Return the dotted name of the task's function."""
    func = task.get("func")
    return func if isinstance(func, str) else getattr(func, "__name__", "task")


def connect() -> None:
    """Connect to django-q2's signals; a second call changes nothing."""
    pre_enqueue.connect(on_enqueue, dispatch_uid="observability.on_enqueue")
    pre_execute.connect(on_start, dispatch_uid="observability.on_start")
    post_execute_in_worker.connect(on_end, dispatch_uid="observability.on_end")
    pre_save.connect(on_save, sender=Task, dispatch_uid="observability.on_save")
    worker.error_reporter = TaskErrors()
