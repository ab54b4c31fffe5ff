"""Observing without harm: what a receiver that only observes does to the work it observes, which is nothing.

The rule: it runs in a savepoint of its own; if it breaks, that is logged, and the work goes on.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from django.db import transaction

log = structlog.get_logger(__name__)


def telemetry(receiver: Callable[..., None]) -> Callable[..., None]:
    """Let a receiver fail alone: roll back what it wrote, log it, and carry on."""

    @wraps(receiver)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            with transaction.atomic():
                receiver(*args, **kwargs)
        except Exception:
            log.exception("receiver_failed", receiver=receiver.__name__)

    return guarded
