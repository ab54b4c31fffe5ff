"""Carry the correlation id into django-q2's tasks, and clear it behind them.

The rule: nothing here raises. An exception in a receiver of pre_execute kills django-q2's worker.
"""

from contextlib import ExitStack
from typing import Any

import structlog
from django.utils import timezone
from django_q.signals import post_execute_in_worker, pre_enqueue, pre_execute

from observability import timings
from trainu import correlation

log = structlog.get_logger(__name__)

# The key in django-q2's signed task package; it survives redelivery.
_KEY = "correlation_id"
_context = ExitStack()


def on_enqueue(task: dict[str, Any], **_signal: Any) -> None:
    """Put the id of the work in hand into the task's package; a schedule's task gets a new one."""
    task.setdefault(_KEY, correlation.current() or correlation.new())


def on_start(task: dict[str, Any], func: Any, **_signal: Any) -> None:
    """Make the task's id current. A worker runs one task at a time, so one context is enough."""
    _context.close()
    timings.clock.take()
    _context.enter_context(correlation.bound(correlation.accept(task.get(_KEY))))
    _context.enter_context(structlog.contextvars.bound_contextvars(task=_name(task)))


def on_end(task: dict[str, Any], **_signal: Any) -> None:
    """Count the task's queries, and leave nothing for the next one."""
    now = timezone.now()
    timings.recorder.add("database_query_time", f"/tasks/{_name(task)}", timings.clock.take(), now=now)
    if not task.get("success"):
        log.error("task_failed")
    _context.close()


def _name(task: dict[str, Any]) -> str:
    func = task.get("func")
    return func if isinstance(func, str) else getattr(func, "__name__", "task")


def connect() -> None:
    """Connect to django-q2's signals; a second call changes nothing."""
    pre_enqueue.connect(on_enqueue, dispatch_uid="observability.on_enqueue")
    pre_execute.connect(on_start, dispatch_uid="observability.on_start")
    post_execute_in_worker.connect(on_end, dispatch_uid="observability.on_end")
