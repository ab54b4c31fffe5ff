"""Attempts as rows of a table: of a job's page, and of the page of a dead letter.

The rule: what is shown was masked when it was stored.
"""

from collections.abc import Iterable
from typing import Any

from sync import job_search
from sync.ghl.words import Explanation
from sync.models import SyncAttempt
from trainu.admin_rendering import pretty

Row = tuple[SyncAttempt, Explanation, str, str]


def rows(attempts: Iterable[SyncAttempt]) -> list[Row]:
    """Return attempts for `sync/attempts.html`: each with what it means, its request and its answer."""
    return [
        (one, job_search.in_words(one.outcome, one.code), _pretty(one.request), _pretty(one.response))
        for one in attempts
    ]


def _pretty(document: Any) -> str:
    """Return a stored document in lines; nothing where there was none, or where it is kept no longer."""
    return "" if document is None else pretty(document)
