"""Bulk operations: a frozen set, a ramp that stops itself, and an end for every item."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from observability.models import AuditEntry
from sync.dead_letters import bulk, letters, moves, ramp
from sync.dead_letters.chosen import Chosen
from sync.dead_letters.ramp import SIZES, Shown
from sync.dead_letters.refusal import Refused
from sync.models import BulkItem, BulkOperation, CauseGroup, DeadLetter, Location, SyncJob
from sync.signals import Act
from tests.sync.dying import HOUR, NOW, SAID, Destination, dead_letters, location

BY = "staff:7"
ALL = Chosen()


@pytest.fixture(autouse=True)
def place(db: None) -> Location:
    return location()


def start(count: int, kind: str = "redrive", chosen: Chosen = ALL, **options: Any) -> BulkOperation:
    given = {"by": BY, "reason": "Their form was mended.", "shown_count": count, "now": NOW}
    return bulk.start(kind, chosen, **given | options)


def run(operation: BulkOperation, destination: Destination, *, most: int = 200) -> BulkOperation:
    """Let ramp and destination work until nothing moves any more."""
    now = NOW
    for _ in range(most):
        now += timedelta(minutes=1)
        if not ramp.step(now=now) and not destination.work(now):
            break
    operation.refresh_from_db()
    return operation


def test_a_set_recovers_in_steps_of_one_ten_a_hundred_and_five_hundred() -> None:
    ids = dead_letters(700)
    destination = Destination()
    sent: list[int] = []
    operation = start(700)
    now = NOW
    while operation.state == "running":
        now += timedelta(minutes=10)
        ramp.step(now=now)
        operation.refresh_from_db()
        sent.append(operation.sent)
        while destination.work(now + timedelta(minutes=9)):
            pass
    assert [size for size in sent if size] == [1, 10, 100, 500, 89]
    assert (operation.state, operation.recovered, operation.total) == ("done", 700, 700)
    assert sorted(destination.sends) == sorted(SyncJob.objects.values_list("pk", flat=True))
    assert bulk.progress(operation).percent == 100
    assert DeadLetter.objects.filter(state="recovered").count() == len(ids)
    assert CauseGroup.objects.get().state == "resolved"


@pytest.mark.parametrize("says", [("status_422", SAID), ("status_400", "other")])
def test_a_broken_destination_gets_eleven_of_ten_thousand_at_most(says: tuple[str, str]) -> None:
    dead_letters(10_000)
    # Nothing is taken at all: it stops after the first.
    broken = Destination(takes=lambda job: False, says=says)
    operation = run(start(10_000, confirmed_count=10_000), broken)
    assert (operation.state, len(broken.sends)) == ("stopped", 1)
    assert "Stopped: 1 of 1 failed again" in operation.state_reason
    # The first is taken, and then it breaks: it stops after ten more.
    breaking = Destination(takes=lambda job: not breaking.sends[1:], says=says)
    bulk.resume(operation.pk, by=BY)
    operation = run(operation, breaking)
    assert (operation.state, len(breaking.sends)) == ("stopped", 11)
    assert operation.pending == 10_000 - 12
    assert operation.failed_same_cause + operation.failed_new_cause == 11


def test_one_that_is_ill_by_itself_does_not_stop_the_rest() -> None:
    ids = dead_letters(300)
    ill = set(SyncJob.objects.filter(letter__in=ids[20:25]).values_list("pk", flat=True))
    operation = run(start(300), Destination(takes=lambda job: job.id not in ill))
    assert (operation.state, operation.recovered, operation.failed_same_cause) == ("done", 295, 5)
    assert set(BulkItem.objects.filter(state="failed_same_cause").values_list("letter", flat=True)) == set(
        ids[20:25]
    )


def test_one_failure_of_the_old_cause_stops_the_first_steps_and_one_of_a_new_does_not() -> None:
    ids = dead_letters(30)
    ill = SyncJob.objects.get(letter=ids[5]).pk
    careful = Destination(takes=lambda job: job.id != ill)
    operation = run(start(30), careful)
    assert (operation.state, len(careful.sends)) == ("stopped", 11)
    assert "1 of 10 failed again of the same cause. It is still there." in operation.state_reason
    # Of twenty that are left, the first is mended and another is ill of something else.
    ill = SyncJob.objects.get(letter=ids[15]).pk
    other = Destination(takes=lambda job: job.id != ill, says=("status_400", "other"))
    operation = run(start(20, reason="Again."), other)
    assert (operation.state, operation.recovered, operation.failed_new_cause) == ("done", 19, 1)


def test_more_than_one_in_ten_stops_a_later_step_too() -> None:
    ids = dead_letters(300)
    ill = set(SyncJob.objects.filter(letter__in=ids[11:23]).values_list("pk", flat=True))
    operation = run(start(300), Destination(takes=lambda job: job.id not in ill))
    assert (operation.state, operation.pending) == ("stopped", 300 - 111)
    assert "12 of 100 failed again, more than one in ten" in operation.state_reason


@given(st.sampled_from(SIZES), st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
def test_a_ramp_never_grows_on_failures_alone(size: int, well: int, same: int, new: int) -> None:
    shown = Shown(well, same, new)
    if same + new and not well:
        assert ramp.verdict(size, shown)
    if not well:
        assert ramp.next_size(size, shown) == size
    if not same + new:
        assert ramp.verdict(size, shown) == ""
    assert ramp.next_size(size, shown) in SIZES


def test_letters_that_come_after_confirmation_are_untouched() -> None:
    mine = dead_letters(3)
    operation = start(3)
    later = dead_letters(2)
    assert run(operation, Destination()).recovered == 3
    assert set(BulkItem.objects.values_list("letter", flat=True)) == set(mine)
    assert DeadLetter.objects.filter(pk__in=later, state="open").count() == 2


def test_a_set_that_has_changed_since_it_was_shown_must_be_confirmed_again(acts: list[Act]) -> None:
    dead_letters(3)
    with pytest.raises(Refused, match="3 letters now, not 2") as refused:
        start(2)
    assert refused.value.code == "count_changed"
    assert (BulkOperation.objects.count(), BulkItem.objects.count(), acts) == (0, 0, [])


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"count": 0, "chosen": Chosen(code="nothing_like_it")}, "nothing_chosen"),
        ({"count": 3, "reason": " "}, "reason_missing"),
        ({"count": 3, "kind": "purge"}, "unknown_kind"),
        ({"count": 3, "kind": "assign", "assignee_id": 10**6}, "unknown_user"),
    ],
)
def test_what_cannot_be_started_is_refused(options: dict[str, Any], code: str) -> None:
    dead_letters(3)
    with pytest.raises(Refused) as refused:
        start(**options)
    assert refused.value.code == code
    assert BulkOperation.objects.count() == 0


def test_a_large_set_needs_its_number_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "CONFIRM_ABOVE", 2)
    dead_letters(3)
    for typed in (None, 2):
        with pytest.raises(Refused, match="Type the number"):
            start(3, confirmed_count=typed)
    assert start(3, confirmed_count=3).total == 3
    monkeypatch.setattr(bulk, "MOST", 2)
    with pytest.raises(Refused, match="At most 2"):
        start(3, confirmed_count=3)


class Killed(BaseException):
    """The worker died: nothing below the lane catches that."""


@pytest.mark.parametrize("dies_in", ["_write", "_shown"])
def test_a_worker_that_is_killed_is_followed_by_one_that_sends_nothing_twice(
    dies_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead_letters(30)
    destination = Destination()
    operation = start(30)
    real = getattr(ramp, dies_in)
    calls = []

    def dying(*args: Any) -> Any:
        calls.append(args)
        if len(calls) % 2:
            raise Killed
        return real(*args)

    with monkeypatch.context() as patched:
        patched.setattr(ramp, dies_in, dying)
        for _ in range(6):
            with suppress(Killed):
                ramp.step(now=NOW)
            # Undone as a whole: what had been revived is dead again, and its items have not begun.
            assert (
                not SyncJob.objects.filter(state="waiting").exclude(letter__bulk_items__state="sent").exists()
            )
            while destination.work(NOW + HOUR):
                pass
    operation = run(operation, destination)
    assert (operation.state, operation.recovered) == ("done", 30)
    assert len(destination.sends) == len(set(destination.sends)) == 30
    assert len(calls) > 2


def test_workers_side_by_side_send_nothing_twice(transactional_db: None) -> None:
    with transaction.atomic():
        dead_letters(150)
    operations = [start(150), start(150)]
    destination = Destination()
    ended = Event()

    def work(step: Callable[[], object]) -> None:
        try:
            while not ended.is_set():
                step()
        finally:
            connections.close_all()

    minutes = iter(range(1, 1_000_000))
    steps = [lambda: ramp.step(now=NOW + timedelta(minutes=next(minutes)))] * 2
    steps.append(lambda: destination.work(NOW + 10_000 * HOUR))
    threads = [Thread(target=work, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for _ in range(600):
        if not BulkOperation.objects.filter(state="running").exists():
            break
        ended.wait(0.05)
    ended.set()
    for thread in threads:
        thread.join()
    first, second = (BulkOperation.objects.get(pk=one.pk) for one in operations)
    assert (first.state, second.state) == ("done", "done")
    # What one has begun, the other leaves out.
    assert first.recovered + second.recovered == 150
    assert first.skipped + second.skipped == 150
    assert len(destination.sends) == len(set(destination.sends)) == 150


def test_an_operation_that_fails_lets_its_neighbours_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    dead_letters(2)
    ill, well = start(2), start(2, kind="discard")
    real = ramp._work

    def failing(operation_id: int, **options: Any) -> bool:
        if operation_id == ill.pk:
            raise RuntimeError
        return real(operation_id, **options)

    monkeypatch.setattr(ramp, "_work", failing)
    while ramp.step(now=NOW):
        pass
    well.refresh_from_db()
    assert (well.state, well.done) == ("done", 2)


def test_paused_resumed_and_canceled(acts: list[Act]) -> None:
    dead_letters(30)
    destination = Destination()
    operation = start(30)
    ramp.step(now=NOW)
    bulk.pause(operation.pk, by=BY, reason="Lunch.")
    while destination.work(NOW + HOUR):
        pass
    # What was under way ends by itself, and says so.
    assert ramp.step(now=NOW)
    assert not ramp.step(now=NOW)
    operation.refresh_from_db()
    assert (operation.state, operation.recovered, operation.pending) == ("paused", 1, 29)
    bulk.resume(operation.pk, by=BY)
    ramp.step(now=NOW)
    operation.refresh_from_db()
    # It goes on where it was.
    assert operation.sent == 10
    canceled = bulk.cancel(operation.pk, by=BY, now=NOW)
    assert (canceled.canceled, canceled.pending, canceled.sent) == (19, 0, 10)
    while destination.work(NOW + HOUR):
        pass
    ramp.step(now=NOW)
    operation.refresh_from_db()
    assert (operation.state, operation.recovered, operation.canceled, operation.sent) == (
        "canceled",
        11,
        19,
        0,
    )
    assert DeadLetter.objects.filter(state="open").count() == 19
    assert [act.action for act in acts] == ["bulk.start", "bulk.pause", "bulk.resume", "bulk.cancel"]
    assert AuditEntry.objects.filter(action="bulk.cancel", actor_id=BY).count() == 1
    for verb in (bulk.pause, bulk.resume):
        with pytest.raises(Refused, match="It is canceled"):
            verb(operation.pk, by=BY)
    with pytest.raises(Refused, match="no such bulk"):
        bulk.pause(10**9, by=BY)


def test_items_held_with_their_location_stay_under_way(place: Location) -> None:
    dead_letters(1)
    operation = start(1)
    Location.objects.update(state="paused", state_reason="Moving.")
    destination = Destination()
    operation = run(operation, destination)
    progress = bulk.progress(operation)
    assert (operation.state, operation.sent, progress.held, progress.percent) == ("running", 1, 1, 0)
    Location.objects.update(state="active", state_reason="")
    operation = run(operation, destination)
    assert (operation.state, operation.recovered) == ("done", 1)


def test_what_somebody_else_has_done_since_is_left_out_and_says_so() -> None:
    ids = dead_letters(4)
    operation = start(4)
    letters.discard(ids[:1], "Spam.", by=BY, now=NOW)
    letters.redrive(ids[1:2], by=BY, now=NOW)
    DeadLetter.objects.filter(pk=ids[1]).update(state="recovered", resolved_at=NOW)
    operation = run(operation, Destination())
    assert (operation.state, operation.skipped, operation.recovered) == ("done", 2, 2)
    left = dict(BulkItem.objects.filter(state="skipped").values_list("letter", "words"))
    assert "discarded" in left[ids[0]]
    assert "recovered" in left[ids[1]]


def test_what_newer_jobs_have_overtaken_is_not_sent() -> None:
    ids = dead_letters(3)
    fields = {
        "location_id": "loc-1",
        "state": "succeeded",
        "settled_at": NOW,
        "created_at": NOW,
        "next_at": NOW,
    }
    for number, writes in enumerate((["first_name"], ["first_name", "city"])):
        SyncJob.objects.filter(letter=ids[number]).update(ordering_key=f"contact:c-{number}", writes=writes)
        SyncJob.objects.create(
            id=f"00000000-0000-7000-8000-00000000000{number}",
            operation="contact.update",
            payload={},
            correlation_id="c",
            ordering_key=f"contact:c-{number}",
            writes=["first_name"],
            **fields,
        )
    destination = Destination()
    operation = run(start(3), destination)
    assert (operation.superseded, operation.needs_decision, operation.recovered) == (1, 1, 1)
    assert len(destination.sends) == 1
    # The engine may find out while the job is in hand.
    dead_letters(1)
    again = start(2)
    operation = run(again, Destination(takes=lambda job: False, says=("overtaken", "")))
    assert (operation.state, operation.needs_decision) == ("done", 2)


def test_redriven_letters_come_due_one_after_another_behind_what_is_new() -> None:
    location("loc-2", burst=10)
    dead_letters(12, location_id="loc-2")
    operation = start(12)
    ramp.step(now=NOW)
    SyncJob.objects.filter(state="waiting").update(state="dead", cause="refused", settled_at=NOW)
    BulkOperation.objects.filter(pk=operation.pk).update(step_size=1)
    BulkItem.objects.filter(state="sent").update(state="recovered", ended_at=NOW)
    ramp.step(now=NOW)
    due = sorted(SyncJob.objects.filter(state="waiting").values_list("next_at", flat=True))
    assert due == [NOW + timedelta(seconds=2 * number) for number in range(10)]


def test_other_kinds_go_in_chunks_without_a_ramp() -> None:
    nora = User.objects.create_user("nora", is_staff=True)
    ids = dead_letters(1_100)
    counted = {"confirmed_count": 1_100}
    given = [("assign", {"assignee_id": nora.pk}), ("discard", {}), ("restore", {})]
    for kind, options in given:
        assert bulk.count(kind, ALL) == 1_100
        operation = start(1_100, kind=kind, **counted, **options)
        with CaptureQueriesContext(connection) as asked:
            assert ramp.step(now=NOW)
        assert len(asked) <= 14, [one["sql"][:90] for one in asked]
        while ramp.step(now=NOW):
            pass
        operation.refresh_from_db()
        assert (operation.state, operation.done, operation.step) == ("done", 1_100, 3)
        states = {"assign": "open", "discard": "discarded", "restore": "open"}
        assert DeadLetter.objects.filter(state=states[kind], pk__in=ids).count() == 1_100
    assert DeadLetter.objects.filter(assigned_to=nora).count() == 1_100


def test_a_filter_chooses_what_it_says() -> None:
    location("loc-2")
    dead_letters(2)
    theirs = dead_letters(1, location_id="loc-2", code="status_400", at=NOW + HOUR)
    group = CauseGroup.objects.get(code="status_400")
    for chosen in (
        Chosen(location_id="loc-2"),
        Chosen(code="status_400"),
        Chosen(group_id=group.pk, subject="contact.update"),
    ):
        assert bulk.count("redrive", chosen) == 1
    assert bulk.count("redrive", Chosen(died_before=NOW + HOUR)) == 2
    operation = start(1, chosen=Chosen(group_id=group.pk, died_before=NOW + 2 * HOUR))
    assert [item.letter_id for item in operation.items.all()] == theirs
    assert operation.chosen == {"group_id": group.pk, "died_before": (NOW + 2 * HOUR).isoformat()}


def test_the_database_holds_the_operations_rules() -> None:
    dead_letters(2)
    operation = start(2)
    item = BulkItem.objects.first()
    wrong: list[tuple[Any, dict[str, Any]]] = [
        (BulkOperation, {"state": "done"}),
        (BulkOperation, {"state": "stopped"}),
        (BulkOperation, {"reason": ""}),
        (BulkOperation, {"pending": 1}),
        (BulkItem, {"state": "sent"}),
        (BulkItem, {"state": "recovered"}),
        (BulkItem, {"letter": item.letter_id}),
    ]
    for model, fields in wrong:
        with pytest.raises(IntegrityError), transaction.atomic():
            model.objects.update(**fields)
    assert (operation.total, operation.pending) == (2, 2)


def test_more_than_a_step_at_once_is_for_bulk_operations() -> None:
    with pytest.raises(ValueError, match="bulk operation"):
        moves.restore(range(501))
