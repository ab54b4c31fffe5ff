"""Lanes: what becomes of jobs by what GoHighLevel answers, from the claim to what is told."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from sync import queue, signals
from sync.models import Breaker, Budget, Location, SyncAttempt, SyncJob
from sync.signals import AttemptEnded
from tests.sync.working import Studio
from trainu.demo.ghl import Simulator

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def studio(transactional_db: None) -> Iterator[Studio]:
    with Simulator(seed=1, limits=False) as simulator:
        yield Studio(simulator)


@pytest.fixture
def told() -> Iterator[list[AttemptEnded]]:
    told: list[AttemptEnded] = []

    def listen(attempts: list[AttemptEnded], **_signal: Any) -> None:
        told.extend(attempts)

    signals.attempts_ended.connect(listen)
    yield told
    signals.attempts_ended.disconnect(listen)


def sms(contact: str) -> dict[str, str]:
    return {"channel": "SMS", "contact_id": contact, "message": "See you at nine."}


def test_a_job_is_done_and_its_attempt_kept_masked_and_told(studio: Studio, told: list[AttemptEnded]) -> None:
    job = studio.enqueue("contact.upsert", {"email": "ada@example.org", "first_name": "Ada"})
    assert studio.work() == 1
    row = SyncJob.objects.get(pk=job)
    assert (row.state, row.tries, row.fence, row.code) == ("succeeded", 1, 1, "ok")
    [attempt] = SyncAttempt.objects.filter(job_id=job)
    assert (attempt.outcome, attempt.status, attempt.kind) == ("ok", 200, "send")
    kept = f"{attempt.request} {attempt.response}"
    assert attempt.request["path"] == "/contacts/upsert"
    assert row.result["contact_id"] in kept
    assert "ada" not in kept.lower()
    [one] = told
    assert (one.job_id, one.state, one.number, one.retry_at) == (job, "succeeded", 1, None)


def test_a_failure_that_may_pass_is_tried_again_at_its_time(studio: Studio, told: list[AttemptEnded]) -> None:
    job = studio.enqueue("contact.upsert", {"email": "ada@example.org"})
    studio.ghl.fail("503", count=1)
    studio.work()
    assert studio.state(job) == ("waiting", "status_503", 1)
    assert told[0].retry_at == studio.clock.now + timedelta(minutes=1)
    studio.clock.advance(seconds=59)
    assert studio.work() == 0
    studio.clock.advance(seconds=1)
    assert studio.work() == 1
    assert studio.state(job) == ("succeeded", "ok", 2)


def test_after_six_tries_it_is_dead_and_no_seventh_is_made(studio: Studio) -> None:
    job = studio.enqueue("contact.upsert", {"email": "ada@example.org"})
    studio.ghl.fail("500")
    for minutes in (0, 1, 5, 15, 60, 360, 1000):
        studio.clock.advance(minutes=minutes)
        studio.work()
    assert studio.state(job) == ("dead", "status_500", 6)
    assert SyncJob.objects.get(pk=job).cause == "exhausted"
    assert studio.ghl.ledger.total(studio.id) == 6


def test_a_refusal_is_a_dead_letter_at_once(studio: Studio, told: list[AttemptEnded]) -> None:
    job = studio.enqueue("contact.update", {"contact_id": "nobodyAtAll", "city": "Ulm"})
    studio.work()
    assert studio.state(job) == ("dead", "target_gone", 1)
    assert (told[0].state, told[0].cause) == ("dead", "refused")


def test_being_held_back_costs_no_try_and_rests_the_whole_location(studio: Studio) -> None:
    job = studio.enqueue("contact.upsert", {"email": "ada@example.org"})
    studio.ghl.fail("429", count=1)
    studio.work()
    assert studio.state(job) == ("waiting", "rate_limited", 0)
    held = Budget.objects.get().held_until
    assert held is not None
    assert held > studio.clock.now + timedelta(seconds=1)
    studio.enqueue("contact.upsert", {"email": "grace@example.org"})
    assert studio.work() == 0
    studio.clock.advance(seconds=15)
    assert studio.work() == 2


@pytest.mark.parametrize("fault", ["reset_after", "hang_after"])
def test_a_message_whose_answer_got_lost_is_looked_up_and_not_sent_twice(studio: Studio, fault: str) -> None:
    contact = studio.contact()
    job = studio.enqueue("message.send", sms(contact))
    studio.ghl.fail(fault, count=1)
    studio.work()
    state = studio.state(job)
    assert (state[0], SyncJob.objects.get(pk=job).is_lookup) == ("waiting", True)
    studio.clock.advance(minutes=2)
    studio.work()
    assert studio.state(job)[0] == "succeeded"
    assert sum(studio.ghl.deliveries().values()) == 1
    # The contact, the message, and every question of the lookup.
    assert Budget.objects.get().used_today == studio.ghl.ledger.total(studio.id) == 4


def test_a_message_that_did_not_arrive_does_not_pass_for_the_same_words_sent_before(studio: Studio) -> None:
    contact = studio.contact()
    studio.enqueue("message.send", sms(contact))
    studio.work()
    studio.clock.advance(seconds=2)
    lost = studio.enqueue("message.send", sms(contact))
    studio.ghl.fail("reset", count=1)
    studio.work()
    studio.clock.advance(minutes=2)
    studio.work()
    assert studio.state(lost)[:2] == ("dead", "cannot_tell")


def test_a_note_that_did_not_arrive_is_sent_again_after_the_lookup(studio: Studio) -> None:
    contact = studio.contact()
    job = studio.enqueue("note.create", {"contact_id": contact, "body": "Prefers mornings."})
    studio.ghl.fail("reset", count=1)
    studio.work()
    for _ in range(4):
        studio.clock.advance(minutes=2)
        studio.work()
    assert studio.state(job)[::2] == ("succeeded", 2)
    assert list(studio.ghl.ledger.creations("note").values()) == [1]


def test_a_message_of_which_nobody_can_tell_is_left_to_a_person(studio: Studio) -> None:
    contact = studio.contact()
    job = studio.enqueue("message.send", sms(contact))
    studio.ghl.fail("reset", count=1)
    studio.work()
    studio.clock.advance(minutes=2)
    studio.work()
    assert studio.state(job)[:2] == ("dead", "cannot_tell")
    assert SyncJob.objects.get(pk=job).cause == "check_by_hand"
    assert sum(studio.ghl.deliveries().values()) == 0


def test_a_refused_token_pauses_the_location_and_no_job_dies(studio: Studio) -> None:
    jobs = [studio.enqueue("contact.upsert", {"email": f"c{n}@example.org"}) for n in range(3)]
    studio.ghl.fail("401")
    studio.work()
    location = Location.objects.get(pk=studio.id)
    assert location.state == "misconfigured"
    assert {studio.state(job)[::2] for job in jobs} == {("waiting", 0)}
    studio.ghl.heal()
    studio.clock.advance(days=1)
    assert studio.work() == 0
    Location.objects.update(state="active", state_reason="")
    assert studio.work() == 3
    assert {studio.state(job)[0] for job in jobs} == {"succeeded"}


def test_who_enqueues_for_a_contact_waits_for_whoever_came_before(studio: Studio) -> None:
    """Else the later job could be seen, and sent, before the earlier one, which has not committed yet."""

    def update(city: str) -> int:
        try:
            job = studio.enqueue("contact.update", {"contact_id": "c-1", "city": city})
            return SyncJob.objects.get(pk=job).position
        finally:
            if not connection.in_atomic_block:
                connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first = update("Bonn")
            later = pool.submit(update, "Ulm")
            with pytest.raises(FutureTimeout):
                later.result(timeout=0.3)
        assert later.result(timeout=5) > first


def test_jobs_of_one_contact_arrive_in_their_order(studio: Studio) -> None:
    contact = studio.contact()
    cities = [f"City {number}" for number in range(5)]
    for number, city in enumerate(cities):
        # Each sets one more field of its own, so that none is superseded.
        studio.enqueue("contact.update", {"contact_id": contact, "city": city, FIELDS[number]: "x"})
    studio.ghl.fail("503", count=2)
    for _ in range(4):
        studio.work()
        studio.clock.advance(minutes=10)
    assert studio.ghl.ledger.values(contact, "city") == cities


FIELDS = ("first_name", "last_name", "address1", "state", "website")


def test_what_a_lost_lane_had_in_hand_is_tried_again_alone_by_the_recovery_lane(studio: Studio) -> None:
    job = studio.enqueue("contact.upsert", {"email": "ada@example.org"})
    assert len(queue.claim(now=studio.clock.now, most=10)) == 1
    studio.clock.advance(seconds=60)
    assert studio.work() == 0
    studio.work(recovers=True)
    assert studio.state(job) == ("waiting", "client_error", 1)
    studio.clock.advance(minutes=2)
    assert studio.work() == 0
    studio.work(recovers=True)
    assert studio.state(job) == ("succeeded", "ok", 2)
    assert not SyncJob.objects.get(pk=job).is_suspect


def test_an_outage_opens_the_breaker_and_jobs_wait_without_being_tried(studio: Studio) -> None:
    for number in range(40):
        studio.enqueue("contact.upsert", {"email": f"c{number}@example.org"})
    studio.ghl.fail("503")
    studio.work(concurrency=5)
    assert Breaker.objects.get().state == "open"
    tried = studio.ghl.ledger.total(studio.id)
    assert tried <= 15
    studio.clock.advance(seconds=14)
    assert studio.work() == 0
    assert studio.ghl.ledger.total(studio.id) == tried


def test_after_an_outage_jobs_go_by_a_ramp_and_nothing_waits_for_hours(studio: Studio) -> None:
    jobs = [studio.enqueue("contact.upsert", {"email": f"c{number}@example.org"}) for number in range(40)]
    studio.ghl.fail("503")
    studio.work(concurrency=5)
    studio.ghl.heal()
    for _ in range(12):
        studio.clock.advance(seconds=61)
        studio.work()
    assert Breaker.objects.get().state == "closed"
    assert {studio.state(job)[0] for job in jobs} == {"succeeded"}
