"""Drafts under every interleaving of outcomes, lost workers, late ones and people: none lost, none called
more than three times a round, and what a person has decided stands."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sync.drafts import deciding, intake, queue
from sync.drafts.llm.answers import Answer
from sync.drafts.llm.errors import Code, Failed, Usage
from sync.drafts.queue import Claimed, Ended
from sync.drafts.refusal import Refused
from sync.drafts.states import ACTS, Act, State
from sync.models import Draft, DraftAttempt, Location
from tests.examples import examples
from tests.sync.drafts.drafting import NOW, STUDIO
from tests.sync.drafts.test_draft_intake import WISH

LEASE = timedelta(seconds=60)
WROTE = Answer("Hi", "", Usage("m", 1, 1))
OUTCOMES = st.sampled_from([WROTE, *map(Failed, Code), Failed(Code.RATE_LIMITED, timedelta(days=3))])
ANY = st.integers(0, 5)


class Drafts(RuleBasedStateMachine):
    """Real rows, and the claims that lanes hold: some of them for longer than their lease."""

    def __init__(self) -> None:
        super().__init__()
        self.undone = transaction.atomic()
        self.undone.__enter__()
        self.now = NOW
        self.held: list[Claimed] = []
        self.calls: dict[tuple[UUID, int], int] = {}
        self.ended: dict[UUID, str] = {}

    @initialize(count=st.integers(1, 3))
    def drafts_are_there(self, count: int) -> None:
        Location.objects.create(pk=STUDIO, name="Studio", created_at=NOW)
        for _ in range(count):
            intake.ask(**{**WISH, "now": self.now})

    @rule(most=st.integers(1, 3))
    def claim(self, most: int) -> None:
        for claimed in queue.claim(now=self.now, most=most, lease=LEASE):
            self.held.append(claimed)
            key = (claimed.draft.pk, claimed.draft.round)
            self.calls[key] = self.calls.get(key, 0) + 1

    @rule(which=st.sets(ANY, min_size=1), result=OUTCOMES)
    def settle(self, which: set[int], result: Answer | Failed) -> None:
        """Also of claims whose lease ran out long ago, and of drafts that were decided about since."""
        ended = [Ended(one, result, 5.0) for at, one in enumerate(self.held) if at in which]
        self.held = [one for at, one in enumerate(self.held) if at not in which]
        current = {one.claimed.draft.pk: one for one in ended}
        fences = dict(Draft.objects.filter(state=State.WRITING).values_list("pk", "fence"))
        ours = {pk for pk, one in current.items() if fences.get(pk) == one.claimed.fence}
        assert queue.settle(list(current.values()), now=self.now) == ours

    @rule(seconds=st.sampled_from([1, 10, 61, 1000]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def lost_ones_are_taken_back(self) -> None:
        queue.take_back(now=self.now)

    @rule(act=st.sampled_from(Act), at=ANY)
    def a_person_decides(self, act: Act, at: int) -> None:
        draft = list(Draft.objects.order_by("pk"))[at % Draft.objects.count()]
        try:
            self.decide(act, draft.pk)
            is_done = True
        except Refused as refusal:
            is_done = False
            # What has no text cannot be approved, whatever its state.
            assert refusal.code in {"wrong_state", "empty"}
            assert refusal.code == "wrong_state" or not draft.text
        assert is_done == (draft.state in ACTS[act][0] and not (act is Act.APPROVE and not draft.text))
        after = Draft.objects.get(pk=draft.pk)
        assert after.state == ((ACTS[act][1] or draft.state) if is_done else draft.state)
        if after.state == State.DISMISSED:
            self.ended[draft.pk] = after.state

    def decide(self, act: Act, draft_id: UUID) -> None:
        by, now = "staff:nora", self.now
        with transaction.atomic():
            match act:
                case Act.APPROVE:
                    deciding.approve(draft_id, by=by, now=now)
                case Act.REGENERATE:
                    deciding.regenerate(draft_id, hint="shorter", by=by, now=now)
                case Act.RETRY:
                    deciding.retry(draft_id, by=by, now=now)
                case Act.SNOOZE:
                    deciding.snooze(draft_id, length="1h", by=by, now=now)
                case Act.WAKE:
                    deciding.wake(draft_id, by=by)
                case Act.DISMISS:
                    deciding.dismiss(draft_id, reason="no", by=by, now=now)
                case Act.RECALL:
                    deciding.recall(draft_id, by=by, now=now)

    @invariant()
    def each_call_is_a_row_and_there_are_three_at_most(self) -> None:
        rows: dict[tuple[UUID, int], int] = {}
        for draft_id, round in DraftAttempt.objects.values_list("draft_id", "round"):
            rows[draft_id, round] = rows.get((draft_id, round), 0) + 1
        assert rows == self.calls
        assert all(count <= 3 for count in rows.values())

    @invariant()
    def every_draft_stands_where_somebody_goes_on_with_it(self) -> None:
        for draft in Draft.objects.prefetch_related("attempts"):
            open_ones = [one for one in draft.attempts.all() if one.outcome == "begun"]
            assert len(open_ones) == (draft.state == State.WRITING)
            if draft.state in (State.WAITING, State.WRITING):
                assert draft.next_at <= self.now + max(LEASE, timedelta(minutes=10))
                assert draft.tries < 3 or draft.state == State.WRITING
            if draft.state == State.REVIEW:
                assert draft.text
                assert draft.code == ""
            if draft.pk in self.ended:
                assert draft.state == self.ended[draft.pk]

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.undone.__exit__(None, None, None)


@pytest.mark.django_db
def test_no_draft_is_lost_called_too_often_or_changed_behind_a_persons_back() -> None:
    run_state_machine_as_test(
        Drafts,
        settings=settings(
            max_examples=examples(12),
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
