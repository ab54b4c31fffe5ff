"""What becomes of a job when an attempt ends: pure, and the only place that decides it.

The rules, in the design's words: a try costs unless it was held back; what may have been done and cannot
be repeated is looked up before anybody sends it again; whatever nobody can tell is left to a person.
A sent try is never repeated by guess, and no job has more than six.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sync import backoff
from sync.ghl.errors import Code, Outcome, Verdict
from sync.ghl.lookup import Finding, Found

# A lookup that fails is asked again as often as a job is tried, and then a person looks.
MOST_LOOKUPS = backoff.MOST_TRIES
# What a deferral waits where nobody has said how long.
DEFAULT_DEFERRAL = timedelta(seconds=10)


class State(StrEnum):
    """WAITING and LEASED are open; the others are ends, of which only DEAD is left by a person's act."""

    WAITING = "waiting"
    LEASED = "leased"
    SUCCEEDED = "succeeded"
    DEAD = "dead"
    SUPERSEDED = "superseded"


class Cause(StrEnum):
    """Why a job is dead, beside the code of its last attempt. WITHDRAWN: by a person, while it was held."""

    REFUSED = "refused"
    EXHAUSTED = "exhausted"
    CHECK_BY_HAND = "check_by_hand"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a decision must know of a job. tries, lookups: those before the attempt that has now ended.

    is_redrive: a person has taken it out of the dead letters, for one more try.
    """

    tries: int
    lookups: int
    repeatable: bool
    settle: timedelta
    is_lookup: bool = False
    is_redrive: bool = False


@dataclass(frozen=True, slots=True)
class Next:
    """What becomes of a job. wait: for WAITING. look_up: its next attempt asks instead of sending.

    pauses: the location, not the job, is at fault and takes a rest until somebody has mended it.
    """

    state: State
    tries: int
    lookups: int
    wait: timedelta = timedelta(0)
    look_up: bool = False
    cause: Cause | None = None
    pauses: bool = False


def after_sending(job: Standing, verdict: Verdict) -> Next:
    """Return what becomes of a job whose request has been tried."""
    tries = job.tries + 1
    asked_for = timedelta(seconds=verdict.wait_s) if verdict.wait_s is not None else None
    match verdict.outcome:
        case Outcome.OK:
            return Next(State.SUCCEEDED, tries, job.lookups)
        case Outcome.TRANSIENT:
            return _again(job, tries, asked_for)
        case Outcome.DEFERRED:
            return Next(State.WAITING, job.tries, job.lookups, asked_for or DEFAULT_DEFERRAL)
        case Outcome.AMBIGUOUS:
            return Next(State.WAITING, tries, job.lookups, job.settle, look_up=True)
        case Outcome.CONFIGURATION:
            return Next(State.WAITING, job.tries, job.lookups, pauses=True)
        case Outcome.PERMANENT if verdict.look_up_first:
            return Next(State.WAITING, tries, job.lookups, job.settle, look_up=True)
        case Outcome.PERMANENT:
            return _dead(tries, job.lookups, Cause.REFUSED)


def after_looking_up(job: Standing, result: Finding | Verdict) -> Next:
    """Return what becomes of a job whose effect was looked for."""
    lookups = job.lookups + 1
    if isinstance(result, Finding):
        match result.found:
            case Found.FOUND:
                return Next(State.SUCCEEDED, job.tries, lookups)
            case Found.NOT_FOUND if result.target_gone:
                return _dead(job.tries, lookups, Cause.REFUSED)
            case Found.NOT_FOUND:
                return _look_first(job, lookups) or _again(job, job.tries, None, lookups=lookups)
            case Found.CANNOT_TELL if job.repeatable and job.is_redrive:
                # Sending it once more is harmless.
                return _look_first(job, lookups) or _again(job, job.tries, None, lookups=lookups)
            case Found.CANNOT_TELL:
                return _dead(job.tries, lookups, Cause.CHECK_BY_HAND)
    asked_for = timedelta(seconds=result.wait_s) if result.wait_s is not None else None
    if result.outcome is Outcome.CONFIGURATION:
        return Next(State.WAITING, job.tries, job.lookups, look_up=True, pauses=True)
    if result.outcome is Outcome.DEFERRED:
        return Next(State.WAITING, job.tries, job.lookups, asked_for or DEFAULT_DEFERRAL, look_up=True)
    wait = None if job.is_redrive else backoff.delay(lookups, asked_for)
    if wait is None:
        # It was dead before; what it is dead of has not passed.
        cause = Cause.EXHAUSTED if job.is_redrive and job.repeatable else Cause.CHECK_BY_HAND
        return _dead(job.tries, lookups, cause)
    return Next(State.WAITING, job.tries, lookups, wait, look_up=True)


def after_losing(job: Standing) -> Next:
    """Return what becomes of a job whose worker was lost with the attempt in hand.

    Whether the request was sent is not known; the lease had to run out first, so it is no longer under way.
    """
    if job.is_lookup:
        return after_looking_up(job, Verdict(Outcome.TRANSIENT, Code.CLIENT_ERROR))
    outcome = Outcome.TRANSIENT if job.repeatable else Outcome.AMBIGUOUS
    return after_sending(job, Verdict(outcome, Code.CLIENT_ERROR))


def _look_first(job: Standing, lookups: int) -> Next | None:
    """Send a redriven job that turned out not to be done; None where its one more try is used up."""
    if job.is_redrive and job.tries < backoff.MOST_TRIES:
        return Next(State.WAITING, job.tries, lookups)
    return None


def _again(job: Standing, tries: int, asked_for: timedelta | None, *, lookups: int | None = None) -> Next:
    lookups = job.lookups if lookups is None else lookups
    wait = backoff.delay(tries, asked_for)
    if wait is None:
        return _dead(tries, lookups, Cause.EXHAUSTED)
    return Next(State.WAITING, tries, lookups, wait)


def _dead(tries: int, lookups: int, cause: Cause) -> Next:
    return Next(State.DEAD, tries, lookups, cause=cause)
