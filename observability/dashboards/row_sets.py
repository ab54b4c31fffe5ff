"""People behind the numbers that come from sets: who was active, and who has used a feature.

The rule: a set is united and narrowed as for the number; where sets hold a sample, so does the list.
"""

from datetime import date, datetime
from typing import Any

from pyroaring import BitMap

from observability.dashboards import active_days, features
from observability.dashboards.question import Question
from observability.people_sets import united

ACTIVE = "active"
# Of those who signed up in the period, and of everybody.
FEATURE, USED = "feature", "used"


def title(which: str) -> str:
    """Return what such people are called; empty for what is none of these."""
    if which == ACTIVE:
        return "Active"
    name = _feature(which)
    who = "Signed up, and used" if which.startswith(FEATURE) else "Used"
    return f"{who}: {features.LABELS[name]}" if name else ""


def offered() -> list[tuple[str, str]]:
    """Return what may be asked for, as word and title."""
    features_used = [f"{kind}:{name}" for kind in (FEATURE, USED) for name in features.FEATURES]
    return [(which, title(which)) for which in (ACTIVE, *features_used)]


def words(which: str) -> str:
    """Return which people they are, in a sentence."""
    if which == ACTIVE:
        return "People active in the period: with at least one event made by a human."
    events = " or ".join(features.FEATURES[_feature(which)])
    who = "People who signed up in the period and" if which.startswith(FEATURE) else "People who"
    return f"{who} have used the feature on a day of the period: {events}."


def members(question: Question, which: str, role: str, *, now: datetime) -> BitMap:
    """Return the numbers of the people, as far as sets hold them."""
    filters: dict[str, Any] = {
        "trainer_id": question.trainer,
        "segment": question.segment,
        "role": role,
    }
    filters = {name: word for name, word in filters.items() if word}
    if which.startswith(f"{FEATURE}:"):
        filters |= {"signed_up_at__gte": question.starts_at, "signed_up_at__lt": question.ends_at}
    found = _found(question, which, now=now)
    return found & active_days.numbers(**filters) if filters else found


def _found(question: Question, which: str, *, now: datetime) -> BitMap:
    days: tuple[str, date, date] = (question.zone, question.first, question.last)
    if which == ACTIVE:
        return united(active_days.people(*days, now=now).values())
    used = features.users(list(active_days.by_event(*days, now=now).values()))
    return used[_feature(which)]


def _feature(which: str) -> str:
    """Return the feature that is asked for; empty where there is no such feature."""
    kind, _, name = which.partition(":")
    return name if kind in (FEATURE, USED) and name in features.FEATURES else ""
