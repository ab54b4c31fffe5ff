"""What show-rates are held against: each trainer's first four full weeks, or one configured period.

The rule: only what is over is a baseline. A trainer's first booking is the first one that was due.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from observability.dashboards import days
from observability.dashboards.counting import BY_A, BY_BOTH, WEEKS_OF_BOOKINGS
from observability.dashboards.question import Question, week_of
from observability.dashboards.tallies import NAME, Tally, total
from observability.rollups.touched import Subject

FULL_WEEKS = 4

# A step of the index for each trainer: PostgreSQL would read all of it to find what is different in it.
_TRAINERS = """
with recursive trainer (id) as (
    (select trainer_id from observability_booking order by trainer_id limit 1)
    union all
    select (select b.trainer_id from observability_booking b where b.trainer_id > t.id
            order by b.trainer_id limit 1)
    from trainer t where t.id is not null
)
"""
_TRAINER = "with trainer (id) as (values (%(trainer)s))"
_FIRST_STARTS = """
select t.id, first.starts_at
from trainer t
cross join lateral (
    select starts_at from observability_booking b
    where b.trainer_id = t.id and b.state <> 'canceled' and b.starts_at <= %(now)s
    order by starts_at limit 1
) first
"""
_SUMS = """
select w.trainer, coalesce(sum(c.numbers[1]::int), 0), coalesce(sum(c.numbers[2]::int), 0)
from unnest(%(trainers)s::text[], %(firsts)s::date[], %(lasts)s::date[]) as w (trainer, first, last)
left join observability_daycell c on c.subject = %(name)s and c.zone = %(zone)s and c.level = %(level)s
    and c.a = w.trainer and c.day between w.first and w.last and (%(segment)s = '' or c.b = %(segment)s)
group by 1
"""


@dataclass(frozen=True, slots=True)
class Baseline:
    """periods: first and last day, of each trainer whose baseline is over. by_trainer: due bookings and
    no-shows of the same. fixed: the configured period."""

    periods: Mapping[str, tuple[date, date]]
    by_trainer: Mapping[str, Tally]
    fixed: tuple[date, date] | None

    @property
    def total(self) -> Tally:
        return total(self.by_trainer.values())


def read(question: Question, *, now: datetime) -> Baseline:
    """Return the baseline of the trainers, and of the segment, that a question is about."""
    today = now.astimezone(ZoneInfo(question.zone)).date()
    fixed: tuple[date, date] | None = settings.SHOW_RATE_BASELINE
    periods = {
        trainer: fixed or first_weeks(start.astimezone(ZoneInfo(question.zone)).date())
        for trainer, start in _first_starts(question.trainer, now=now).items()
    }
    over = {trainer: period for trainer, period in periods.items() if period[1] < today}
    return Baseline(over, _sums(question, over, now=now), fixed)


def first_weeks(day: date) -> tuple[date, date]:
    """Return first and last day of the full weeks that begin with the first Monday on or after a day."""
    monday = week_of(day + timedelta(days=6))
    return monday, monday + timedelta(days=7 * FULL_WEEKS - 1)


def _first_starts(trainer: str, *, now: datetime) -> dict[str, datetime]:
    """Return the start of the first due booking of one trainer, or of each."""
    with connection.cursor() as cursor:
        cursor.execute((_TRAINER if trainer else _TRAINERS) + _FIRST_STARTS, {"trainer": trainer, "now": now})
        return dict(cursor.fetchall())


def _sums(question: Question, periods: Mapping[str, tuple[date, date]], *, now: datetime) -> dict[str, Tally]:
    if not periods:
        return {}
    firsts = [first for first, _ in periods.values()]
    lasts = [last for _, last in periods.values()]
    days.ensure(Subject.BOOKINGS, question.zone, min(firsts), max(lasts), now=now)
    with connection.cursor() as cursor:
        cursor.execute(
            _SUMS,
            {
                "trainers": list(periods),
                "firsts": firsts,
                "lasts": lasts,
                # A configured period need not be of whole weeks.
                "name": NAME if settings.SHOW_RATE_BASELINE else WEEKS_OF_BOOKINGS,
                "zone": question.zone,
                "level": BY_BOTH if question.segment else BY_A,
                "segment": question.segment,
            },
        )
        return {trainer: Tally(due, no_shows) for trainer, due, no_shows in cursor.fetchall()}
