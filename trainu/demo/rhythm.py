"""When things happen in the demo: hours of a day, days of a week, slow growth, and the odd bad day.

The rule: nothing reads the clock. Every draw comes from dice that are named by seed, day and room.
"""

from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate
from random import Random

from observability.catalog import Event

# What a room tells: when, whom it is about, what.
Happening = tuple[datetime, str, Event]

# Monday first. Coaching is booked and done on working days, and from phones on Sunday evening.
WEEKDAYS = (1.15, 1.1, 1.05, 1.05, 0.95, 0.75, 0.8)
# Work from midnight to 23 o'clock UTC: before work, at noon, after work. Nothing begins in the last
# hour, so that a sequence of minutes stays within its day.
HOURS = (1, 1, 1, 1, 2, 5, 11, 17, 18, 15, 13, 14, 17, 14, 12, 13, 16, 21, 22, 18, 12, 7, 3, 0)
# Growth is counted from here, and stands still after some years: a day must not cost ever more.
ANCHOR = date(2026, 9, 1)
GROWTH_A_DAY = 1.0006
BAD_DAY_EVERY = 30

# No vowels, so no words; no digits, so that nothing in an id looks like a number that one can dial.
_LETTERS = str.maketrans("0123456789abcdef", "bcdfghjkmnpqrstw")
_HOURS_SO_FAR = tuple(accumulate(HOURS))


def dice(seed: int, on: date, room: str) -> Random:
    """Return the dice of one room on one day."""
    return Random(f"{seed}:{on.isoformat()}:{room}")


def new_id(rng: Random, prefix: str) -> str:
    """Return an id, such as c-kqtrmspwhdbg."""
    return f"{prefix}-{f'{rng.getrandbits(48):012x}'.translate(_LETTERS)}"


def growth(on: date) -> float:
    """Return how much larger the house is than on the anchor day."""
    days = max(-1000, min(900, (on - ANCHOR).days))
    return float(GROWTH_A_DAY**days)


def how_many(rng: Random, mean: float) -> int:
    """Return a count around the mean, as spread as the counts of independent visitors are."""
    return max(0, round(rng.gauss(mean, mean**0.5)))


def moment(rng: Random, on: date) -> datetime:
    """Return a time of the day, most likely one in busy hours."""
    hour = rng.choices(range(24), cum_weights=_HOURS_SO_FAR)[0]
    start = datetime.combine(on, time(hour), UTC)
    return start + timedelta(milliseconds=rng.randrange(3_600_000))


def later(at: datetime, rng: Random, least: float, most: float) -> datetime:
    """Return a time between `least` and `most` seconds after `at`."""
    return at + timedelta(milliseconds=int(rng.uniform(least, most) * 1000))


def lognormal_ms(rng: Random, median: float, spread: float) -> float:
    """Return a duration in milliseconds: most near the median, a few far above."""
    return round(median * rng.lognormvariate(0.0, spread), 1)


def rough_hours(seed: int, on: date) -> range:
    """Return the hours in which the outside world is in trouble: none, but on one day in thirty."""
    block, place = divmod(on.toordinal(), BAD_DAY_EVERY)
    rng = Random(f"{seed}:{block}:bad day")
    if rng.randrange(BAD_DAY_EVERY) != place:
        return range(0)
    start = rng.randrange(9, 15)
    return range(start, start + 4)


def days_before(on: date, days: int) -> list[date]:
    """Return the day and the days before it, `days` in all, oldest first."""
    first = on.toordinal() - days + 1
    return [date.fromordinal(ordinal) for ordinal in range(first, first + days)]
