"""The processor that hands each finished line to the log store, beside the stream it is rendered for.

The rule: it stands behind the redaction and before the renderer, so that store and stream hold the
same line. Settings import this module: it may import nothing that needs models.
"""

from typing import cast

from django.conf import settings
from structlog.typing import EventDict, WrappedLogger

from observability.logs.store import store

KEPT = frozenset({"info", "warn", "error"})
# What the way to the database says about itself: to keep it would give the next line of its kind.
SKIPPED = ("psycopg", "django.db", "observability.logs.store")


def keep_copy(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Put a copy of the line into the store where `settings.LOG_STORE` is on; return the line itself."""
    if (
        line.get("level") in KEPT
        and not str(line.get("logger", "")).startswith(SKIPPED)
        and settings.configured
        and getattr(settings, "LOG_STORE", False)
    ):
        # The console's renderer takes the dict apart. What lies in it is the redaction's own and stays.
        store.put(cast(dict[str, object], dict(line)))
    return line
