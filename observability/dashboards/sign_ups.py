"""What has become of those who signed up in a period: counted over their rows of `Person`.

The rule: a period's people are those whose sign-up lies in it, whatever they did before or after; times since
sign-up are of 24 hours a day, and never below zero.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal

from pyroaring import BitMap

from observability.dashboards.question import Question, midnight
from trainu import statements

Role = Literal["client", "trainer"]
# So long after sign-up the first booking and the first insight should be there.
BOOKING_WITHIN = timedelta(hours=24)
INSIGHT_WITHIN = timedelta(days=7)
# Weeks since sign-up that a cohort is followed.
BOOKING_WEEKS = 8

_IN_TIME = "p.signed_up_at <= %(now)s - %({0}_within)s and p.first_{0}_at <= p.signed_up_at + %({0}_within)s"
# Weeks begun between sign-up and first booking: 1 for up to 7 days, 2 for up to 14. Of null and 1, greatest()
# would make 1.
_BOOKED_IN_WEEK = """
case when p.first_booking_at is not null
     then greatest(1, ceil(date_part('epoch', p.first_booking_at - p.signed_up_at) / (7 * 86400)))::bigint end
"""
# Weeks from 0; -1 is the period before.
_COUNTS = f"""
select width_bucket(p.signed_up_at, %(cuts)s::timestamptz[]) - 2, p.role, {_BOOKED_IN_WEEK},
       array_agg(p.number), count(*), count(p.onboarded_at), count(p.first_booking_at),
       count(p.first_insight_at),
       count(*) filter (where p.first_booking_at is not null and p.first_insight_at is not null),
       count(*) filter (where p.signed_up_at <= %(now)s - %(booking_within)s),
       count(*) filter (where {_IN_TIME.format("booking")}),
       count(*) filter (where p.signed_up_at <= %(now)s - %(insight_within)s),
       count(*) filter (where {_IN_TIME.format("insight")})
from observability_person p
where p.role in ('client', 'trainer')
and p.signed_up_at >= %(before_starts_at)s and p.signed_up_at < %(ends_at)s {{filters}}
group by 1, 2, 3
"""
_WAITS = """
select percentile_cont(array[0.5, 0.75, 0.9])
       within group (order by date_part('epoch', greatest(p.{moment}, p.signed_up_at) - p.signed_up_at))
from observability_person p
where p.role = 'client' and p.signed_up_at >= %(starts_at)s and p.signed_up_at < %(ends_at)s
and p.{moment} is not null {filters}
"""
_STEPS = """
select p.role, p.step_position, p.step, count(*) - count(p.onboarded_at)
from observability_person p
where p.role in ('client', 'trainer') and p.step <> ''
and p.signed_up_at >= %(starts_at)s and p.signed_up_at < %(ends_at)s {filters}
group by 1, 2, 3
order by p.step_position, p.step collate "C"
"""


@dataclass(frozen=True, slots=True)
class SignUps:
    """Those of one role, counted. activated: have both booked and had an insight. had_time: have signed up
    long enough ago; in_time: of these, had it within that time."""

    people: int = 0
    onboarded: int = 0
    booked: int = 0
    insight: int = 0
    activated: int = 0
    booking_had_time: int = 0
    booking_in_time: int = 0
    insight_had_time: int = 0
    insight_in_time: int = 0

    def __add__(self, other: "SignUps") -> "SignUps":
        return SignUps(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Week:
    """The clients of a week's days of the period. people: their numbers, all of them. booked: how many had
    booked within 7, 14, 21 … days."""

    monday: date
    ends_at: datetime
    people: BitMap = field(default_factory=BitMap)
    booked: list[int] = field(default_factory=lambda: [0] * BOOKING_WEEKS)


@dataclass(frozen=True, slots=True)
class Counted:
    """now, before: sign-ups of the period, and of the one before it. weeks: all that the period touches."""

    now: dict[Role, SignUps]
    before: dict[Role, SignUps]
    weeks: list[Week]


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds from sign-up of clients to whom it has happened: p50, p75, p90; None where it has to nobody."""

    booking: Sequence[float] | None
    insight: Sequence[float] | None


def count(question: Question, *, now: datetime) -> Counted:
    """Count the sign-ups of both roles."""
    mondays, before = question.weeks(), question.before()
    starts = [question.starts_at, *(midnight(monday, question.zone) for monday in mondays[1:])]
    parameters = {
        "now": now,
        "booking_within": BOOKING_WITHIN,
        "insight_within": INSIGHT_WITHIN,
        "before_starts_at": before.starts_at,
        "cuts": [before.starts_at, *starts],
    }
    ends = [*starts[1:], question.ends_at]
    weeks = [Week(monday, end) for monday, end in zip(mondays, ends, strict=True)]
    counted = Counted(_nobody(), _nobody(), weeks)
    for number, role, in_week, people, *counts in _ask(_COUNTS, question, parameters):
        found = SignUps(*counts)
        sums = counted.before if number < 0 else counted.now
        sums[role] += found
        if number >= 0 and role == "client":
            weeks[number].people.update(people)
            # Whoever had booked within a week had within all later ones.
            for k in range((in_week or BOOKING_WEEKS + 1) - 1, BOOKING_WEEKS):
                weeks[number].booked[k] += found.people
    return counted


def _nobody() -> dict[Role, SignUps]:
    return {"client": SignUps(), "trainer": SignUps()}


def waits(question: Question) -> Waits:
    """Return how long clients waited for first booking and first insight."""
    booking, insight = (_WAITS.replace("{moment}", f"first_{name}_at") for name in ("booking", "insight"))
    [(to_booking, to_insight)] = _ask(f"select ({booking}), ({insight})", question)
    return Waits(to_booking, to_insight)


def furthest_steps(question: Question) -> dict[Role, list[tuple[int, str, int]]]:
    """Return the steps of onboarding that are anybody's furthest: place, name, and how many of those who have
    not finished onboarding stand there; in the order of place and name."""
    found: dict[Role, list[tuple[int, str, int]]] = {"client": [], "trainer": []}
    for role, place, name, people in _ask(_STEPS, question):
        found[role].append((place, name, people))
    return found


def _ask(statement: str, question: Question, parameters: dict[str, Any] | None = None) -> list[Any]:
    filters = {"trainer_id": question.trainer, "segment": question.segment}
    words = "".join(f" and p.{column} = %({column})s" for column, word in filters.items() if word)
    period = {"starts_at": question.starts_at, "ends_at": question.ends_at}
    return statements.rows(statement.replace("{filters}", words), filters | period | (parameters or {}))
