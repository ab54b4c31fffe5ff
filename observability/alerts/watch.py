"""The step of the alert lane: every rule once a minute, the urgent ones every other second, and what follows.

The rule: a minute is looked at completely once, whichever process comes first; digest and dead man's switch
come after that and only after that. What one of them raises is reported, and holds up none of the others.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

from observability.alerts import dead_man, digest, evaluator
from observability.errors import reporting
from observability.models import Evaluation

# Counters reach PostgreSQL within six seconds: before that the last minute is not whole.
SETTLED = timedelta(seconds=7)
# What nobody waits a minute for.
URGENT = frozenset({"sev1_fault", "database_down"})
URGENT_EVERY = timedelta(seconds=2)
# After something was raised: a database that is away is not asked twice a second.
REST = timedelta(seconds=10)


class Watch:
    """What one run of the lane knows; another process may be at it too."""

    def __init__(self) -> None:
        self._urgent_at: datetime | None = None
        self._rests_until: datetime | None = None

    def step(self, now: datetime) -> bool:
        """Do what is due. Nothing is ever behind: the next step comes with the lane's own pace."""
        if self._rests_until and now < self._rests_until:
            return False
        if not _attempt("look", lambda: self._look(now)):
            self._rests_until = now + REST
            # The next statement shall have a new connection, where this one was lost.
            if not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()
        return False

    def _look(self, now: datetime) -> None:
        minute = now.replace(second=0, microsecond=0)
        if now >= minute + SETTLED and not _is_done(minute):
            _look_at_all(minute, now)
        elif self._urgent_at is None or now - self._urgent_at >= URGENT_EVERY:
            self._urgent_at = now
            evaluator.evaluate(now=now, only=URGENT)


def _look_at_all(minute: datetime, now: datetime) -> None:
    found = evaluator.evaluate(now=now)
    if found is None or not _note(minute, found, now):
        return
    troubles = [f"measure:{code}" for code in found.broken]
    if not _attempt("digest", lambda: digest.write_if_due(now)):
        troubles.append("digest")
    _attempt("dead_man", lambda: dead_man.ping(troubles, now=now))


def _is_done(minute: datetime) -> bool:
    return Evaluation.objects.filter(pk=1, evaluated_at__gte=minute).exists()


def _note(minute: datetime, found: evaluator.Evaluated, now: datetime) -> bool:
    """Write that all rules were looked at; return whether nobody else had done so for this minute."""
    Evaluation.objects.get_or_create(pk=1)
    before = Evaluation.objects.filter(Q(evaluated_at=None) | Q(evaluated_at__lt=minute), pk=1)
    return bool(before.update(evaluated_at=now, broken=list(found.broken)))


def _attempt(part: str, act: Callable[[], object]) -> bool:
    """Do a part; return whether it went well, and report what it raised."""
    try:
        act()
    except Exception as error:  # noqa: BLE001 - the other parts shall go on
        reporting.report(error, event="alert_watch_failed", part=part)
        return False
    return True
