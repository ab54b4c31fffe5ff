"""Months of made-up traffic for each rule, clean until an incident is planted: no database, no clock.

The rule: what is plausible and harmless is in every month: nights, deploys, blips, a backup. A scenario says
within how many minutes of its incident's begin a rule fires, and how many false alarms it may raise.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import cos, exp, pi
from random import Random

from observability.alerts.measures.show_rate import drop
from observability.alerts.replay import Row
from observability.dashboards.tallies import Tally

START = datetime(2026, 10, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = 1_440
MONTH = 30 * DAY
# In the morning of the 28th day, so that there is time to get well again.
BEGINS = 27 * DAY + 9 * 60


def at(number: int) -> datetime:
    return START + number * MINUTE


def daily(number: int) -> float:
    """Traffic of a minute as a share of the mean: little at four, much at sixteen o'clock UTC."""
    return 1 - 0.8 * cos(2 * pi * (number % DAY - 240) / DAY)


def poisson(random: Random, mean: float) -> int:
    if mean > 30:
        return max(0, round(random.gauss(mean, mean**0.5)))
    limit, product, count = exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        count += 1
    return count


@dataclass(frozen=True)
class Scenario:
    """rows: given a source of chance. within: minutes from the incident's begin to the alarm.

    lasts: minutes of the incident. well_within: minutes from its end to the recovery. alarms: at most so many
    false ones in the month.
    """

    rows: Callable[[Random], Iterator[Row]]
    within: int
    lasts: int = 60
    well_within: int = 240
    alarms: int = 0
    name: str = ""


def rate(
    per_hour: float, usual: float, broken: float, *, lasts: int, blip: float
) -> Callable[[Random], Iterator[Row]]:
    """Cases of which a share is bad. blip: that share for two minutes of each night and every third day."""

    def rows(random: Random) -> Iterator[Row]:
        for number in range(MONTH):
            total = poisson(random, per_hour / 60 * daily(number))
            share = usual
            if number % DAY in (180, 181) or number % (3 * DAY) in (900, 901):
                share = blip
            if BEGINS <= number < BEGINS + lasts:
                share = broken
            bad = min(total, poisson(random, total * share)) if total else 0
            yield Row("", at(number), None, float(bad), float(total))

    return rows


def count(usual_a_day: float, planted: dict[int, int], group: str = "") -> Callable[[Random], Iterator[Row]]:
    """Bad cases, some a day by chance. planted: how many in which minute of the incident."""

    def rows(random: Random) -> Iterator[Row]:
        for number in range(MONTH):
            usual = usual_a_day / DAY
            bad = 1 + poisson(random, usual) if usual and random.random() < usual else 0
            bad += 0 if group else planted.get(number - BEGINS, 0)
            yield Row("", at(number), None, float(bad), 0.0)
        if group:
            for minute, bad in planted.items():
                yield Row(group, at(BEGINS + minute), None, float(bad), 0.0)

    return rows


def level(
    usual: Callable[[Random, int], float | None],
    broken: Callable[[int], float],
    *,
    lasts: int = 60,
    every: int = 1,
) -> Callable[[Random], Iterator[Row]]:
    """How it stands. usual: in a minute of the month. broken: in a minute of the incident."""

    def rows(random: Random) -> Iterator[Row]:
        for number in range(0, MONTH, every):
            into = number - BEGINS
            value = broken(into) if 0 <= into < lasts else usual(random, number)
            yield Row("", at(number), value, None, None)

    return rows


def named(blips: int, minutes: int, *, lasts: int = 60) -> Callable[[Random], Iterator[Row]]:
    """A group that is named in the incident, and for so many minutes now and then."""

    def rows(random: Random) -> Iterator[Row]:
        for number in range(MONTH):
            yield Row("", at(number), 0.0, None, None)
        begins = [random.randrange(day * DAY, day * DAY + 600) for day in range(0, 26, max(1, 26 // blips))]
        bad = {begin + minute for begin in begins for minute in range(minutes)}
        for number in sorted(bad | set(range(BEGINS, BEGINS + lasts))):
            yield Row("one", at(number), 1.0, None, None)

    return rows


def deploys(random: Random, number: int) -> float:
    """Seconds of lag: hardly any, ten minutes after a deploy that went slowly."""
    since = number % (2 * DAY) - 840
    return float(since * 60) if 0 < since <= 10 else 30 * random.random()


def dying(random: Random, number: int) -> float:
    """Jobs on their last try: a few after a bad hour."""
    return float(min(8, poisson(random, 2))) if number % (5 * DAY) < 240 else 0.0


def oldest(_random: Random, number: int) -> float:
    """Seconds: somebody looks every morning."""
    return float((number % DAY) * 58)


def weeks(random: Random) -> Iterator[Row]:
    """Show-rates of weeks with 120 bookings, of which 70 % come, and 45 % in the last one; said each hour."""
    rates = [0.7, 0.7, 0.7, 0.7, 0.7, 0.45, 0.45]
    shown = [sum(random.random() < rate for _ in range(120)) for rate in rates]
    said = [drop(Tally(120, 120 - before), Tally(120, 120 - after)) for before, after in pairwise(shown)]
    for number in range(0, MONTH, 60):
        # The fifth drop begins in the morning of the planted day.
        week = 4 - (BEGINS - number + 7 * DAY - 1) // (7 * DAY) if number < BEGINS else 4
        yield Row("", at(number), said[week], None, 120.0)


TRAFFIC = (20, 200, 2_000)
SCENARIOS: dict[str, tuple[Scenario, ...]] = {
    "sync_failure_rate": tuple(
        Scenario(
            rate(volume, 0.002, broken, lasts=lasts, blip=0.01),
            within,
            lasts,
            well_within=600,
            alarms=alarms,
            name=f"{volume}/h, {broken:.0%} fail",
        )
        for volume, broken, lasts, within, alarms in (
            (20, 0.25, 240, 90, 1),
            (200, 0.05, 240, 60, 1),
            (2_000, 0.05, 120, 30, 1),
        )
    ),
    "error_rate": tuple(
        Scenario(
            rate(volume, 0.005, 0.2, lasts=120, blip=0.04),
            within,
            120,
            well_within=240,
            alarms=1,
            name=f"{volume}/h, 20 % are errors",
        )
        for volume, within in ((200, 30), (2_000, 8), (20_000, 6))
    ),
    "query_time": tuple(
        Scenario(
            rate(volume, 0.005, 0.2, lasts=120, blip=0.08),
            within,
            120,
            well_within=240,
            name=f"{volume}/h, 20 % are slow",
        )
        for volume, within in ((600, 20), (6_000, 12))
    ),
    "draft_failure_rate": tuple(
        Scenario(
            rate(volume, 0.01, 0.2, lasts=300, blip=0.05),
            within,
            300,
            well_within=900,
            alarms=1,
            name=f"{volume}/h, 20 % fail",
        )
        for volume, within in ((20, 180), (200, 45))
    ),
    "sev1_fault": (Scenario(count(0, {0: 1}, "event_lost"), 0, 1),),
    "database_down": (Scenario(count(0, {0: 45}), 0, 1),),
    "audit_broken": (Scenario(level(lambda _r, _n: 0.0, lambda _i: 2.0, lasts=DAY), 0, DAY),),
    "breaker_open": (Scenario(named(20, 6, lasts=40), 10, 40),),
    "workers_silent": (Scenario(named(26, 1), 2),),
    "forwarder_lag": (Scenario(level(deploys, lambda into: into * 60.0, lasts=90), 21, 90),),
    "webhook_silence": (Scenario(named(8, 4), 5),),
    "dead_letters_growing": (Scenario(count(6, dict.fromkeys(range(40), 3)), 8, 40),),
    "new_cause": (Scenario(count(0, {0: 1}, "77"), 0, 1),),
    "dying_soon": (Scenario(level(dying, lambda _i: 40.0), 5),),
    "deadlocks": (Scenario(count(2, dict.fromkeys(range(10), 2)), 2, 10),),
    "dead_letter_age": (
        Scenario(level(oldest, lambda into: 86_400.0 + 60 * into - 300, every=5, lasts=180), 10, 180),
    ),
    "show_rate_drop": (Scenario(weeks, 60, MONTH, name="120 bookings a week"),),
    "log_drops": (Scenario(count(0, dict.fromkeys(range(5), 4)), 0, 5),),
    "retention_overdue": (Scenario(level(lambda _r, _n: 0.0, lambda _i: 1.0, every=10, lasts=300), 70, 300),),
}
