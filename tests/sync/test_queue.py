"""The queue: each job in one hand at a time, in its order, and never lost with whoever had it in hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from sync import jobs, queue
from sync.jobs import Refused
from sync.models import Location, SyncJob
from sync.queue import Claimed, Settled
from sync.transitions import Cause, Next, State
from trainu import correlation

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def location(db: None) -> Location:
    return Location.objects.create(pk="loc-1", name="Studio", created_at=NOW)


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
    again = enqueue("c-2", idempotency_key="k-1")
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


def test_a_claimed_job_is_nobody_elses_until_its_lease_runs_out() -> None:
    enqueue()
    [mine] = claim()
    assert claim() == []
    assert queue.claim_lost(now=NOW + queue.LEASE - SECOND) == []
    [lost] = queue.claim_lost(now=NOW + queue.LEASE)
    assert (lost.id, lost.fence) == (mine.id, mine.fence + 1)


def test_whoever_lost_the_lease_changes_nothing_any_more() -> None:
    enqueue()
    [mine] = claim()
    [theirs] = queue.claim_lost(now=NOW + queue.LEASE)
    assert queue.settle([done(mine, State.DEAD, cause=Cause.REFUSED)], now=NOW) == set()
    assert SyncJob.objects.get().state == State.LEASED
    assert queue.settle([done(theirs)], now=NOW) == {theirs.id}
    assert SyncJob.objects.get().state == State.SUCCEEDED


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
    assert [len(queue.claim_lost(now=late)) for _ in range(4)] == [1, 1, 1, 0]


def test_jobs_of_one_contact_run_in_order_and_others_side_by_side() -> None:
    first, second, other = enqueue("c-1").job_id, enqueue("c-1").job_id, enqueue("c-2").job_id
    claimed = {one.id: one for one in claim()}
    assert set(claimed) == {first, other}
    queue.settle([done(claimed[first], State.WAITING, wait=SECOND)], now=NOW)
    assert claim() == []
    [again] = claim(at=NOW + SECOND)
    assert again.id == first
    queue.settle([done(again)], now=NOW)
    assert [one.id for one in claim(at=NOW + SECOND)] == [second]


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
