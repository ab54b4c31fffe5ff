"""Structured logs: one JSON line on stdout with timestamp, level, service, correlation_id and event.

Our loggers and foreign ones take the same way. The rules: every line has the five fields, also outside
of any request or task, where the process names itself; and nothing leaves before it was redacted.
"""

import logging.config
import os
import secrets
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from observability.errors.handler import repeats_task
from observability.logs.keep import keep_copy
from observability.redaction import redact
from trainu import correlation, known_names

_LEVELS = {"warning": "warn", "critical": "error", "exception": "error", "notset": "debug"}
_BOOT = secrets.token_hex(4)
# Foreign loggers that say too much, or say again what one of our lines says.
LOGGERS: dict[str, dict[str, Any]] = {
    # Each of its lines would stand beside one of ours for the same request.
    "django.request": {"level": "CRITICAL"},
    "django.security.DisallowedHost": {"level": "CRITICAL"},
    "django-q": {"handlers": [], "propagate": True, "level": "WARNING", "filters": ["no_echo"]},
    "posthog": {"level": "CRITICAL"},
    # Lines about each call of a language model; of answers the headers, and of calls the address. The client
    # sets its own logger's level by OPENAI_LOG, and other versions of it write whole prompts.
    "openai": {"level": "WARNING"},
    "openai._base_client": {"level": "WARNING"},
    "httpcore2": {"level": "WARNING"},
    "httpx2": {"level": "WARNING"},
    "urllib3": {"level": "WARNING"},
}


def name_level(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Map Python's level names onto the four of the design."""
    line["level"] = _LEVELS.get(line["level"], line["level"])
    return line


class NameProcess:
    """Add the service, and where no unit of work is in hand, an id of this very process."""

    def __init__(self, service: str) -> None:
        self.service = service

    def __call__(self, _logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        line.setdefault("service", self.service)
        if not line.get("correlation_id"):
            here = f"{self.service}-{os.getpid()}-{_BOOT}"
            line["correlation_id"] = correlation.current() or here
        return line


def redact_line(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Take personal data and secrets out of everything on the line, tracebacks included.

    The last before a line is copied and rendered. What cannot be redacted is not shown.
    """
    cleaned = redact(line, known_names.current())
    if isinstance(cleaned, dict):
        return cleaned
    safe = {name: line[name] for name in ("timestamp", "level", "service", "logger") if name in line}
    return {**safe, "correlation_id": correlation.current(), "event": "redaction_failed"}


def shared_processors(service: str) -> list[Processor]:
    """Return what every line passes through, whether it comes from structlog or from logging."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        name_level,
        NameProcess(service),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        # Text without local variables: a traceback must not carry what the frames held.
        structlog.processors.format_exc_info,
    ]


class NoEcho(logging.Filter):
    """Drops what django-q2's monitor says of a failed task: the worker has logged it, under its own id."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return False for a repeated failure."""
        return not repeats_task(record)


def configuration(*, service: str, style: str, level: str, stream: str) -> dict[str, Any]:
    """Return logging's dictConfig.

    service: the name in each line. style: json or console. level: a name of logging's.
    stream: stdout, or stderr for commands, whose stdout belongs to what they print.
    """
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=False)
        if style == "console"
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    return {
        "version": 1,
        "service": service,
        "disable_existing_loggers": False,
        "filters": {"no_echo": {"()": NoEcho}},
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*shared_processors(service), structlog.stdlib.ExtraAdder()],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    redact_line,
                    keep_copy,
                    renderer,
                ],
            }
        },
        "handlers": {
            "stream": {
                "class": "logging.StreamHandler",
                "stream": f"ext://sys.{stream}",
                "formatter": "line",
            },
            "errors": {"class": "observability.errors.handler.ErrorHandler", "level": "ERROR"},
        },
        "root": {"handlers": ["stream", "errors"], "level": level},
        "loggers": LOGGERS,
    }


def configure(settings: dict[str, Any]) -> None:
    """Set up logging and structlog; Django calls it with `configuration()` at start."""
    logging.config.dictConfig(settings)
    service = settings["service"]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared_processors(service),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
