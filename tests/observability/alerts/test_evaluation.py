"""When a rule fires and when it recovers: from one reading to the next, whatever comes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from observability.alerts.evaluation import Phase, Reading, State, Terms, step

START = datetime(2026, 11, 1, tzinfo=UTC)
RATE = Terms(threshold=0.05, recovery=0.03, for_minutes=3, recovery_minutes=5, min_sample=20, min_bad=3)


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


def rate(number: int, bad: int, total: int) -> Reading:
    return Reading(minute(number), bad / total if total else None, sample=total, bad=bad)


def changes(terms: Terms, readings: list[Reading], state: State | None = None) -> list[tuple[int, str]]:
    """Return at which readings something changed, and what."""
    found, state = [], state or State()
    for number, reading in enumerate(readings):
        state, change = step(terms, state, reading)
        if change:
            found.append((number, change))
    return found


def test_it_fires_when_it_was_bad_for_so_long_and_not_before() -> None:
    assert changes(RATE, [rate(n, 10, 100) for n in range(6)]) == [(3, "fires")]


def test_a_good_minute_in_between_begins_the_wait_anew() -> None:
    readings = [rate(n, 1 if n == 2 else 10, 100) for n in range(8)]
    assert changes(RATE, readings) == [(6, "fires")]


def test_too_few_cases_neither_fire_nor_recover() -> None:
    few = [rate(n, 10, 19) for n in range(60)]
    assert changes(RATE, few) == []
    firing = State(Phase.FIRING, since=START)
    assert changes(RATE, [rate(n, 0, 19) for n in range(60)], firing) == []
    assert changes(RATE, [rate(n, 0, 0) for n in range(60)], firing) == []


def test_too_few_bad_ones_do_not_fire_however_large_their_share() -> None:
    assert changes(RATE, [rate(n, 2, 20) for n in range(60)]) == []


def test_between_recovery_and_threshold_it_goes_on_firing() -> None:
    firing = State(Phase.FIRING, since=START)
    assert changes(RATE, [rate(n, 4, 100) for n in range(60)], firing) == []
    assert changes(RATE, [rate(n, 3, 100) for n in range(60)], firing) == [(5, "recovers")]


def test_a_bad_minute_begins_the_recovery_anew() -> None:
    firing = State(Phase.FIRING, since=START)
    readings = [rate(n, 6 if n == 4 else 0, 100) for n in range(20)]
    assert changes(RATE, readings, firing) == [(10, "recovers")]


def test_what_flaps_takes_four_times_as_long_to_recover() -> None:
    quick = Terms(threshold=0, recovery=0, recovery_minutes=5)
    readings = [Reading(minute(n), float(n % 10 < 2)) for n in range(120)]
    found = changes(quick, readings)
    # Twice it recovers after five minutes; the third start is flapping, and never has twenty quiet minutes.
    assert found == [(0, "fires"), (7, "recovers"), (10, "fires"), (17, "recovers"), (20, "fires")]


def test_below_a_threshold_can_be_bad_too() -> None:
    low = Terms(threshold=10, recovery=20, above=False)
    assert changes(low, [Reading(minute(0), 9.0)]) == [(0, "fires")]
    assert changes(low, [Reading(minute(n), 19.0) for n in range(9)], State(Phase.FIRING, START)) == []
    assert changes(low, [Reading(minute(n), 20.0) for n in range(9)], State(Phase.FIRING, START)) == [
        (5, "recovers")
    ]


readings = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: (min(pair), max(pair))), max_size=200
)


@given(readings)
def test_it_fires_and_recovers_in_turns(pairs: list[tuple[int, int]]) -> None:
    found = [change for _, change in changes(RATE, [rate(n, *pair) for n, pair in enumerate(pairs)])]
    assert found == ["fires", "recovers"] * (len(found) // 2) + ["fires"] * (len(found) % 2)


@given(readings)
def test_it_never_fires_without_a_reason(pairs: list[tuple[int, int]]) -> None:
    told = [rate(n, *pair) for n, pair in enumerate(pairs)]
    for number, change in changes(RATE, told):
        if change == "fires":
            before = told[number - RATE.for_minutes : number + 1]
            assert len(before) == RATE.for_minutes + 1
            assert all(one.sample >= 20 and one.bad >= 3 and one.value > 0.05 for one in before)  # type: ignore[operator]
        else:
            before = told[number - RATE.recovery_minutes : number + 1]
            assert all(one.sample >= 20 and one.value <= 0.03 for one in before)  # type: ignore[operator]


SURE = replace(RATE, needs_confidence=True)


def test_with_confidence_a_share_that_may_be_chance_does_not_fire() -> None:
    # 3 of 40 are 7.5 %, and 1.9 % at least; 30 of 400 are 7.5 % too, and 5.2 % at least.
    assert changes(RATE, [rate(n, 3, 40) for n in range(9)]) == [(3, "fires")]
    assert changes(SURE, [rate(n, 3, 40) for n in range(9)]) == []
    assert changes(SURE, [rate(n, 30, 400) for n in range(9)]) == [(3, "fires")]


def test_what_flaps_all_day_does_not_become_well_because_it_began_long_ago() -> None:
    quick = Terms(threshold=0, recovery=0, recovery_minutes=5)
    found = changes(quick, [Reading(minute(n), float(n % 10 < 2)) for n in range(1_440)])
    assert [change for _, change in found] == ["fires", "recovers"] * 2 + ["fires"]


mixed = st.lists(st.none() | st.tuples(st.integers(0, 30), st.integers(0, 60)), max_size=200)


@given(mixed)
def test_too_little_data_changes_nothing_and_begins_every_wait_anew(
    pairs: list[tuple[int, int] | None],
) -> None:
    state = State()
    for number, pair in enumerate(pairs):
        said = rate(number, min(pair), max(pair)) if pair else Reading(minute(number), None)
        before = state
        state, change = step(SURE, state, said)
        if said.value is None or (said.sample or 0) < SURE.min_sample:
            assert change == ""
            assert (state.phase is Phase.FIRING) == (before.phase is Phase.FIRING)
            assert state.well_since is None
            assert state.phase is not Phase.PENDING
        if change == "fires":
            assert before.phase is Phase.PENDING
