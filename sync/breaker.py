"""The circuit breaker of a location: holds jobs while GoHighLevel does not answer, lets them by in steps.

The rules: five failures within a minute, none answered in between, open it. Whether GoHighLevel answers
again is found out by a question that changes nothing, never by a job. Then one job goes, ten, a hundred,
and all; a failure among them holds the rest again. `after` and `asked` are pure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import connection

from sync.ghl.errors import Code, Outcome, Verdict
from sync.models import Breaker

CLOSED, OPEN, RAMPING = Breaker.State.CLOSED, Breaker.State.OPEN, Breaker.State.RAMPING
OPENS_AFTER = 5
COUNTED_FOR = timedelta(seconds=60)
FIRST_PAUSE_S = 15
LONGEST_PAUSE_S = 300
FIRST_STEP = 1
GROWTH = 10
LAST_STEP = 100
# A step whose jobs were lost, or that found none, must not hold the ramp for ever.
STEP_LASTS_S = 60

# What says that GoHighLevel, or the way there, is down: nothing that one job's data could cause alone.
UNREACHABLE = frozenset(
    {
        Code.DNS,
        Code.CONNECTION_REFUSED,
        Code.CONNECTION_FAILED,
        Code.CONNECT_TIMEOUT,
        Code.TLS,
        Code.TIMEOUT,
        Code.CONNECTION_RESET,
        Code.NOT_HTTP,
        Code.BAD_RESPONSE,
        Code.BLOCKED,
        Code.REDIRECTED,
        Code.STATUS_408,
        Code.STATUS_425,
        Code.STATUS_500,
        Code.STATUS_502,
        Code.STATUS_503,
        Code.STATUS_504,
        Code.STATUS_5XX,
    }
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A breaker's row as a value; see `sync.models.Breaker`."""

    state: str = CLOSED
    failures: int = 0
    counted_from: datetime | None = None
    opened_at: datetime | None = None
    probe_at: datetime | None = None
    pause_s: int = 0
    step: int = 0
    allowance: int = 0
    answered: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a batch has shown of a location. answered: any answer that is not a failure of GoHighLevel's."""

    answered: int = 0
    failed: int = 0

    def __add__(self, other: "Seen") -> "Seen":
        return Seen(self.answered + other.answered, self.failed + other.failed)


def seen(verdict: Verdict) -> Seen:
    """Return what one verdict shows. Held back by a limit or refused a token, GoHighLevel has answered."""
    if verdict.outcome in {Outcome.TRANSIENT, Outcome.AMBIGUOUS}:
        return Seen(failed=1) if verdict.code in UNREACHABLE else Seen()
    return Seen() if verdict.code is Code.UNUSABLE_TOKEN else Seen(answered=1)


def after(was: Standing, what: Seen, *, now: datetime) -> Standing:
    """Return how a breaker stands after a batch."""
    if was.state == OPEN:
        # Stragglers from before; the question decides.
        return was
    if was.state == RAMPING:
        if what.failed:
            return _opened(was, now)
        return _stepped(replace(was, answered=was.answered + what.answered), now)
    if what.answered >= max(1, what.failed):
        return Standing()
    if not what.failed:
        return was
    fresh = was.counted_from is None or now - was.counted_from > COUNTED_FOR
    failures = what.failed - what.answered + (0 if fresh else was.failures)
    counted_from = now if fresh else was.counted_from
    counted = replace(was, failures=failures, counted_from=counted_from)
    return _opened(counted, now) if failures >= OPENS_AFTER else counted


def asked(was: Standing, *, answers: bool, now: datetime) -> Standing:
    """Return how a breaker stands after the question whether GoHighLevel answers."""
    if was.state == CLOSED:
        return was
    if not answers:
        return _opened(was, now)
    if was.state == OPEN:
        return _ramp(was, FIRST_STEP, now)
    # Too few jobs to fill the step: that it answers counts as much.
    return _stepped(replace(was, answered=was.step), now)


def _opened(was: Standing, now: datetime) -> Standing:
    pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, was.pause_s * 2))
    return Standing(
        state=OPEN,
        failures=was.failures,
        opened_at=was.opened_at or now,
        probe_at=now + timedelta(seconds=pause_s),
        pause_s=pause_s,
    )


def _ramp(was: Standing, step: int, now: datetime) -> Standing:
    return Standing(
        state=RAMPING,
        opened_at=was.opened_at,
        pause_s=was.pause_s,
        probe_at=now + timedelta(seconds=STEP_LASTS_S),
        step=step,
        allowance=step,
    )


def _stepped(was: Standing, now: datetime) -> Standing:
    if was.answered < was.step:
        return was
    return Standing() if was.step >= LAST_STEP else _ramp(was, was.step * GROWTH, now)


_FIELDS = tuple(Standing.__dataclass_fields__)
# Only rows that a batch can move: a closed breaker without failures stays so while everything is answered.
_READ = f"""
select location_id, {", ".join(_FIELDS)} from sync_breaker
where location_id = any(%s) and (location_id = any(%s) or state <> 'closed' or failures > 0)
order by location_id for update
"""
# Whoever asks has the question to itself until it is due again.
_DUE = """
update sync_breaker set probe_at = %(again)s where location_id = any(array(
    select location_id from sync_breaker join sync_location on id = location_id
    where sync_breaker.state <> 'closed' and probe_at <= %(now)s
      and (sync_location.state = 'active' or (sync_location.state = 'paused' and paused_until <= %(now)s))
    order by probe_at limit %(most)s for update of sync_breaker skip locked
)) returning location_id
"""
# Six hours to the next try are too long when GoHighLevel is back after five minutes.
_TRY_NOW = """
update sync_syncjob set next_at = %s
where state = 'waiting' and location_id = any(%s) and next_at > %s and tries > 0 and not is_lookup
  and not is_suspect and code = any(%s)
"""


def note(batch: Mapping[str, Seen], *, now: datetime) -> None:
    """Write what a batch has shown, by location. Inside the batch's transaction."""
    if batch:
        failed = [location for location, what in batch.items() if what.failed]
        _move(list(batch), failed, lambda location, was: after(was, batch[location], now=now), now)


def due(*, now: datetime, most: int) -> list[str]:
    """Return the locations to ask now whether they answer; they are this caller's for a minute."""
    with connection.cursor() as cursor:
        again = now + timedelta(seconds=STEP_LASTS_S)
        cursor.execute(_DUE, {"now": now, "again": again, "most": most})
        return [location for (location,) in cursor.fetchall()]


def note_question(location_id: str, *, answers: bool, now: datetime) -> None:
    """Write whether GoHighLevel answered the question. Inside a transaction."""
    _move([location_id], [location_id], lambda _, was: asked(was, answers=answers, now=now), now)


def _move(
    ids: list[str], always: list[str], decide: Callable[[str, Standing], Standing], now: datetime
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_READ, [ids, always])
        rows = {location: Standing(*values) for location, *values in cursor.fetchall()}
    closed = []
    for location, was in rows.items():
        standing = decide(location, was)
        if standing == was:
            continue
        Breaker.objects.filter(pk=location).update(**{name: getattr(standing, name) for name in _FIELDS})
        if was.state == RAMPING and standing.state == CLOSED:
            closed.append(location)
    if closed:
        with connection.cursor() as cursor:
            cursor.execute(_TRY_NOW, [now, closed, now, [code.value for code in UNREACHABLE]])
