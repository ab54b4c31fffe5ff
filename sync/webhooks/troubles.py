"""Telling staff what is wrong with webhooks as such, without a flood: once an hour for each thing.

The rule: what cannot be told costs nobody an answer. A process counts for itself.
"""

import threading
import time

import structlog
from django.db import Error, transaction

from sync import signals
from sync.signals import Trouble
from trainu.faults import WebhookCode

log = structlog.get_logger(__name__)

EVERY_S = 3600.0
_MOST = 1_000

_told: dict[tuple[str, str], float] = {}
_lock = threading.Lock()


def tell(code: WebhookCode, location_id: str, words: str) -> None:
    """Send a Trouble, unless this process has told the same within the hour. words: nothing personal."""
    if not _is_new((code.value, location_id)):
        return
    try:
        with transaction.atomic():
            trouble = Trouble(kind="webhook", code=code.value, location_id=location_id, words=words)
            signals.troubled.send(sender=None, troubles=[trouble])
    except Error:
        log.warning("trouble_not_told", code=code.value)


def forget() -> None:
    """Tell everything anew."""
    with _lock:
        _told.clear()


def _is_new(thing: tuple[str, str]) -> bool:
    now = time.monotonic()
    with _lock:
        if now - _told.get(thing, -EVERY_S) < EVERY_S:
            return False
        if len(_told) >= _MOST:
            _told.clear()
        _told[thing] = now
        return True
