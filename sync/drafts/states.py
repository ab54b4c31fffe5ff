"""What becomes of a draft: pure, and the only place that decides it.

The rules: a round is one try and two more, each for a failure that may pass; whatever else happens is a
person's to decide. A draft that was approved comes back only while nothing of it has left.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sync.models import Draft
from sync.models.draft import MOST_TRIES

State = Draft.State

# What waits before the second try and the third, where the answer does not ask for more.
WAITS = (timedelta(seconds=5), timedelta(seconds=30))
# Whoever asks for more is asked again then.
LONGEST_WAIT = timedelta(minutes=10)


class Act(StrEnum):
    """What a person does to a draft."""

    APPROVE = "approve"
    REGENERATE = "regenerate"
    RETRY = "retry"
    SNOOZE = "snooze"
    WAKE = "wake"
    DISMISS = "dismiss"
    RECALL = "recall"


# From which states, and to which; None: the state stays.
_OPEN = frozenset({State.REVIEW, State.FAILED})
ACTS: dict[Act, tuple[frozenset[State], State | None]] = {
    Act.APPROVE: (_OPEN, State.SCHEDULED),
    Act.REGENERATE: (_OPEN, State.WAITING),
    Act.RETRY: (frozenset({State.FAILED}), State.WAITING),
    Act.SNOOZE: (_OPEN, None),
    Act.WAKE: (_OPEN, None),
    Act.DISMISS: (_OPEN | {State.WAITING, State.UNDELIVERED}, State.DISMISSED),
    Act.RECALL: (frozenset({State.SCHEDULED}), State.REVIEW),
}


def allows(state: str, act: Act) -> bool:
    """Whether a person may do this to a draft as it stands."""
    return state in ACTS[act][0]


@dataclass(frozen=True, slots=True)
class Next:
    """What becomes of a draft. wait: for WAITING."""

    state: State
    wait: timedelta = timedelta(0)


def after_failing(tries: int, *, may_pass: bool, asked_for: timedelta | None = None) -> Next:
    """Return what becomes of a draft whose try has failed. tries: with this one, of its round.

    may_pass: whether another try may fare better. asked_for: what the answer asks to wait at least.
    """
    if not may_pass or tries >= MOST_TRIES:
        return Next(State.FAILED)
    wait = WAITS[tries - 1]
    return Next(State.WAITING, min(max(wait, asked_for or wait), LONGEST_WAIT))


def after_losing(tries: int) -> Next:
    """Return what becomes of a draft whose worker ended with it in hand: the try was one, and may go on."""
    return Next(State.FAILED) if tries >= MOST_TRIES else Next(State.WAITING)


# By the state of its job: sent is the truth whatever a person has done since.
def after_sending(state: str, job: str) -> State | None:
    """Return a draft's state now that its job has ended; None where it stays as it is.

    job: succeeded, dead or superseded.
    """
    if job == "succeeded":
        return None if state == State.SENT else State.SENT
    if state == State.SCHEDULED:
        return State.UNDELIVERED if job == "dead" else State.DISMISSED
    return None
