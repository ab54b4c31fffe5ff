"""The logging handler that reports error lines, ours and foreign ones: whatever is logged as an error counts.

The rule: it imports nothing of the project until the first error line, for logging is set up before models
can be imported; and it never breaks who logs.
"""

import logging
import sys
from typing import Any

_OWN_LOGGER = "observability.errors."
# Sentry's own troubles are counted by its transport; Django repeats what a request has reported.
_SILENT = ("sentry_sdk", "django.request", "django.server")
# What structlog puts into every line, beside what was logged.
_FRAME = {"event", "level", "logger", "timestamp", "service", "correlation_id", "exception", "exc_info"}


class ErrorHandler(logging.Handler):
    """Hands error lines to `observability.errors.reporting`. Give it the level ERROR."""

    def emit(self, record: logging.LogRecord) -> None:
        """Count the line and send it to Sentry, unless its exception has been reported already."""
        if record.levelno < logging.ERROR or _is_echo(record):
            return
        try:
            from observability.errors import reporting

            exception = _exception(record)
            if isinstance(record.msg, dict):
                event = str(record.msg.get("event", ""))
                fields: dict[str, Any] = {
                    str(key): value for key, value in record.msg.items() if key not in _FRAME
                }
                line = reporting.Line(record.name, event, event, event, fields)
            else:
                template = str(record.msg)
                line = reporting.Line(record.name, template, template, record.getMessage())
            reporting.note(exception, line)
        except Exception:  # noqa: BLE001 - no line is worth the work that logs it
            return


def _is_echo(record: logging.LogRecord) -> bool:
    if record.name.startswith((_OWN_LOGGER, *_SILENT)):
        return True
    return repeats_task(record)


def repeats_task(record: logging.LogRecord) -> bool:
    """Tell whether django-q2's monitor says what the worker has reported already, with the task's own id."""
    return record.name == "django-q" and (record.module, record.funcName) == ("monitor", "monitor")


def _exception(record: logging.LogRecord) -> BaseException | None:
    """Return what the line is about. structlog has made it a text by now, but it is still in hand."""
    if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
        return record.exc_info[1]
    return sys.exc_info()[1]
