"""The queue: each job in one hand at a time, in its order, and never lost with whoever had it in hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from sync import attempt, budgets, jobs, lane, queue, superseding
from sync.ghl.transport import Timeouts
from sync.jobs import Refused
from sync.models import Breaker, Budget, Location, SyncJob
from sync.queue import Claimed, Settled
from sync.transitions import Cause, Next, State
from trainu import correlation

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def location(db: None) -> Location:
    return Location.objects.create(pk="loc-1", name="Studio", created_at=NOW, burst_limit=1_000)


def enqueue(contact: str = "c-1", **overrides: Any) -> Any:
    given = {"operation": "contact.add_tags", "payload": {"contact_id": contact, "tags": ["vip"]}, "now": NOW}
    return jobs.enqueue(location_id="loc-1", **(given | overrides))


def done(claimed: Claimed, state: State = State.SUCCEEDED, **following: Any) -> Settled:
    following = {"tries": claimed.tries + 1, "lookups": claimed.lookups} | following
    return Settled(claimed.id, claimed.fence, Next(state, **following), "ok", {})


def claim(most: int = 10, at: datetime = NOW) -> list[Claimed]:
    return queue.claim(now=at, most=most)


def test_a_job_commits_with_its_cause_and_carries_its_correlation_id() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        enqueue()
        1 / 0  # noqa: B018
    assert SyncJob.objects.count() == 0
    with correlation.bound("journey-1234"):
        job_id = enqueue().job_id
    assert SyncJob.objects.get(pk=job_id).correlation_id == "journey-1234"


def test_the_same_idempotency_key_is_the_same_job() -> None:
    first = enqueue(idempotency_key="k-1")
    again = enqueue(idempotency_key="k-1")
    assert (again.job_id, again.is_duplicate, first.is_duplicate) == (first.job_id, True, False)
    assert enqueue(idempotency_key="k-2").job_id != first.job_id
    assert SyncJob.objects.count() == 2


@pytest.mark.parametrize(
    ("wrong", "code", "words"),
    [
        ({"operation": "contact.upsrt"}, "unknown_operation", "contact.upsert"),
        ({"location_id": "loc-9"}, "unknown_location", "Add it"),
        ({"payload": {"contact_id": "c-1"}}, "invalid_payload", "tags"),
        ({"payload": {"contact_id": "c-1", "tags": ["vip"], "mail": "x"}}, "invalid_payload", "mail"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_do(wrong: dict[str, Any], code: str, words: str) -> None:
    given = {
        "operation": "contact.add_tags",
        "location_id": "loc-1",
        "payload": {"contact_id": "c-1", "tags": ["vip"]},
    }
    with pytest.raises(Refused) as refused:
        jobs.enqueue(**(given | wrong))
    assert refused.value.code == code
    assert words in str(refused.value)
    assert SyncJob.objects.count() == 0


def test_of_leases_that_run_out_together_the_older_job_is_taken_back_first() -> None:
    ids = [enqueue(f"c-{n}").job_id for n in range(4)]
    assert len(claim()) == 4
    # What is written last stands last in the index: that must not decide.
    for id in reversed(ids):
        for ends in (NOW, NOW + queue.LEASE):
            SyncJob.objects.filter(pk=id).update(next_at=ends)
    taken = [queue.claim_lost(now=NOW + queue.LEASE) for _ in ids]
    assert [one[0].id for one in taken if one] == ids


def test_a_claimed_job_is_nobody_elses_until_its_lease_runs_out() -> None:
    enqueue()
    [mine] = claim()
    assert claim() == []
    assert queue.claim_lost(now=NOW + queue.LEASE - SECOND) is None
    lost = queue.claim_lost(now=NOW + queue.LEASE + SECOND)
    assert lost is not None
    # When it was claimed, for whatever it has done it has done since then.
    assert (lost[0].id, lost[0].fence, lost[1]) == (mine.id, mine.fence + 1, NOW)


def test_a_lease_outlasts_whatever_an_attempt_may_take() -> None:
    longest = max(attempt.LOOKUP_LASTS_S, Timeouts().total_s) + lane.STOP_S + lane.SETTLE_S
    assert longest + 5 < queue.LEASE.total_seconds()


def test_whoever_lost_the_lease_changes_nothing_any_more() -> None:
    enqueue()
    [mine] = claim()
    [theirs, _] = queue.claim_lost(now=NOW + queue.LEASE) or ()
    assert queue.settle([done(mine, State.DEAD, cause=Cause.REFUSED)], now=NOW) == set()
    assert SyncJob.objects.get().state == State.LEASED
    assert queue.settle([done(theirs)], now=NOW) == {theirs.id}
    assert SyncJob.objects.get().state == State.SUCCEEDED


def test_what_was_settled_is_not_settled_again() -> None:
    """A lane whose answer from the database got lost settles the same batch once more."""
    job = enqueue()
    [claimed] = claim()
    assert queue.settle([done(claimed)], now=NOW) == {job.job_id}
    assert queue.settle([done(claimed, State.WAITING)], now=NOW) == set()
    assert SyncJob.objects.get().state == "succeeded"


def test_a_waiting_job_is_due_at_its_time_and_not_before() -> None:
    enqueue()
    [mine] = claim()
    queue.settle([done(mine, State.WAITING, wait=timedelta(minutes=5))], now=NOW)
    assert claim(at=NOW + timedelta(minutes=5) - SECOND) == []
    [again] = claim(at=NOW + timedelta(minutes=5))
    assert (again.tries, again.fence) == (1, 2)


def test_lost_jobs_are_taken_one_at_a_time() -> None:
    for number in range(3):
        enqueue(f"c-{number}")
    assert len(claim()) == 3
    late = NOW + queue.LEASE
    assert [queue.claim_lost(now=late) is not None for _ in range(4)] == [True, True, True, False]


def test_jobs_of_one_contact_run_in_order_and_others_side_by_side() -> None:
    first, other = enqueue("c-1").job_id, enqueue("c-2").job_id
    second = enqueue(payload={"contact_id": "c-1", "tags": ["new"]}).job_id
    claimed = {one.id: one for one in claim()}
    assert set(claimed) == {first, other}
    queue.settle([done(claimed[first], State.WAITING, wait=SECOND)], now=NOW)
    assert claim() == []
    [again] = claim(at=NOW + SECOND)
    assert again.id == first
    queue.settle([done(again)], now=NOW)
    assert [one.id for one in claim(at=NOW + SECOND)] == [second]


def update(now: datetime = NOW, **fields: str) -> Any:
    return enqueue(operation="contact.update", payload={"contact_id": "c-1", **fields}, now=now).job_id


def test_a_waiting_update_is_superseded_by_one_that_sets_all_its_fields() -> None:
    first, second = update(city="Bonn"), update(city="Ulm", country="DE")
    assert [one.id for one in claim()] == [second]
    assert SyncJob.objects.get(pk=first).state == State.SUPERSEDED


def test_an_update_of_other_fields_supersedes_nothing() -> None:
    first, second = update(city="Bonn", country="DE"), update(city="Ulm")
    [mine] = claim()
    assert mine.id == first
    queue.settle([done(mine)], now=NOW)
    assert [one.id for one in claim()] == [second]


def test_deleting_supersedes_every_update_that_waits_and_is_superseded_by_none() -> None:
    first = update(city="Bonn")
    gone = enqueue(operation="contact.delete", payload={"contact_id": "c-1"}).job_id
    update(city="Ulm")
    assert [one.id for one in claim()] == [gone]
    assert SyncJob.objects.get(pk=first).state == State.SUPERSEDED


def test_an_update_in_hand_is_not_superseded_until_it_waits_again() -> None:
    first = update(city="Bonn")
    [mine] = claim()
    second = update(city="Ulm")
    assert (SyncJob.objects.get(pk=first).state, claim()) == (State.LEASED, [])
    queue.settle([done(mine, State.WAITING, wait=SECOND)], now=NOW)
    assert superseding.among([first], now=NOW) == {first}
    assert [one.id for one in claim()] == [second]


def test_what_is_being_looked_up_is_not_superseded() -> None:
    first = update(city="Bonn")
    [mine] = claim()
    queue.settle([done(mine, State.WAITING, look_up=True)], now=NOW)
    update(city="Ulm")
    assert [one.id for one in claim()] == [first]


def revived(job_id: Any) -> Claimed:
    assert jobs.revive([job_id], now=NOW) == {job_id}
    [mine] = claim()
    assert (mine.id, mine.is_redrive, mine.is_lookup) == (job_id, True, True)
    return mine


def test_a_revived_job_learns_what_newer_jobs_have_set_meanwhile() -> None:
    old = update(city="Bonn", country="DE")
    [mine] = claim()
    queue.settle([done(mine, State.DEAD, cause=Cause.EXHAUSTED, tries=6)], now=NOW)
    assert superseding.by_done([old]) == {}
    newer = update(city="Ulm")
    queue.settle([done(one) for one in claim()], now=NOW)
    mine = revived(old)
    assert mine.tries == 5
    assert superseding.by_done([old]) == {old: False}
    queue.settle([done(mine, State.DEAD, cause=Cause.EXHAUSTED, tries=6)], now=NOW)
    update(city="Kiel", country="FR")
    queue.settle([done(one) for one in claim()], now=NOW)
    assert (superseding.by_done([old]), superseding.by_done([newer])) == ({old: True}, {newer: True})


def test_a_revived_job_waits_while_a_newer_one_of_its_order_is_in_hand() -> None:
    old = update(city="Bonn")
    [mine] = claim()
    queue.settle([done(mine, State.DEAD, cause=Cause.EXHAUSTED)], now=NOW)
    update(country="DE")
    [newer] = claim()
    jobs.revive([old], now=NOW)
    assert claim() == []
    queue.settle([done(newer)], now=NOW)
    assert [one.id for one in claim()] == [old]


def test_a_revived_job_ends_by_an_attempt_so_that_its_letter_learns_of_it() -> None:
    old = update(city="Bonn")
    [mine] = claim()
    queue.settle([done(mine, State.DEAD, cause=Cause.EXHAUSTED)], now=NOW)
    jobs.revive([old], now=NOW, look_first=False)
    update(city="Ulm")
    assert [one.id for one in claim()] == [old]


def test_only_dead_jobs_are_revived() -> None:
    waiting = enqueue().job_id
    assert jobs.revive([waiting], now=NOW) == set()


def test_locations_share_a_claim_and_none_starves() -> None:
    for name in ("loc-2", "loc-3"):
        Location.objects.create(pk=name, name=name, created_at=NOW, burst_limit=1_000)
    for number in range(30):
        enqueue(f"c-{number}")
    for name in ("loc-2", "loc-3"):
        jobs.enqueue("contact.add_tags", name, {"contact_id": "c-1", "tags": ["vip"]}, now=NOW)
    assert {one.location_id for one in claim(most=9)} == {"loc-1", "loc-2", "loc-3"}


def test_a_claim_takes_no_more_than_the_locations_budget_and_pays_for_it(location: Location) -> None:
    Location.objects.filter(pk="loc-1").delete()
    Location.objects.create(pk="loc-1", name="Studio", created_at=NOW, burst_limit=50)
    for number in range(30):
        enqueue(f"c-{number}")
    assert [len(claim(most=100)), len(claim(most=100))] == [10, 0]
    assert len(claim(most=100, at=NOW + SECOND)) == 4
    assert Budget.objects.get().used_today == 14


def test_a_claim_keeps_within_the_days_limit_until_the_next_day_begins() -> None:
    Location.objects.update(daily_limit=12)
    for number in range(30):
        enqueue(f"c-{number}")
    assert [len(claim(most=8)), len(claim(most=8))] == [8, 4]
    # The further requests of lookups are sent when they are charged, and may go over it.
    budgets.charge({"loc-1": 3}, now=NOW)
    midnight = datetime(2026, 11, 24, tzinfo=UTC)
    assert claim(most=100, at=midnight - SECOND) == []
    assert len(claim(most=100, at=midnight)) == 12
    assert Budget.objects.get().used_today == 12


def test_a_location_that_shall_rest_gives_no_job() -> None:
    enqueue()
    budgets.hold("loc-1", NOW + SECOND)
    assert claim() == []
    assert len(claim(at=NOW + SECOND)) == 1


def test_an_open_breaker_holds_jobs_and_its_ramp_lets_some_by() -> None:
    for number in range(30):
        enqueue(f"c-{number}")
    Breaker.objects.update(state="open", probe_at=NOW)
    assert claim(most=100) == []
    Breaker.objects.update(state="ramping", step=10, allowance=10)
    assert [len(claim(most=7)), len(claim(most=100)), len(claim(most=100))] == [7, 3, 0]
    assert Breaker.objects.get().allowance == 0


@pytest.mark.parametrize("state", ["paused", "misconfigured"])
def test_jobs_of_a_held_location_wait_and_none_dies(location: Location, state: str) -> None:
    enqueue()
    Location.objects.update(state=state, state_reason="A test", paused_until=None)
    assert claim(at=NOW + timedelta(days=30)) == []
    Location.objects.update(state="active", state_reason="")
    assert len(claim()) == 1


def test_a_pause_ends_by_itself_when_its_time_is_over() -> None:
    enqueue()
    Location.objects.update(state="paused", state_reason="A test", paused_until=NOW + SECOND)
    assert claim() == []
    assert len(claim(at=NOW + SECOND)) == 1


def test_ids_that_were_found_are_added_to_those_there_were() -> None:
    enqueue()
    [mine] = claim()
    queue.settle(
        [Settled(mine.id, mine.fence, Next(State.WAITING, 1, 0), "timeout", {"contact_id": "g-1"})], now=NOW
    )
    [mine] = claim()
    queue.settle(
        [Settled(mine.id, mine.fence, Next(State.SUCCEEDED, 2, 0), "ok", {"note_id": "n-1"})], now=NOW
    )
    assert SyncJob.objects.get().result == {"contact_id": "g-1", "note_id": "n-1"}


def test_claims_and_settling_cost_one_statement_each(django_assert_num_queries: Any) -> None:
    for number in range(20):
        enqueue(f"c-{number}")
    with django_assert_num_queries(1):
        claimed = claim(most=20)
    with django_assert_num_queries(1):
        assert len(queue.settle([done(one) for one in claimed], now=NOW)) == 20
