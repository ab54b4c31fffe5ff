"""What the alerts' measures would have said in the demo's last month, minute by minute, with some bad spells.

The rule: a day follows from the seed and its date; spells are planted with the first run, for incidents of
the past to show. Minutes that are there already stay as they are. A failed draft is counted as an error too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from django.db import connection

from observability.models import MeasureMinute
from trainu.demo.rhythm import HOURS, dice
from trainu.faults import LLMCode, LLMFault, Provider

DAYS = 30
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
# Work of an average hour of the day is 1.
_WORK = [hour * 24 / sum(HOURS) for hour in HOURS]


@dataclass(frozen=True, slots=True)
class Usual:
    """A measure on a good day. cases: of a minute, none for a level or count. share: of bad ones, or that."""

    measure: str
    cases: float
    share: float
    is_count: bool = False


@dataclass(frozen=True, slots=True)
class Spell:
    """A measure in trouble, from a time on for some minutes. share: as it was then."""

    measure: str
    since: datetime
    minutes: int
    share: float

    def covers(self, minute: datetime) -> bool:
        return self.since <= minute < self.since + self.minutes * MINUTE


USUAL = (
    Usual("sync_failure_rate", 9, 0.001),
    Usual("error_rate", 40, 0.002),
    Usual("query_time", 220, 0.004),
    Usual("draft_failure_rate", 2, 0.008),
    Usual("forwarder_lag", 0, 1.5),
    Usual("database_down", 0, 0, is_count=True),
)
# As a language model's faults are counted.
_DRAFTS, _FAULT = "draft_failure_rate", LLMFault(Provider.ANTHROPIC, LLMCode.OVERLOADED)
_INSERT = f"""
with made as (
    insert into observability_measureminute (measure, "group", minute, value, bad, total)
    select measure, '', minute, value, bad, total
    from unnest(%s::text[], %s::timestamptz[], %s::float8[], %s::float8[], %s::float8[])
         as said(measure, minute, value, bad, total)
    on conflict do nothing returning measure, minute, bad
), failed as (
    insert into observability_errorminute (minute, severity, category, code, errors)
    select minute, '{_FAULT.severity}', '{_FAULT.category}', '{_FAULT.code}', bad
    from made where measure = '{_DRAFTS}' and bad > 0
    on conflict do nothing
)
select count(*) from made
"""
Row = tuple[str, datetime, float | None, float | None, float | None]


def make(*, now: datetime, seed: int, spells: Sequence[Spell], days: int = DAYS) -> int:
    """Write the minutes of the last days that are missing; return how many there are of them."""
    until = now.replace(second=0, microsecond=0)
    today = until.astimezone(UTC).date()
    wanted = [today - back * DAY for back in range(days, -1, -1)]
    first = {datetime.combine(on, time(), UTC): on for on in wanted}
    known = MeasureMinute.objects.filter(measure=USUAL[0].measure, group="", minute__in=list(first))
    present = {first[minute] for minute in known.values_list("minute", flat=True)}
    made = 0
    for on in wanted:
        # Yesterday may have been written before it was over.
        if on not in present or on >= today - DAY:
            rows = [row for row in day(on, seed=seed, spells=spells) if row[1] < until]
            with connection.cursor() as cursor:
                cursor.execute(_INSERT, [list(column) for column in zip(*rows, strict=True)] or [[]] * 5)
                made += cursor.fetchone()[0]
    return made


def day(on: date, *, seed: int, spells: Sequence[Spell] = ()) -> Iterator[Row]:
    """Yield what every measure says of each minute of a day."""
    start = datetime.combine(on, time(), UTC)
    for usual in USUAL:
        rng = dice(seed, on, f"measured {usual.measure}")
        of_it = [spell for spell in spells if spell.measure == usual.measure]
        for number in range(1_440):
            minute = start + number * MINUTE
            spell = next((one for one in of_it if one.covers(minute)), None)
            share = spell.share if spell else usual.share
            if not usual.cases:
                level = round(share * rng.uniform(0.7, 1.3), 0 if usual.is_count else 2)
                yield usual.measure, minute, *((None, level, None) if usual.is_count else (level, None, None))
                continue
            # Trouble of the small hours must be seen too.
            work = max(1.0, _WORK[minute.hour]) if spell else _WORK[minute.hour]
            total = _around(rng, usual.cases * work)
            yield usual.measure, minute, None, min(total, _around(rng, total * share)), total


def _around(rng: Random, mean: float) -> float:
    """Return a whole number, as spread around its mean as counts of independent cases are."""
    if mean < 1:
        return float(rng.random() < mean)
    return float(max(0, round(rng.gauss(mean, mean**0.5))))
