"""Everything that the show-rate's page is made of, read in a few statements.

The rule: a target is only where its baseline is made of enough.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from observability.dashboards import baseline, tallies
from observability.dashboards.baseline import Baseline
from observability.dashboards.panels import Target
from observability.dashboards.question import Question
from observability.dashboards.tallies import Tally, total
from observability.rollups.bookings import RECOVERED_WITHIN_DAYS

# The improvement that is aimed at, as factors of the baseline.
LEAST, MOST = 1.15, 1.25


@dataclass(frozen=True, slots=True)
class Counted:
    """by_day: of the period and of the one before it. segments, trainers: of the period."""

    question: Question
    now: datetime
    by_day: Mapping[date, Tally]
    segments: Mapping[str, Tally]
    segments_before: Mapping[str, Tally]
    trainers: Mapping[str, Tally]
    baseline: Baseline

    def between(self, first: date, last: date) -> Tally:
        """The tally of days, both included."""
        return total(tally for day, tally in self.by_day.items() if first <= day <= last)

    def of(self, question: Question) -> Tally:
        """The tally of a period."""
        return self.between(question.first, question.last)

    def recoverable(self, question: Question) -> Tally:
        """The tally of those of a period's days that have been over for as long as a recovery may take."""
        settled = set(question.settled(timedelta(days=RECOVERED_WITHIN_DAYS), now=self.now))
        return total(tally for day, tally in self.by_day.items() if day in settled)

    @property
    def target(self) -> Target | None:
        """The band above the baseline; None where the baseline is made of too few."""
        whole = self.baseline.total
        if whole.rate is None or whole.is_small:
            return None
        low, high = (min(1.0, whole.rate * factor) for factor in (LEAST, MOST))
        band = f"{_percent(low)} to {_percent(high)}" if low < high else _percent(low)
        cap = " (100 % is all there is)" if whole.rate * MOST > 1 else ""
        return Target(f"15 to 25 % above the baseline: {band}{cap}", low, high)

    @property
    def why_no_target(self) -> str:
        """Why there is no target, in a sentence; empty where there is one."""
        whole, fixed = self.baseline.total, self.baseline.fixed
        if whole.due:
            few = f"No target: only {whole.due} bookings were due in the baseline."
            return few if whole.is_small else ""
        if fixed is None:
            return "No target: no trainer's baseline is over."
        state = "nothing was due in the baseline" if self.baseline.periods else "the baseline is not over"
        return f"No target: {state} ({fixed[0]} to {fixed[1]})."


def read(question: Question, *, now: datetime) -> Counted:
    """Return the numbers of a question, as of `now`."""
    today = tallies.today(question, now=now)
    return Counted(
        question=question,
        now=now,
        by_day=tallies.by_day(question, today, now=now),
        segments=tallies.by_word(question, "b", today, now=now),
        segments_before=tallies.by_word(question.before(), "b", today, now=now),
        trainers=tallies.by_word(question, "a", today, now=now),
        baseline=baseline.read(question, now=now),
    )


def _percent(share: float) -> str:
    # A number and its unit stay on one line.
    return f"{share * 100:.1f}\u00a0%"
