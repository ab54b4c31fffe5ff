"""What a bulk operation is, where it stands and what comes next, in words for staff.

The rule: the ramp's own figures are told as they are kept, and nothing is promised that it would not do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sync.dead_letters import ramp
from sync.dead_letters.bulk import Kind, Progress, State
from sync.models import BulkItem, BulkOperation

ItemState = BulkItem.State

TONES = {
    "proposed": "warn",
    "running": "info",
    "paused": "warn",
    "stopped": "bad",
    "canceled": "warn",
    "done": "ok",
}
# Failed ones first: that is what people come for.
ITEM_STATES = (
    ItemState.FAILED_SAME_CAUSE,
    ItemState.FAILED_NEW_CAUSE,
    ItemState.NEEDS_DECISION,
    ItemState.SKIPPED,
    ItemState.SUPERSEDED,
    ItemState.SENT,
    ItemState.PENDING,
    ItemState.RECOVERED,
    ItemState.DONE,
    ItemState.CANCELED,
)
_DONE = {Kind.DISCARD: "Discarded", Kind.RESTORE: "Restored", Kind.ASSIGN: "Assigned"}
_OF_REDRIVES = {
    ItemState.SENT,
    ItemState.RECOVERED,
    ItemState.FAILED_SAME_CAUSE,
    ItemState.FAILED_NEW_CAUSE,
    ItemState.SUPERSEDED,
    ItemState.NEEDS_DECISION,
}
_OF_ALL = {ItemState.PENDING, ItemState.SKIPPED, ItemState.CANCELED}
_FAILED = {ItemState.FAILED_SAME_CAUSE, ItemState.FAILED_NEW_CAUSE}

STEPS = f"{', '.join(str(size) for size in ramp.SIZES[:-1])}, then {ramp.SIZES[-1]} at a time"
# What will happen, on the page that asks for confirmation.
WHAT_HAPPENS: dict[str, tuple[str, ...]] = {
    Kind.REDRIVE: (
        f"They are tried again in steps of {STEPS}. A step begins when the one before it has ended.",
        "It stops by itself where letters fail again: in the first steps as soon as one fails of the same"
        " cause, later when more than one in ten fails. What was not begun then stays as it is.",
        "It looks first: what a newer job has overtaken is not sent, and GoHighLevel is asked whether a"
        " letter was done already.",
        "You can watch, pause and cancel it at any time. What is under way then still ends.",
    ),
    Kind.DISCARD: (
        "They are closed with your reason, and nothing more is sent for them.",
        "You can undo it: its page has a button that opens them again.",
    ),
    Kind.RESTORE: (
        "They are open again, and nothing is sent by that. Redrive them when their cause is gone.",
    ),
    Kind.ASSIGN: ("They get somebody who looks after them. Nothing is sent.",),
}


@dataclass(frozen=True, slots=True)
class Counter:
    """How many items are in a state; words: for staff, of this kind of operation."""

    state: str
    words: str
    count: int


def heading(operation: BulkOperation) -> str:
    """Return what an operation is, in a few words: Redrive of 1,200 letters."""
    plural = "" if operation.total == 1 else "s"
    return f"{operation.get_kind_display()} of {operation.total:,} letter{plural}"


def counters(operation: BulkOperation) -> list[Counter]:
    """Return where an operation's items are; they add up. Where none of its kind can be is left out."""
    words = dict(ItemState.choices) | {ItemState.DONE: _DONE.get(Kind(operation.kind), "Done")}
    counts = [(state, getattr(operation, state.value)) for state in ITEM_STATES]
    possible = _OF_ALL | (_OF_REDRIVES if operation.kind == Kind.REDRIVE else {ItemState.DONE})
    return [
        Counter(state.value, words[state], count) for state, count in counts if count or state in possible
    ]


def now(operation: BulkOperation, starter: str) -> str:
    """Return where an operation stands, in a sentence or two."""
    left = f"{operation.pending:,} letter{'s' if operation.pending != 1 else ''}"
    match operation.state:
        case State.PROPOSED:
            return (
                f"Nothing has been sent. It would send {operation.messages:,} messages to people, so somebody"
                f" other than {starter} has to approve it."
            )
        case State.PAUSED:
            return f"{left} not begun. Nothing more begins until somebody resumes it."
        case State.STOPPED:
            return f"{_why(operation)} {left} {'were' if operation.pending != 1 else 'was'} not begun."
        case State.CANCELED:
            return f"{operation.canceled:,} were not begun and stay as they were."
        case State.DONE:
            return f"All of it has come to an end. {_why(operation)}".strip()
    if operation.kind != Kind.REDRIVE:
        return "A worker goes through them, 500 at a time."
    if not operation.step:
        return "Its first step begins in a moment, with one letter."
    size = f"{operation.step_size:,} letter{'s' if operation.step_size != 1 else ''}"
    if operation.sent:
        return f"Step {operation.step:,} is under way, of {size} at most."
    return f"Step {operation.step:,}, of {size} at most, has ended. What it has shown decides about the next."


def following(operation: BulkOperation, progress: Progress) -> list[str]:
    """Return what comes next and what it waits for, in sentences."""
    said = []
    if progress.held:
        waits = "waits: its" if progress.held == 1 else "wait: their"
        said.append(f"{progress.held:,} of those under way {waits} location is held back.")
    if operation.state in {State.PAUSED, State.CANCELED, State.STOPPED} and operation.sent:
        said.append(f"{operation.sent:,} still under way; they end by themselves.")
    if operation.state != State.RUNNING or operation.kind != Kind.REDRIVE:
        return said
    if not operation.pending:
        return [*said, "These are the last ones."] if operation.sent else said
    if not operation.step_size:
        return [*said, "If it recovers, up to 10 follow, then 100. If it fails again, this stops by itself."]
    grown = min(ramp.next_size(operation.step_size, ramp.Shown(recovered=1)), operation.pending)
    limit = "more than one in ten fails again"
    if operation.step_size <= ramp.CAREFUL:
        limit = f"one fails of the same cause again, or {limit}"
    return [*said, f"Next: up to {grown:,} more, if some recover. It stops by itself if {limit}."]


def failed(operation: BulkOperation) -> int:
    """Return how many items have failed again."""
    return operation.failed_same_cause + operation.failed_new_cause


def failed_states() -> Sequence[str]:
    """Return the states of items that have failed again."""
    return [state.value for state in _FAILED]


def _why(operation: BulkOperation) -> str:
    """Return why the ramp would not go on; the state beside it says that it has stopped."""
    why = operation.state_reason.removeprefix("Stopped: ")
    return f"{why[:1].upper()}{why[1:]}"
