"""Whether a rule fires: pure, from one reading to the next. No clock, no database.

The rule: too little data neither fires nor resolves. A rule fires when its measure was beyond the threshold
for so many minutes on end, and recovers when it was within the bound of recovery for so many; one that flaps
needs four times as long to recover. What `step` and `reading` do, the evaluator and the back-test do alike.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from observability.dashboards.intervals import wilson

# rate: bad of total cases, added up over the window. count: bad cases, added up. level: the last value.
Kind = Literal["rate", "count", "level"]
# Three starts in two hours are flapping.
FLAPPING_STARTS = 3
FLAPPING_WITHIN = timedelta(hours=2)
FLAPPING_PATIENCE = 4


class Phase(StrEnum):
    OK = "ok"
    PENDING = "pending"
    FIRING = "firing"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a rule demands.

    threshold: beyond it is bad; above says in which direction. recovery: at or within it is well.
    for_minutes, recovery_minutes: for so long. min_sample: cases without which nothing is known. min_bad: bad
    ones without which nothing fires. needs_confidence: of a rate, the lower end of its 95 % interval must be
    beyond the threshold, and not only the rate itself, which at twenty cases an hour is beyond it by chance.
    """

    threshold: float
    recovery: float
    for_minutes: int = 0
    recovery_minutes: int = 5
    min_sample: int = 0
    min_bad: int = 0
    above: bool = True
    needs_confidence: bool = False

    def is_bad(self, reading: "Reading") -> bool:
        """Whether a known reading is beyond the threshold, with enough bad cases."""
        if reading.bad is not None and reading.bad < self.min_bad:
            return False
        value = reading.value
        if value is None or not (value > self.threshold if self.above else value < self.threshold):
            return False
        return not self.needs_confidence or self._is_sure(reading)

    def _is_sure(self, reading: "Reading") -> bool:
        if not reading.sample or reading.bad is None:
            return True
        interval = wilson(round(reading.bad), round(reading.sample))
        if interval is None:
            return False
        low, high = interval
        return low > self.threshold if self.above else high < self.threshold

    def is_well(self, reading: "Reading") -> bool:
        """Whether a known reading is within the bound of recovery."""
        value = reading.value
        return value is not None and (value <= self.recovery if self.above else value >= self.recovery)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a measure says of a group at a time. value: None where it is not known.

    sample: of how many cases; None for what has none, such as an age. bad: of these, the bad ones.
    """

    at: datetime
    value: float | None
    sample: float | None = None
    bad: float | None = None


def reading(
    kind: Kind, at: datetime, *, value: float | None, bad: float | None, total: float | None
) -> Reading:
    """Return what a window says at its last minute. value, and total of a level: the last one that was said.

    bad, total of a rate, bad of a count: the sums of the window.
    """
    if kind == "level":
        return Reading(at, value, total)
    bad = bad or 0.0
    if kind == "count":
        return Reading(at, bad, None, bad)
    return Reading(at, bad / total if total else None, total or 0.0, bad)


def span_minutes(kind: Kind, window_minutes: int, every_minutes: int = 1) -> int:
    """Return how many minutes a window is long: a level holds until its measure is asked again."""
    return max(window_minutes, every_minutes) if kind == "level" else window_minutes


@dataclass(frozen=True, slots=True)
class State:
    """Where a rule stands for a group. since: of the phase. well_since: while firing, since when it is well.

    starts: when it began to fire lately, oldest first.
    """

    phase: Phase = Phase.OK
    since: datetime | None = None
    well_since: datetime | None = None
    starts: tuple[datetime, ...] = ()

    @property
    def is_flapping(self) -> bool:
        """Whether it began to fire too often within a short time."""
        return len(self.starts) >= FLAPPING_STARTS


Change = Literal["", "fires", "recovers"]


def step(terms: Terms, state: State, reading: Reading) -> tuple[State, Change]:
    """Return where the rule stands after a reading, and whether it fires or recovers by it."""
    # While it fires, no start is forgotten: what flaps all day would be well every other hour by that.
    if state.starts and state.phase is not Phase.FIRING and reading.at - state.starts[0] >= FLAPPING_WITHIN:
        state = replace(state, starts=tuple(at for at in state.starts if reading.at - at < FLAPPING_WITHIN))
    if reading.value is None or (reading.sample is not None and reading.sample < terms.min_sample):
        # Nothing is known: whatever was counted towards a change is begun anew, and nothing changes.
        if state.phase is Phase.PENDING:
            return replace(state, phase=Phase.OK, since=None), ""
        return (replace(state, well_since=None) if state.well_since else state), ""
    if state.phase is Phase.FIRING:
        return _firing(terms, state, reading)
    if not terms.is_bad(reading):
        # Most minutes of most rules end here, a month of them in each back-test.
        return (state if state.phase is Phase.OK else replace(state, phase=Phase.OK, since=None)), ""
    since = state.since if state.phase is Phase.PENDING and state.since else reading.at
    if reading.at - since < timedelta(minutes=terms.for_minutes):
        return replace(state, phase=Phase.PENDING, since=since), ""
    starts = (*state.starts, reading.at)
    return replace(state, phase=Phase.FIRING, since=reading.at, well_since=None, starts=starts), "fires"


def _firing(terms: Terms, state: State, reading: Reading) -> tuple[State, Change]:
    if not terms.is_well(reading):
        return replace(state, well_since=None), ""
    well_since = state.well_since or reading.at
    patience = timedelta(minutes=terms.recovery_minutes * (FLAPPING_PATIENCE if state.is_flapping else 1))
    if reading.at - well_since < patience:
        return replace(state, well_since=well_since), ""
    return replace(state, phase=Phase.OK, since=None, well_since=None), "recovers"
