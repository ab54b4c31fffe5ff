"""Moments at which counting goes wrong: midnights of many zones, changes of clocks, a hair beside them.

The rule: every moment comes from the dice that are handed in, and lies before `NOW`.
"""

from datetime import UTC, date, datetime, timedelta
from random import Random

from tests.observability.dashboards.past import first_moment

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
FIRST = date(2026, 8, 1)
DAYS = (NOW.date() - FIRST).days
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    # Half an hour, not a whole one, when clocks change.
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
    "Pacific/Chatham",
    # Clocks change at midnight: a day begins at one o'clock, or has its first hour twice.
    "America/Santiago",
    "America/Havana",
    "Africa/Cairo",
    # Today has not begun in the first, and is over in the second, when it is noon in UTC.
    "Pacific/Pago_Pago",
    "Pacific/Kiritimati",
)
# When clocks change in the time of the histories.
CHANGES = {
    "Europe/Berlin": datetime(2026, 10, 25, 1, tzinfo=UTC),
    "America/New_York": datetime(2026, 11, 1, 6, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    "Pacific/Chatham": datetime(2026, 9, 26, 14, tzinfo=UTC),
    "America/Santiago": datetime(2026, 9, 6, 4, tzinfo=UTC),
    "America/Havana": datetime(2026, 11, 1, 5, tzinfo=UTC),
    "Africa/Cairo": datetime(2026, 10, 29, 21, tzinfo=UTC),
}
_HAIR = (
    *[timedelta(0)] * 6,
    timedelta(microseconds=1),
    -timedelta(microseconds=1),
    timedelta(seconds=1),
    -timedelta(seconds=1),
    timedelta(minutes=15),
    -timedelta(minutes=15),
)


class Dice(Random):
    """Dice by name. home: the zone whose midnights they prefer."""

    def __init__(self, name: str, home: str = "UTC") -> None:
        super().__init__(f"{name}:{home}")
        self.home = home


def hair(rng: Random) -> timedelta:
    """Return nothing, or a little to either side."""
    return rng.choice(_HAIR)


def moment(rng: Dice, *, days: int = DAYS) -> datetime:
    """Return a moment of the last `days` days, most likely one at an edge."""
    draw = rng.random()
    on = NOW.date() - timedelta(days=rng.randrange(days))
    if draw < 0.35:
        at = first_moment(on, rng.home) + hair(rng)
    elif draw < 0.5:
        at = first_moment(on, rng.choice(ZONES)) + hair(rng)
    elif draw < 0.6:
        at = rng.choice(list(CHANGES.values())) + timedelta(minutes=15 * rng.randrange(-8, 9)) + hair(rng)
    elif draw < 0.75:
        at = first_moment(on, "UTC") + timedelta(minutes=15 * rng.randrange(96)) + hair(rng)
    else:
        at = first_moment(on, "UTC") + timedelta(microseconds=rng.randrange(86_400_000_000))
    return past(at)


def past(at: datetime) -> datetime:
    """Return the moment, or one just before now where it is none before now."""
    return min(at, NOW - timedelta(seconds=1))


def later(rng: Random, at: datetime, *, hours: float) -> datetime:
    """Return a moment at most so many hours later; sometimes the very same, sometimes a round time later."""
    draw = rng.random()
    if draw < 0.15:
        return at
    if draw < 0.4:
        return past(at + timedelta(hours=rng.randrange(1 + int(hours))) + abs(hair(rng)))
    return past(at + timedelta(seconds=rng.uniform(0, hours * 3600)))
