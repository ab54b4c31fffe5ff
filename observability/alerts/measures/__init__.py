"""What alert rules look at: each measure says of a minute how it stands, a file a subject.

The rule: a measure reads rows and counters by an index, never log lines, and is told the minute; what it
says is kept (`MeasureMinute`), so that other terms can be tried on it. It has the code of its rule. It
always says how all of it stands, under the empty group; of its groups it names those that are not well.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from observability.alerts.evaluation import Kind

__all__ = ["Kind", "Link", "Measure", "Said", "find", "register", "registered", "together"]

# What it is called, and where it is.
Link = tuple[str, str]
# More groups than these have one cause behind them: one incident for all, not one each.
MOST_ALONE = 5
# So many groups of a rule are evaluated by themselves; what is beyond them, under this name.
MOST_GROUPS = 20
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Said:
    """What a measure says of one minute and group. group: of what, an id or word of ours; empty: of all.

    bad, total: of a rate or count. value: of a level; None: it is not known. total of a level: of how many
    cases it is, where it is of any.
    """

    group: str = ""
    bad: float = 0.0
    total: float = 0.0
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """code: of its rule. unit: share, number or seconds. words: what is measured, for staff.

    read: given a minute (its first moment, UTC), what it says. url_name: the admin's page. at_hand: whether
    the minute that is not over is looked at too. every_minutes: of a level, how often it is asked.
    has_own_limits: of time, so that none is set around it. pages: more pages about a group, empty for all.
    """

    code: str
    kind: Kind
    unit: str
    words: str
    read: Callable[[datetime], Iterable[Said]]
    url_name: str = ""
    at_hand: bool = False
    every_minutes: int = 1
    has_own_limits: bool = False
    pages: Callable[[str], list[Link]] | None = None

    def links(self, group: str) -> list[Link]:
        """Return the admin's pages that tell more about a group, the nearest first."""
        found = self.pages(group) if self.pages else []
        if self.url_name:
            found.append((_PAGES.get(self.url_name, "What was measured"), reverse(self.url_name)))
        return found


_PAGES = {
    "admin:errors": "Errors of the last day",
    "admin:logs": "Logs",
    "admin:forwarding": "Forwarding to PostHog",
    "admin:sync_causegroup_changelist": "Causes of dead letters",
    "admin:sync_flight": "Jobs in flight",
    "admin:sync_location_changelist": "Locations",
    "admin:audit": "Audit log",
    "admin:dashboard_show_rate": "Show-rate dashboard",
    "admin:dashboard_sync_health": "Sync health dashboard",
    "admin:observability_retentionpolicy_changelist": "Retention",
    "admin:django_q_schedule_changelist": "Schedules",
}
_registered: dict[str, Measure] = {}


def register(*measures: Measure) -> None:
    """Let rules look at measures; raises ValueError when another one has the code already."""
    for measure in measures:
        if _registered.setdefault(measure.code, measure) != measure:
            raise ValueError(f"There already is a measure called {measure.code}.")


def find(code: str) -> Measure | None:
    """Return the measure of that code, or None."""
    return _registered.get(code)


def registered() -> list[Measure]:
    """Return every measure, in the order of their codes."""
    return [_registered[code] for code in sorted(_registered)]


def together(groups: Iterable[str]) -> list[Said]:
    """Return what a level says of groups that are not well: each by itself, or, of more than a few, all.

    Where all of it is said to be bad, nothing is known of a single group: what is open stays open.
    """
    named = list(groups)
    if len(named) > MOST_ALONE:
        return [Said(value=float(len(named)))]
    return [Said(value=0.0), *(Said(group, value=1.0) for group in named)]
