"""A month of each rule: it fires on what was planted, within its promise, and otherwise keeps quiet.

The promises stand in `months.SCENARIOS`; what was found is printed: pytest -s.
"""

from collections import Counter
from datetime import datetime, timedelta
from random import Random

import pytest

from observability.alerts import incidents, measures, replay, rules
from observability.alerts.evaluation import Terms
from observability.alerts.measures.show_rate import drop
from observability.alerts.replay import Firing, Row
from observability.alerts.rules import SEEDS, Seed
from observability.dashboards.tallies import Tally
from observability.models import AlertRule, Incident, Notification
from tests.observability.alerts import months
from tests.observability.alerts.months import BEGINS, MONTH, Scenario, at


def terms(seed: Seed) -> Terms:
    return Terms(
        seed.threshold,
        seed.recovery,
        seed.for_minutes,
        seed.recovery_minutes,
        seed.min_sample,
        seed.min_bad,
        needs_confidence=seed.needs_confidence,
    )


def firings(seed: Seed, rows: list[Row], until: datetime | None = None) -> list[Firing]:
    measure = measures.find(seed.code)
    assert measure
    found = replay.firings(
        terms(seed),
        seed.window_minutes,
        measure.kind,
        rows,
        since=at(0),
        until=until or at(MONTH - 1),
        every_minutes=measure.every_minutes,
    )
    return sorted(found, key=lambda one: one.began_at)


def test_every_rule_has_a_measure_and_a_month() -> None:
    codes = [seed.code for seed in SEEDS]
    assert sorted(codes) == sorted(months.SCENARIOS)
    assert sorted(codes) == [measure.code for measure in measures.registered()]


@pytest.mark.parametrize(
    ("seed", "scenario"),
    [
        pytest.param(seed, scenario, id=f"{seed.code} {scenario.name}".strip())
        for seed in SEEDS
        for scenario in months.SCENARIOS[seed.code]
    ],
)
def test_it_fires_in_time_and_is_quiet_otherwise(seed: Seed, scenario: Scenario) -> None:
    found = firings(seed, list(scenario.rows(Random(7))))
    begins, ends = at(BEGINS), at(BEGINS + scenario.lasts)
    false = [one for one in found if one.began_at < begins or one.began_at > ends]
    [true, *_] = [one for one in found if begins <= one.began_at <= ends] or [None]
    assert true, f"It never fired; besides: {false}"
    delay = (true.began_at - begins) / timedelta(minutes=1)
    well = (true.ended_at - ends) / timedelta(minutes=1) if true.ended_at else None
    print(  # noqa: T201
        f"\n{seed.code:21} {scenario.name:24} false alarms {len(false)}, after {delay:.0f} min"
        f" (promised {scenario.within}), well {'-' if well is None else f'{well:.0f} min'} later"
    )
    assert delay <= scenario.within
    assert len(false) <= scenario.alarms, false
    if scenario.lasts < MONTH:
        assert well is not None
        assert well <= scenario.well_within


def test_chance_alone_makes_a_show_rate_drop_rarely() -> None:
    """Of a thousand months without any change, few raise a false alarm, and a real drop is found."""
    random = Random(3)

    def week(bookings: int, rate: float) -> Tally:
        return Tally(bookings, sum(random.random() >= rate for _ in range(bookings)))

    for bookings, most, least in ((30, 0.06, 0.15), (120, 0.06, 0.6)):
        pairs = 1_500
        false = (
            sum((drop(week(bookings, 0.7), week(bookings, 0.7)) or 0) > 0.10 for _ in range(pairs)) / pairs
        )
        true = (
            sum((drop(week(bookings, 0.7), week(bookings, 0.56)) or 0) > 0.10 for _ in range(pairs)) / pairs
        )
        alarms = f"{false * 30 / 7:.2f} false alarms in 30 days"
        print(f"\n{bookings} bookings: {alarms}, of drops by a fifth {true:.0%} are found")  # noqa: T201
        assert false < most
        assert true > least


@pytest.mark.parametrize("code", ["error_rate", "breaker_open", "deadlocks", "forwarder_lag"])
def test_what_swings_all_day_is_told_a_few_times(code: str) -> None:
    [seed] = [one for one in SEEDS if one.code == code]
    measure = measures.find(code)
    assert measure
    # Each time just long enough to fire, and to recover if it were the only time.
    bad_minutes = seed.for_minutes + 3
    period = bad_minutes + seed.window_minutes + seed.recovery_minutes + 1
    rows = []
    for number in range(months.DAY):
        is_bad = number % period < bad_minutes
        value = seed.threshold + 1 if is_bad else 0.0
        bad = 50.0 if is_bad else 0.0
        rows.append(Row("", at(number), value if measure.kind == "level" else None, bad, 100.0))
    found = firings(seed, rows, at(months.DAY))
    swings = months.DAY // period
    print(f"\n{code}: {swings} swings, {len(found)} firings")  # noqa: T201
    assert swings >= 25
    assert len(found) <= 3


@pytest.mark.django_db
def test_a_day_of_swings_is_one_incident_and_few_notifications() -> None:
    rules.seed()
    rule = AlertRule.objects.get(pk="error_rate")
    [seed] = [one for one in SEEDS if one.code == "error_rate"]
    rows = [Row("", at(n), None, 50.0 if n % 24 < 3 else 0.0, 100.0) for n in range(months.DAY)]
    changes = {}
    for one in firings(seed, rows, at(months.DAY)):
        changes[one.began_at] = "fires"
        if one.ended_at:
            changes[one.ended_at] = "recovers"
    for now in (at(n) for n in range(months.DAY)):
        if changes.get(now) == "fires":
            incidents.fire(rule, "", title="Much goes wrong", words="20 %", value=0.2, now=now)
        elif changes.get(now) == "recovers":
            incidents.recover(rule, "", words="0 %", now=now)
        elif now.minute == 0:
            incidents.tend(now=now)
    acts = Counter(Notification.objects.values_list("act", flat=True))
    print(f"\n60 swings: {Incident.objects.count()} incident, {dict(acts)}")  # noqa: T201
    assert Incident.objects.count() == 1
    # Three starts before it is seen to flap, then only that nobody has acknowledged it, every four hours.
    assert acts == {"trigger": 3, "resolve": 2, "repeat": 5}
