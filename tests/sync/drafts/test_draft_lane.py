"""The draft lane: what becomes of drafts by what the model answers, from the claim to what is told."""

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings

from sync import signals, tasks
from sync.database_thread import DatabaseThread
from sync.drafts import deciding, queue, writing
from sync.models import Draft, DraftAttempt
from sync.signals import DraftWritten, ModelFailed
from tests.llm_server import FAULTS, Said, llm, wrong, wrote
from tests.sync.drafts.drafting import CONTEXT, NOW, Desk
from tests.sync.drafts.test_asking import MEANT
from trainu import lanes

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def desk(transactional_db: None) -> Iterator[Desk]:
    with llm() as server, asyncio.Runner() as runner:
        desk = Desk(server, runner)
        yield desk
        desk.close()


@pytest.fixture
def told() -> Iterator[list[Any]]:
    told: list[Any] = []

    def hear_written(written: list[DraftWritten], **_signal: Any) -> None:
        told.extend(written)

    def hear_failures(failures: list[ModelFailed], **_signal: Any) -> None:
        told.extend(failures)

    signals.drafts_written.connect(hear_written)
    signals.models_failed.connect(hear_failures)
    yield told
    signals.drafts_written.disconnect(hear_written)
    signals.models_failed.disconnect(hear_failures)


def test_a_draft_is_written_kept_and_told(desk: Desk, told: list[Any]) -> None:
    draft_id = desk.ask(channel="email", kind="booking_reminder")
    assert desk.work() == 1
    draft = Draft.objects.get(pk=draft_id)
    assert (draft.state, draft.code, draft.tries) == ("review", "", 1)
    assert (draft.subject, draft.text) == ("For you", "Hi Ada! See you Tuesday 24 November at 9:00 am.")
    assert (draft.written_subject, draft.written_text) == (draft.subject, draft.text)
    assert (draft.based_at, draft.written_at) == (NOW, NOW)
    [attempt] = DraftAttempt.objects.filter(draft_id=draft_id)
    assert (attempt.outcome, attempt.model, attempt.prompt_tokens) == ("ok", "loopback-1", 120)
    assert attempt.duration_ms
    assert attempt.began_at == NOW
    [one] = told
    assert (one.draft_id, one.round, one.model, one.correlation_id) == (
        draft_id,
        1,
        "loopback-1",
        draft.correlation_id,
    )


@pytest.mark.parametrize("fault", ["429", "500", "cut", "html"])
def test_what_may_pass_is_tried_three_times_and_then_failed(desk: Desk, told: list[Any], fault: str) -> None:
    desk.llm.otherwise = lambda _request: FAULTS[fault]
    draft_id = desk.ask()
    desk.work()
    assert desk.state(draft_id) == ("waiting", MEANT[fault])
    for seconds in (4, 1, 29, 1, 1000, 1000):
        desk.advance(seconds=seconds)
        desk.work()
    assert desk.state(draft_id) == ("failed", MEANT[fault])
    assert desk.llm.calls == 3
    assert desk.tries(draft_id) == [(1, number, "transient", MEANT[fault]) for number in (1, 2, 3)]
    assert [one.draft_id for one in told] == [draft_id] * 3


@pytest.mark.parametrize(
    "fault", ["401", "400", "refusal", "filtered", "empty", "oversize", "unknown placeholder"]
)
def test_what_cannot_pass_fails_at_once(desk: Desk, told: list[Any], fault: str) -> None:
    desk.llm.otherwise = lambda _request: FAULTS[fault]
    draft_id = desk.ask()
    desk.work()
    desk.advance(hours=1)
    desk.work()
    assert desk.state(draft_id) == ("failed", MEANT[fault])
    assert desk.llm.calls == len(told) == 1
    assert desk.tries(draft_id) == [(1, 1, "permanent", MEANT[fault])]


def test_a_booking_without_its_time_is_no_message(desk: Desk) -> None:
    desk.llm.script(wrote("See you soon, {{client_first_name}}."))
    draft_id = desk.ask(kind="booking_confirmation")
    desk.work()
    assert desk.state(draft_id) == ("failed", "placeholder")


def test_whoever_asks_to_wait_is_asked_again_then(desk: Desk) -> None:
    desk.llm.script(wrong(429, retry_after="40"))
    draft_id = desk.ask()
    desk.work()
    assert Draft.objects.get(pk=draft_id).next_at == NOW + timedelta(seconds=40)
    desk.advance(seconds=40)
    desk.work()
    assert desk.state(draft_id) == ("review", "")


def test_a_person_who_asks_again_begins_a_round_of_three(desk: Desk) -> None:
    desk.llm.otherwise = lambda _request: wrong(500)
    draft_id = desk.ask()
    for _ in range(4):
        desk.work()
        desk.advance(minutes=1)
    deciding.retry(draft_id, by="staff:nora", now=desk.now)
    for _ in range(4):
        desk.work()
        desk.advance(minutes=1)
    assert desk.llm.calls == 6
    assert [row[:2] for row in desk.tries(draft_id)] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]


def test_a_hint_goes_along_with_what_was_written_before_and_neither_with_a_name(desk: Desk) -> None:
    draft_id = desk.ask(context={"client": CONTEXT["client"]})
    desk.work()
    assert Draft.objects.get(pk=draft_id).text == "Hi Ada!"
    deciding.regenerate(draft_id, hint="Call her Lady Lovelace", by="staff:nora", now=desk.now)
    desk.llm.script(wrote("Hi Lady {{client_last_name}}!"))
    desk.work()
    asked = desk.llm.requests[-1]["messages"][1]["content"]
    assert "Hi {{client_first_name}}!" in asked
    assert "Call her Lady {{client_last_name}}" in asked
    draft = Draft.objects.get(pk=draft_id)
    assert (draft.state, draft.round, draft.text) == ("review", 2, "Hi Lady Lovelace!")


def test_one_that_hangs_holds_up_no_other_and_no_connection_of_the_database(desk: Desk) -> None:
    desk.timeout_s = 3.0
    desk.llm.script(Said(hang_s=20))
    drafts = [desk.ask() for _ in range(6)]
    assert desk.work() == 6
    assert sorted(map(desk.state, drafts)) == [("review", "")] * 5 + [("waiting", "timeout")]


def test_a_lane_that_has_to_stop_does_so_within_a_second_and_loses_nothing(desk: Desk) -> None:
    desk.llm.otherwise = lambda _request: Said(hang_s=20)
    draft_id = desk.ask()
    stopped: list[float] = []

    def has_to_stop() -> bool:
        if desk.llm.calls and not stopped:
            stopped.append(time.monotonic())
        return bool(stopped)

    desk.runner.run(desk.lane().run(has_to_stop))
    assert time.monotonic() - stopped[0] < 3
    assert desk.state(draft_id) == ("waiting", "lost")
    assert desk.tries(draft_id) == [(1, 1, "lost", "lost")]
    desk.llm.otherwise = lambda _request: wrote("Hi")
    desk.work()
    assert desk.state(draft_id) == ("review", "")


def test_what_a_lost_lane_had_in_hand_goes_on_and_is_called_three_times_at_most(desk: Desk) -> None:
    draft_id = desk.ask()
    for _ in range(3):
        [_claimed] = queue.claim(now=desk.now, most=5, lease=timedelta(seconds=50))
        assert queue.claim(now=desk.now, most=5, lease=timedelta(seconds=50)) == []
        desk.advance(seconds=49)
        assert queue.take_back(now=desk.now) == 0
        desk.advance(seconds=1)
        assert queue.take_back(now=desk.now) == 1
    assert desk.state(draft_id) == ("failed", "lost")
    assert desk.tries(draft_id) == [(1, number, "lost", "lost") for number in (1, 2, 3)]


def test_whoever_comes_late_changes_nothing(desk: Desk, told: list[Any]) -> None:
    draft_id = desk.ask()
    [late] = queue.claim(now=desk.now, most=5, lease=timedelta(seconds=1))
    desk.advance(seconds=2)
    queue.take_back(now=desk.now)
    [_other] = queue.claim(now=desk.now, most=5, lease=timedelta(seconds=1))
    assert queue.settle([writing.given_up(late)], now=desk.now) == set()
    assert desk.state(draft_id)[0] == "writing"
    desk.advance(seconds=2)
    queue.take_back(now=desk.now)
    deciding.dismiss(draft_id, reason="not now", by="staff:nora", now=desk.now)
    assert queue.settle([writing.given_up(late)], now=desk.now) == set()
    assert desk.state(draft_id)[0] == "dismissed"
    assert told == []


def test_drafts_that_somebody_has_locked_are_left_to_them(desk: Desk) -> None:
    desk.ask()
    with transaction.atomic():
        list(Draft.objects.select_for_update())
        asyncio.run(_claim_beside())
    assert desk.work() == 1


async def _claim_beside() -> None:
    async with DatabaseThread() as database:
        assert await database(queue.claim, now=NOW, most=5, lease=timedelta(seconds=1)) == []


@override_settings(LLM_MODEL="")
def test_without_a_model_drafts_wait(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    draft_id = desk.ask()
    monkeypatch.setattr(lanes, "RUN_FOR_S", 0.1)
    lanes_run = lanes.run
    monkeypatch.setattr(lanes, "run", lambda name, step: lanes_run(name, step, run_for_s=0.1))
    tasks.write_drafts()
    assert desk.state(draft_id) == ("waiting", "")
    assert desk.tries(draft_id) == []


def test_a_draft_that_breaks_our_program_holds_up_no_other(desk: Desk) -> None:
    broken = desk.ask()
    Draft.objects.filter(pk=broken).update(context=["of another version"])
    other = desk.ask()
    desk.work()
    assert desk.state(broken) == ("failed", "broken")
    assert desk.state(other) == ("review", "")
