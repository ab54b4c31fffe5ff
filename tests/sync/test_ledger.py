"""The ledger: what died is accounted for, and whatever is not is told."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from observability.retention import batches
from sync import datasets
from sync.dead_letters import ledger, letters
from sync.models import CauseGroup, DeadLetter, LedgerCheck, SyncJob, Webhook
from sync.signals import Trouble
from tests.sync.dying import HOUR, NOW, Destination, dead_jobs, dead_letters, dead_webhook, location

BY = "staff:7"


def test_what_died_is_open_or_has_ended_and_adds_up(db: None, troubles: list[Trouble]) -> None:
    place = location()
    ids = dead_letters(6)
    dead_webhook(place)
    letters.discard(ids[:1], "Spam.", by=BY, now=NOW)
    letters.redrive(ids[1:4], by=BY, now=NOW)
    taken = set(SyncJob.objects.filter(letter__in=ids[1:3]).values_list("pk", flat=True))
    destination = Destination(takes=lambda job: job.id in taken)
    while destination.work(NOW + HOUR):
        pass
    letters.redrive(ids[4:5], by=BY, now=NOW)
    with CaptureQueriesContext(connection) as asked:
        row = ledger.check(now=NOW)
    assert row.differences == []
    assert (row.dead, row.open, row.redriving, row.recovered, row.discarded) == (7, 3, 1, 2, 1)
    # The comparison is one statement, so that it sees one moment.
    assert len([one for one in asked if "sync_deadletter" in one["sql"]]) == 1
    # Once more on the same day is the same row.
    ledger.check(now=NOW + HOUR)
    assert LedgerCheck.objects.get().checked_at == NOW + HOUR
    assert troubles == []


def _lose_a_letter() -> None:
    DeadLetter.objects.first().delete()


def _miscount() -> None:
    CauseGroup.objects.update(open=3, total=3)


def _revive_behind_its_back() -> None:
    SyncJob.objects.update(state="waiting", cause="", settled_at=None)


def _lose_a_webhooks_letter() -> None:
    dead_webhook(location("loc-2")).letter.delete()


def _forget_a_death() -> None:
    DeadLetter.objects.update(state="redriving")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (_lose_a_letter, "1 dead jobs without an open or discarded letter"),
        (_lose_a_webhooks_letter, "1 dead webhooks without an open or discarded letter"),
        (_miscount, "1 groups whose counters are wrong"),
        (_revive_behind_its_back, "2 open or discarded letters of what is not dead"),
        (_forget_a_death, "2 dead jobs without an open or discarded letter"),
    ],
)
def test_what_does_not_add_up_is_told_and_kept(
    db: None, harm: Callable[[], None], words: str, troubles: list[Trouble]
) -> None:
    location()
    dead_letters(2)
    harm()
    row = ledger.check(now=NOW)
    assert len(row.differences) == 1
    assert row.differences[0].startswith(words)
    assert [(one.kind, one.code) for one in troubles] == [("data_loss", "ledger_mismatch")]
    assert words in troubles[0].words


def test_many_differences_are_counted_and_a_few_are_named(db: None) -> None:
    location()
    dead_jobs(8)
    [words] = ledger.check(now=NOW).differences
    assert words.startswith("8 dead jobs")
    assert words.count("-") == 5 * 4
    assert words.endswith("…)")


def test_open_letters_never_expire_and_decided_ones_take_their_job_along(db: None) -> None:
    place = location()
    [kept, gone, fresh] = dead_letters(3)
    webhook = dead_webhook(place)
    letters.discard([gone, webhook.letter.pk], "Spam.", by=BY, now=NOW)
    letters.discard([fresh], "Spam.", by=BY, now=NOW + 2 * HOUR)
    [policy] = [one for one in datasets.LETTERS if one.name == "dead_letters"]
    for table in policy.tables:
        for _ in batches.remove(table, cutoff_at=NOW + HOUR, note=lambda rows: None):
            pass
    assert set(DeadLetter.objects.values_list("pk", flat=True)) == {kept, fresh}
    assert SyncJob.objects.count() == 2
    assert not Webhook.objects.exists()
    assert ledger.check(now=NOW + HOUR).differences == []


class Letters(RuleBasedStateMachine):
    """Whatever is done in whatever order, the ledger adds up."""

    def __init__(self) -> None:
        super().__init__()
        # Each run begins with an empty house; the test around it undoes all.
        DeadLetter.objects.all().delete()
        SyncJob.objects.all().delete()
        self.ids: list[int] = []

    @rule(count=st.integers(1, 3), code=st.sampled_from(["status_422", "status_400"]))
    def die(self, count: int, code: str) -> None:
        self.ids += dead_letters(count, code=code)

    @rule(pick=st.data())
    def redrive(self, pick: st.DataObject) -> None:
        letters.redrive(self._some(pick), by=BY, now=NOW)

    @rule(pick=st.data())
    def discard(self, pick: st.DataObject) -> None:
        letters.discard(self._some(pick), "Spam.", by=BY, now=NOW)

    @rule(pick=st.data())
    def restore(self, pick: st.DataObject) -> None:
        letters.restore(self._some(pick), by=BY)

    @rule(well=st.booleans(), code=st.sampled_from(["status_422", "timeout"]))
    def work(self, well: bool, code: str) -> None:
        Destination(takes=lambda job: well, says=(code, "")).work(NOW + HOUR)

    @invariant()
    def adds_up(self) -> None:
        row = ledger.check(now=NOW)
        assert row.differences == []
        assert row.dead == len(self.ids)
        for group in CauseGroup.objects.exclude(total=0):
            assert (group.state == "resolved") == (group.open + group.redriving == 0)

    def _some(self, pick: st.DataObject) -> list[int]:
        return pick.draw(st.lists(st.sampled_from(self.ids), unique=True, max_size=5)) if self.ids else []


class TestLetters(TestCase):
    def test_the_ledger_adds_up_whatever_is_done(self) -> None:
        location()
        quick = settings(
            max_examples=8,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(Letters, settings=quick)
