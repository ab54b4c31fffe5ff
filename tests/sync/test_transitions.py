"""What becomes of a job, under every sequence of outcomes: it ends, within six tries, never by a guess."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync import backoff
from sync.ghl.errors import Code, Outcome, Verdict
from sync.ghl.lookup import Finding, Found
from sync.transitions import (
    Cause,
    Next,
    Standing,
    State,
    after_looking_up,
    after_losing,
    after_sending,
)

SETTLE = timedelta(seconds=60)
verdicts = st.builds(
    Verdict,
    st.sampled_from(Outcome),
    st.just(Code.TIMEOUT),
    wait_s=st.none() | st.floats(0, 100_000),
    look_up_first=st.booleans(),
)
findings = st.builds(Finding, st.sampled_from(Found), target_gone=st.booleans())
ends = st.lists(st.one_of(verdicts, findings, st.just("lost")), max_size=60)


def standing(
    tries: int = 0, lookups: int = 0, *, repeatable: bool = True, is_lookup: bool = False
) -> Standing:
    return Standing(tries, lookups, repeatable, SETTLE, is_lookup)


def sent(outcome: Outcome, *, tries: int = 0, repeatable: bool = True, **verdict: object) -> Next:
    return after_sending(standing(tries, repeatable=repeatable), Verdict(outcome, Code.TIMEOUT, **verdict))  # type: ignore[arg-type]


def test_retries_come_after_a_minute_five_fifteen_an_hour_and_six() -> None:
    waits = [sent(Outcome.TRANSIENT, tries=tries).wait for tries in range(5)]
    assert [wait.total_seconds() / 60 for wait in waits] == [1, 5, 15, 60, 360]


def test_the_sixth_failure_is_the_last() -> None:
    last = sent(Outcome.TRANSIENT, tries=5)
    assert (last.state, last.cause, last.tries) == (State.DEAD, Cause.EXHAUSTED, 6)


def test_what_the_answer_asks_for_is_obeyed_where_it_is_longer() -> None:
    assert sent(Outcome.TRANSIENT, wait_s=600).wait == timedelta(minutes=10)
    assert sent(Outcome.TRANSIENT, wait_s=5).wait == timedelta(minutes=1)


def test_being_held_back_costs_no_try() -> None:
    deferred = sent(Outcome.DEFERRED, tries=3, wait_s=7)
    assert (deferred.state, deferred.tries, deferred.wait) == (State.WAITING, 3, timedelta(seconds=7))


def test_a_wrong_configuration_pauses_the_location_and_blames_no_job() -> None:
    held = sent(Outcome.CONFIGURATION, tries=5)
    assert (held.state, held.tries, held.pauses) == (State.WAITING, 5, True)


@pytest.mark.parametrize("tries", [0, 5])
def test_what_may_have_been_done_is_looked_up_also_after_the_last_try(tries: int) -> None:
    unsure = sent(Outcome.AMBIGUOUS, tries=tries, repeatable=False)
    assert (unsure.state, unsure.look_up, unsure.wait) == (State.WAITING, True, SETTLE)


def test_a_refusal_ends_a_job_unless_it_may_have_been_done_all_the_same() -> None:
    refused = sent(Outcome.PERMANENT)
    assert (refused.state, refused.cause) == (State.DEAD, Cause.REFUSED)
    assert sent(Outcome.PERMANENT, look_up_first=True).look_up


@pytest.mark.parametrize(
    ("finding", "state", "cause"),
    [
        (Finding(Found.FOUND), State.SUCCEEDED, None),
        (Finding(Found.NOT_FOUND), State.WAITING, None),
        (Finding(Found.NOT_FOUND, target_gone=True), State.DEAD, Cause.REFUSED),
        (Finding(Found.CANNOT_TELL), State.DEAD, Cause.CHECK_BY_HAND),
    ],
)
def test_a_lookup_decides(finding: Finding, state: State, cause: Cause | None) -> None:
    after = after_looking_up(standing(1, is_lookup=True), finding)
    assert (after.state, after.cause, after.look_up) == (state, cause, False)


def test_a_job_not_found_after_its_last_try_is_dead() -> None:
    assert after_looking_up(standing(6, is_lookup=True), Finding(Found.NOT_FOUND)).cause is Cause.EXHAUSTED


def test_a_lost_worker_is_a_failed_try_where_repeating_is_harmless_and_a_lookup_where_not() -> None:
    assert not after_losing(standing(repeatable=True)).look_up
    assert after_losing(standing(repeatable=False)).look_up


@given(ends, st.booleans())
def test_no_job_is_sent_more_than_six_times_or_repeated_by_a_guess(
    results: list[Verdict | Finding | str], repeatable: bool
) -> None:
    job, sends, may_have_been_done = Next(State.WAITING, 0, 0), 0, False
    for result in results:
        if job.state is not State.WAITING:
            break
        now = Standing(job.tries, job.lookups, repeatable, SETTLE, job.look_up)
        if not job.look_up:
            assert repeatable or not may_have_been_done, "sent again without looking"
        if result == "lost":
            sends += not job.look_up
            may_have_been_done |= not job.look_up
            job = after_losing(now)
        elif job.look_up:
            if isinstance(result, Finding) and result.found is Found.NOT_FOUND:
                may_have_been_done = False
            job = after_looking_up(now, result)  # type: ignore[arg-type]
        elif isinstance(result, Verdict):
            is_unsure = result.outcome is Outcome.AMBIGUOUS or (
                result.outcome is Outcome.PERMANENT and result.look_up_first
            )
            may_have_been_done |= is_unsure
            sends += result.outcome not in {Outcome.DEFERRED, Outcome.CONFIGURATION}
            job = after_sending(now, result)
        assert job.tries == sends <= backoff.MOST_TRIES
        assert job.wait >= timedelta(0)
        assert (job.cause is not None) == (job.state is State.DEAD)


@given(st.lists(st.sampled_from([Outcome.TRANSIENT, Outcome.AMBIGUOUS, Outcome.PERMANENT]), min_size=40))
def test_every_job_ends_when_everything_fails(outcomes: list[Outcome]) -> None:
    job, steps = Next(State.WAITING, 0, 0), 0
    for outcome in outcomes:
        if job.state is not State.WAITING:
            break
        steps += 1
        now = Standing(job.tries, job.lookups, False, SETTLE, job.look_up)
        verdict = Verdict(outcome, Code.TIMEOUT)
        job = after_looking_up(now, verdict) if job.look_up else after_sending(now, verdict)
    assert job.state is State.DEAD
    assert steps <= backoff.MOST_TRIES + 6
