"""The breaker: opens on an outage, asks instead of risking jobs, lets them by in steps, never stays stuck."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sync import breaker
from sync.breaker import CLOSED, OPEN, RAMPING, Seen, Standing
from sync.ghl.errors import Code, Outcome, Verdict

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def opened(now: datetime = NOW) -> Standing:
    return breaker.after(Standing(), Seen(failed=5), now=now)


def ramped(step: int) -> Standing:
    standing = breaker.asked(opened(), answers=True, now=NOW)
    while standing.step < step:
        standing = breaker.after(standing, Seen(answered=standing.step), now=NOW)
    return standing


def test_five_failures_in_a_row_open_it_and_four_do_not() -> None:
    standing = Standing()
    for number in range(4):
        standing = breaker.after(standing, Seen(failed=1), now=NOW + number * SECOND)
        assert standing.state == CLOSED
    assert breaker.after(standing, Seen(failed=1), now=NOW + 4 * SECOND).state == OPEN


def test_an_answer_in_between_starts_the_count_anew() -> None:
    standing = breaker.after(Standing(), Seen(failed=4), now=NOW)
    standing = breaker.after(standing, Seen(answered=1), now=NOW)
    assert breaker.after(standing, Seen(failed=4), now=NOW).state == CLOSED


def test_failures_far_apart_are_no_outage() -> None:
    # One job that GoHighLevel chokes on fails at 0, 1, 6, 21 and 81 minutes.
    standing = Standing()
    for minutes in (0, 2, 7, 22, 82, 442):
        standing = breaker.after(standing, Seen(failed=1), now=NOW + timedelta(minutes=minutes))
    assert standing.state == CLOSED


def test_while_open_no_result_of_a_straggler_changes_anything() -> None:
    assert breaker.after(opened(), Seen(answered=7), now=NOW) == opened()
    assert breaker.after(opened(), Seen(failed=7), now=NOW) == opened()


def test_questions_come_at_growing_pauses_of_five_minutes_at_most() -> None:
    standing, now, pauses = opened(), NOW, []
    for _ in range(7):
        assert standing.probe_at is not None
        pauses.append((standing.probe_at - now).total_seconds())
        now = standing.probe_at
        standing = breaker.asked(standing, answers=False, now=now)
    assert pauses == [15, 30, 60, 120, 240, 300, 300]


def test_an_answer_lets_one_by_then_ten_then_a_hundred_then_all() -> None:
    standing, steps = breaker.asked(opened(), answers=True, now=NOW), []
    while standing.state == RAMPING:
        steps.append(standing.allowance)
        standing = breaker.after(standing, Seen(answered=standing.step), now=NOW)
    assert (steps, standing) == ([1, 10, 100], Standing())


def test_a_failure_on_the_ramp_holds_the_rest_again_for_longer() -> None:
    again = breaker.after(ramped(10), Seen(answered=9, failed=1), now=NOW)
    assert (again.state, again.pause_s, again.opened_at) == (OPEN, 30, NOW)


def test_a_step_that_finds_too_few_jobs_goes_on_by_the_next_answer() -> None:
    standing = breaker.after(ramped(10), Seen(answered=3), now=NOW)
    assert standing.state == RAMPING
    assert breaker.asked(standing, answers=True, now=NOW).step == 100


def test_only_what_says_that_gohighlevel_is_down_counts_as_a_failure() -> None:
    assert breaker.seen(Verdict(Outcome.TRANSIENT, Code.STATUS_503)) == Seen(failed=1)
    assert breaker.seen(Verdict(Outcome.AMBIGUOUS, Code.TIMEOUT)) == Seen(failed=1)
    assert breaker.seen(Verdict(Outcome.TRANSIENT, Code.CLIENT_ERROR)) == Seen()
    assert breaker.seen(Verdict(Outcome.TRANSIENT, Code.POOL_TIMEOUT)) == Seen()
    for outcome, code in (
        (Outcome.OK, Code.OK),
        (Outcome.PERMANENT, Code.STATUS_422),
        (Outcome.DEFERRED, Code.RATE_LIMITED),
        (Outcome.CONFIGURATION, Code.UNAUTHORIZED),
    ):
        assert breaker.seen(Verdict(outcome, code)) == Seen(answered=1)


@given(
    st.lists(
        st.one_of(
            st.builds(Seen, answered=st.integers(0, 120), failed=st.integers(0, 120)),
            st.sampled_from([True, False]),
        ),
        max_size=40,
    )
)
def test_from_wherever_it_stands_an_answering_gohighlevel_closes_it(happened: list[Seen | bool]) -> None:
    standing = Standing()
    for what in happened:
        if isinstance(what, Seen):
            standing = breaker.after(standing, what, now=NOW)
        else:
            standing = breaker.asked(standing, answers=what, now=NOW)
        assert standing.state == CLOSED or standing.probe_at is not None
        assert standing.allowance <= breaker.LAST_STEP
    for _ in range(4):
        standing = breaker.asked(standing, answers=True, now=NOW)
    assert standing.state == CLOSED
