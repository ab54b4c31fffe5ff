"""The one path of an error: a verdict, a count, a log line, Sentry. Each exactly once.

The rule: nothing here raises, and nothing here reports itself. An exception that went this way is
marked, so that whoever meets it next (a log line, django-q2, Sentry's own hooks) leaves it alone.
"""

import threading
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.apps import apps

from observability.errors import units
from observability.errors.classification import Verdict, classify

log = structlog.get_logger(__name__)

_MARK = "_trainu_reported"
_busy = threading.local()


@dataclass(frozen=True, slots=True)
class Line:
    """An error line as it was logged. template: its text without values, event: its name, if it has one."""

    logger_name: str
    event: str
    template: str = ""
    text: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


def report(
    exception: BaseException,
    *,
    unit: str | None = None,
    event: str = "error_reported",
    **ids: Any,
) -> Verdict | None:
    """Count, log and send an exception, unless it has been reported already; return the verdict then.

    Before Django is set up there is nowhere to count: whoever raised it has to be heard without this.

    unit: the kind of work it happened in, where it is not the one in hand. event: the log line's name.
    ids: what it happened to.
    """
    if not apps.ready or is_busy() or is_reported(exception):
        return None
    _busy.here = True
    try:
        verdict = _count(exception, None, unit)
        _log(exception, verdict, event, unit, ids)
        _send(exception, None, verdict, unit, ids)
        return verdict
    except Exception:  # noqa: BLE001 - whoever reports has trouble enough
        return None
    finally:
        _busy.here = False


def count(exception: BaseException) -> None:
    """Count an exception of a kind that was reported a moment ago: no log line, and nothing to Sentry."""
    if not apps.ready or is_busy() or is_reported(exception):
        return
    _busy.here = True
    try:
        _count(exception, None, None)
    except Exception:  # noqa: BLE001 - whoever counts must not break who works
        return
    finally:
        _busy.here = False


def note(exception: BaseException | None, line: Line) -> None:
    """Count and send what somebody has just logged as an error."""
    if not apps.ready or is_busy() or is_reported(exception):
        return
    _busy.here = True
    try:
        verdict = _count(exception, line, None)
        _send(exception, line, verdict, None, line.fields)
    except Exception:  # noqa: BLE001 - a log line must never break who logs
        return
    finally:
        _busy.here = False


def adopt(exception: BaseException | None) -> Verdict | None:
    """Count and log what one of Sentry's own hooks has caught; None: it has been reported already.

    An error that is no exception has nothing to be told apart by, and is counted as it comes.
    """
    if is_reported(exception):
        return None
    verdict = _count(exception, None, None)
    if exception is not None:
        was_busy, _busy.here = is_busy(), True
        try:
            _log(exception, verdict, "error_caught", None, {})
        finally:
            _busy.here = was_busy
    return verdict


def is_reported(exception: BaseException | None) -> bool:
    """Tell whether this exception went this way, or one that it was raised from on purpose."""
    for _ in range(12):
        if exception is None:
            return False
        if getattr(exception, _MARK, False):
            return True
        exception = exception.__cause__
    return False


def is_busy() -> bool:
    """Tell whether this thread is reporting right now: whatever it logs meanwhile is not reported."""
    return bool(getattr(_busy, "here", False))


def _count(exception: BaseException | None, line: Line | None, unit: str | None) -> Verdict:
    # Here, for logging is set up before models can be imported.
    from observability.errors import counts

    kind, name = units.in_hand()
    verdict = classify(
        exception,
        logger_name=line.logger_name if line else "",
        event=line.event if line else "",
        unit=unit or kind,
        unit_name=name,
    )
    if exception is not None:
        _mark(exception)
    units.note_report()
    counts.add(verdict)
    return verdict


def _mark(exception: BaseException) -> None:
    try:
        setattr(exception, _MARK, True)
    except AttributeError:
        # A class that refuses attributes: its exceptions may be reported twice.
        return


def _log(
    exception: BaseException, verdict: Verdict, event: str, unit: str | None, ids: dict[str, Any]
) -> None:
    kind, name = units.in_hand()
    log.error(
        event,
        **{key: value for key, value in ids.items() if key not in _OWN_FIELDS},
        severity=verdict.severity.value,
        category=verdict.category,
        code=verdict.code,
        unit=unit or kind,
        unit_name=name,
        exc_info=exception,
    )


_OWN_FIELDS = {"event", "severity", "category", "code", "unit", "unit_name", "exc_info"}


def _send(
    exception: BaseException | None,
    line: Line | None,
    verdict: Verdict,
    unit: str | None,
    ids: dict[str, Any],
) -> None:
    from observability.errors import sentry

    sentry.send(exception, line, verdict, unit=unit, ids=ids)
