"""Jobs under every interleaving of outcomes, crashes, lease expiries and the kill switch: none lost, stuck
or done twice, and no message sent while the switch is on."""

import json
from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sync import attempt_log, recovery
from sync.models import SyncJob
from tests.examples import examples
from tests.sync.interleaved import Floor, payload_of
from tests.sync.reality import LOOKED_UP, SENT
from tests.sync.working import NOW

# Some more often than others.
OPERATIONS_USED = [
    "contact.update",
    "contact.update",
    "contact.add_tags",
    "contact.delete",
    "contact.upsert",
    "note.create",
    "note.create",
    "message.send",
    "message.send",
]
LANE = st.integers(0, 2)
ANY = st.integers(0, 9)
FIELDS = st.sets(st.sampled_from(["city", "state"]), min_size=1)
WAY_SENT = st.sampled_from([*SENT, "done", "done", "refused"])
WAY_LOOKED_UP = st.sampled_from(LOOKED_UP)
UNDER_WAY = st.sampled_from(["lost under way", "done, and the answer lost"])


class Jobs(RuleBasedStateMachine):
    """Rules are what can happen. What must never happen is checked by Floor and Reality as it happens.

    No rule draws by what is there: which of several jobs a claim takes is the database's affair.
    """

    def __init__(self) -> None:
        super().__init__()
        # Undone at the end: no example sees another one's jobs.
        self.undone = transaction.atomic()
        self.undone.__enter__()
        self.floor = Floor()

    @initialize(
        given=st.lists(
            st.tuples(st.sampled_from(OPERATIONS_USED), FIELDS, WAY_SENT, WAY_LOOKED_UP, st.integers(0, 2)),
            min_size=3,
            max_size=6,
        )
    )
    def jobs_are_there(self, given: list[tuple[str, set[str], str, str, int]]) -> None:
        """In every state: not tried yet, in doubt, dead, done."""
        for operation, fields, sent, looked_up, times in given:
            self.enqueue(operation, "c-1", fields, "")
            self.work([(sent, looked_up)], times)

    @rule(
        operation=st.sampled_from(OPERATIONS_USED),
        contact=st.sampled_from(["c-1", "c-1", "c-2"]),
        fields=FIELDS,
        key=st.sampled_from(["", "", "", "once"]),
    )
    def enqueue(self, operation: str, contact: str, fields: set[str], key: str) -> None:
        self.floor.enqueue(operation, payload_of(operation, contact, fields), key)

    @rule(
        hows=st.lists(st.tuples(WAY_SENT, WAY_LOOKED_UP), min_size=1, max_size=3),
        times=st.sampled_from([1, 1, 1, 7]),
    )
    def work(self, hows: list[tuple[str, str]], times: int) -> None:
        """A lane does what is due next, from the claim to the settling, with nothing in between."""
        for sent, looked_up in hows * times:
            if not self.floor.is_waiting():
                return
            self.floor.look_after(answers=True)
            self.floor.advance(self.floor.next_due())
            self.floor.work(sent, looked_up)

    @rule(lane=LANE, most=st.integers(1, 4), is_due=st.booleans())
    def claim(self, lane: int, most: int, is_due: bool) -> None:
        if is_due:
            self.floor.advance(self.floor.next_due())
        self.floor.claim(self.floor.lanes[lane], most)

    @rule(lane=LANE, claims=st.booleans(), loses=st.booleans())
    def recover(self, lane: int, claims: bool, loses: bool) -> None:
        """The next lease that runs out is noticed, perhaps by a recovery that is killed over it."""
        self.floor.advance(self.floor.next_lease_end())
        if loses:
            self.floor.lose_recovery()
        else:
            recovery.take_back(now=self.floor.now)
        if claims:
            self.floor.advance(self.floor.next_due())
            self.floor.claim(self.floor.lanes[lane], 1, suspects=True)

    @rule(number=ANY, sent=WAY_SENT, looked_up=WAY_LOOKED_UP)
    def end(self, number: int, sent: str, looked_up: str) -> None:
        if pending := self.floor.pending():
            self.floor.end(pending[number % len(pending)], sent, looked_up)

    @rule(number=ANY)
    def overtake(self, number: int) -> None:
        """The same is wanted once more while it is in hand."""
        if pending := self.floor.pending():
            job = pending[number % len(pending)].job
            self.floor.enqueue(job.operation, json.loads(job.payload))

    @rule(lane=LANE)
    def settle(self, lane: int) -> None:
        self.floor.settle_lane(lane)

    @rule(
        lane=LANE,
        claims=st.booleans(),
        sents=st.lists(st.one_of(st.just(""), UNDER_WAY), min_size=4, max_size=4),
    )
    def lose_a_lane(self, lane: int, claims: bool, sents: list[str]) -> None:
        if claims:
            self.claim(lane, 3, is_due=True)
        self.floor.lose(lane, sents)

    @rule(number=ANY, claims=st.booleans())
    def come_back(self, number: int, claims: bool) -> None:
        """A lane that was taken for lost settles, perhaps when somebody else has its jobs in hand."""
        if claims:
            self.recover(0, claims=True, loses=False)
        self.floor.come_back(number)

    @rule(seconds=st.sampled_from([0, 0, 15, 46, 61, 300]), sent=UNDER_WAY)
    def wait(self, seconds: int, sent: str) -> None:
        """Time passes, for 0 until something is due."""
        later = self.floor.now + timedelta(seconds=seconds)
        self.floor.advance(later if seconds else self.floor.next_moment(), sent)

    @rule(answers=st.booleans())
    def look_after_the_location(self, answers: bool) -> None:
        self.floor.look_after(answers=answers)

    @rule(
        number=ANY, look_first=st.sampled_from([True, True, False]), at_once=st.booleans(), how=WAY_LOOKED_UP
    )
    def redrive(self, number: int, look_first: bool, at_once: bool, how: str) -> None:
        if self.floor.redrive(number, look_first=look_first) and at_once:
            self.work([("done", how)], 2)

    @rule(on=st.booleans())
    def turn_the_kill_switch(self, on: bool) -> None:
        self.floor.turn(on=on)

    @invariant()
    def nothing_is_wrong(self) -> None:
        self.floor.check()

    def teardown(self) -> None:
        try:
            self.floor.work_off()
        finally:
            transaction.set_rollback(True)
            self.undone.__exit__(None, None, None)


@pytest.mark.django_db
def test_no_job_is_lost_or_stuck_or_done_twice_or_out_of_order() -> None:
    attempt_log.TABLE.ensure(NOW.date() + timedelta(days=day) for day in range(5))
    run_state_machine_as_test(
        Jobs,
        settings=settings(
            max_examples=examples(20),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.django_db
def test_a_lookup_looks_back_to_the_send_though_its_recovery_was_lost_too() -> None:
    floor = Floor()
    floor.enqueue("message.send", payload_of("message.send", "c-1", []))
    floor.claim(floor.lanes[0], 1)
    floor.lose(0, ["done"])
    for _ in range(2):
        floor.advance(floor.next_lease_end())
        floor.lose_recovery()
    floor.work_off()
    assert SyncJob.objects.get().state == "succeeded"


@pytest.mark.django_db
def test_an_update_that_failed_is_not_tried_again_where_a_newer_one_has_come_meanwhile() -> None:
    floor = Floor()
    floor.enqueue("contact.update", payload_of("contact.update", "c-1", ["city"]))
    [hand] = floor.claim(floor.lanes[0], 1)
    floor.enqueue("contact.update", payload_of("contact.update", "c-1", ["city", "state"]))
    floor.end(hand, "503", "truth")
    floor.settle_lane(0)
    assert list(SyncJob.objects.order_by("position").values_list("state", flat=True)) == [
        "superseded",
        "waiting",
    ]
