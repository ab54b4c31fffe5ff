"""The kill switch: no message goes out anywhere while it is on, and nothing is lost or out of order by it."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, connection, transaction
from pydantic import SecretStr

from observability import sync_health
from sync import attempt, jobs, kill_switch, queue, recovery, settlement
from sync.database_thread import DatabaseThread
from sync.dead_letters import letters, preflight
from sync.ghl.errors import Code, Outcome
from sync.ghl.transport import Carrier, Timeouts
from sync.kill_switch import Gate
from sync.lane import Lane
from sync.models import Budget, DeadLetter, KillSwitch, Location, SyncAttempt, SyncJob
from sync.queue import Claimed
from sync.signals import Act, Trouble
from sync.stats import kill_switch as figures
from sync.stats import queues
from sync.stats.queues import Count
from tests.sync.dying import death
from tests.sync.working import PATIENT, QUICK, Studio
from trainu.demo.ghl import Simulator

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
WHY = "A campaign went to the wrong list"
BOSS = "staff:1"


@pytest.fixture
def location(db: None) -> Location:
    return Location.objects.create(pk="loc-1", name="Studio", created_at=NOW, burst_limit=1_000)


def on(at: datetime = NOW) -> bool:
    return kill_switch.turn_on(WHY, by=BOSS, now=at)


def off(at: datetime = NOW) -> bool:
    return kill_switch.turn_off("The list is right now", by=BOSS, now=at)


def message(contact: str = "c-1", **options: Any) -> UUID:
    payload = {"channel": "SMS", "contact_id": contact, "message": "See you at nine."}
    return jobs.enqueue("message.send", "loc-1", payload, **({"now": NOW} | options)).job_id


def tags(contact: str = "c-1", **options: Any) -> UUID:
    payload = {"contact_id": contact, "tags": ["vip"]}
    return jobs.enqueue("contact.add_tags", "loc-1", payload, **({"now": NOW} | options)).job_id


def claimed(at: datetime = NOW, *, suspects: bool = False, most: int = 10) -> set[UUID]:
    return {one.id for one in queue.claim(now=at, most=most, suspects=suspects)}


# --- the switch ----------------------------------------------------------------------------------


def test_without_a_row_it_is_off_and_who_turns_it_says_why_both_ways(
    db: None, acts: list[Act], troubles: list[Trouble]
) -> None:
    assert kill_switch.state() == kill_switch.State(is_on=False)
    for turn in (kill_switch.turn_on, kill_switch.turn_off):
        for reason in ("", "  ", "a\x00b", "x" * 301):
            with pytest.raises(kill_switch.Refused, match="Say why"):
                turn(reason, by=BOSS, now=NOW)
    assert KillSwitch.objects.count() == 0
    assert on()
    assert kill_switch.state() == kill_switch.State(True, BOSS, WHY, NOW)
    assert off(NOW + MINUTE)
    assert kill_switch.state() == kill_switch.State(False, BOSS, "The list is right now", NOW + MINUTE)
    assert [(act.action, act.target_id, act.reason, act.actor) for act in acts] == [
        ("kill_switch.on", "1", WHY, BOSS),
        ("kill_switch.off", "1", "The list is right now", BOSS),
    ]
    [told] = troubles
    assert (told.kind, told.code) == ("mass_send", "kill_switch_tripped")
    assert WHY not in told.words


def test_one_that_is_on_keeps_who_stopped_the_messages_and_why(
    db: None, acts: list[Act], troubles: list[Trouble]
) -> None:
    assert not off()
    on()
    assert not kill_switch.turn_on("Me too", by="key:3", now=NOW + MINUTE)
    assert kill_switch.state() == kill_switch.State(True, BOSS, WHY, NOW)
    assert (len(acts), len(troubles)) == (1, 1)


def test_what_is_personal_is_not_kept_in_its_reason(db: None) -> None:
    kill_switch.turn_on("mira.stone@example.org complained", by=BOSS, now=NOW)
    assert "mira" not in kill_switch.state().reason


def test_turning_it_on_is_a_sev1(db: None, caplog: pytest.LogCaptureFixture) -> None:
    on()
    for word in ("sync_troubled", "SEV1", "mass-send", "kill_switch_tripped"):
        assert word in caplog.text


# --- the claim -----------------------------------------------------------------------------------


def test_no_lane_takes_a_message_in_hand_while_it_is_on(location: Location) -> None:
    first, suspect, other = message("c-1"), message("c-2"), tags("c-3")
    SyncJob.objects.filter(pk=suspect).update(is_suspect=True)
    on()
    assert claimed() == {other}
    assert claimed(suspects=True) == set()
    off()
    assert (claimed(), claimed(suspects=True)) == ({first}, {suspect})


def test_what_is_held_costs_nothing_and_keeps_its_time(location: Location) -> None:
    held = message()
    before = SyncJob.objects.get(pk=held)
    on()
    for minutes in range(5):
        assert claimed(NOW + minutes * MINUTE) == set()
    after = SyncJob.objects.get(pk=held)
    assert (after.tries, after.fence, after.next_at) == (0, 0, before.next_at)
    budget = Budget.objects.get()
    assert (budget.used_today, budget.refilled_at) == (0, NOW)
    off()
    assert claimed(NOW + 5 * MINUTE) == {held}


def test_what_is_behind_a_held_message_in_its_order_waits_too(location: Location) -> None:
    held = message(ordering_key="journey")
    later, beside = tags(ordering_key="journey"), tags(ordering_key="another")
    on()
    assert claimed() == {beside}
    assert claimed() == set()
    off()
    assert claimed() == {held}
    settle_all()
    assert claimed() == {later}


def settle_all() -> None:
    SyncJob.objects.filter(state="leased").update(state="succeeded", settled_at=NOW)


def test_what_is_ahead_of_a_message_goes_and_the_message_stays(location: Location) -> None:
    ahead, held = tags(ordering_key="journey"), message(ordering_key="journey")
    on()
    assert claimed() == {ahead}
    settle_all()
    assert claimed() == set()
    off()
    assert claimed() == {held}


def test_a_lookup_of_a_message_waits_as_well_and_is_no_more_than_a_lookup_afterwards(
    location: Location,
) -> None:
    held = message()
    SyncJob.objects.filter(pk=held).update(is_lookup=True, tries=1)
    on()
    assert claimed() == set()
    off()
    [job] = queue.claim(now=NOW, most=1)
    assert (job.id, job.is_lookup, job.tries) == (held, True, 1)


def test_a_lost_message_is_taken_back_and_not_sent_again(location: Location) -> None:
    lost = message()
    assert claimed() == {lost}
    on()
    late = NOW + queue.LEASE + SECOND
    assert recovery.take_back(now=late)
    row = SyncJob.objects.get(pk=lost)
    assert (row.state, row.is_lookup, row.is_suspect) == ("waiting", True, True)
    assert claimed(late + timedelta(hours=1), suspects=True) == set()
    off()
    assert claimed(late + timedelta(hours=1), suspects=True) == {lost}


def test_a_claim_obeys_the_switch_as_it_stands_when_it_begins(location: Location) -> None:
    """Not as it is being turned: whoever has not committed has stopped nothing, and blocks nobody."""
    held = message()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        on()
        assert claimed() == set()
        1 / 0  # noqa: B018
    assert claimed() == {held}


def test_once_it_is_off_messages_go_at_their_locations_rate(location: Location) -> None:
    Location.objects.update(burst_limit=50)
    for number in range(40):
        message(f"c-{number}")
    on()
    assert claimed(most=100) == set()
    off()
    assert [len(claimed(NOW + second * SECOND, most=100)) for second in (0, 0, 1, 2)] == [10, 0, 4, 4]


def test_it_costs_no_statement_more(location: Location, django_assert_num_queries: Any) -> None:
    message()
    tags()
    on()
    with django_assert_num_queries(1):
        assert len(queue.claim(now=NOW, most=10)) == 1


_MANY = """
insert into sync_syncjob (id, location_id, operation, payload, idempotency_key, ordering_key, writes, state,
    cause, code, is_lookup, is_redrive, is_suspect, tries, lookups, fence, next_at, result, correlation_id,
    created_at)
select gen_random_uuid(), 'loc-1', %s, '{}', '', 'k:' || n, '{}', 'waiting', '', '', false, false, false,
    0, 0, 0, %s::timestamptz - make_interval(secs => 9000 - n * 0.01), '{}', 'c', %s
from generate_series(%s, %s) n
"""


def many(count: int, operation: str, first: int = 0) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_MANY, [operation, NOW, NOW, first, first + count - 1])


def plan(statement: str) -> str:
    given = {
        "now": NOW,
        "lease": NOW + queue.LEASE,
        "most": 200,
        "day": NOW.date(),
        "at_once": 0.2,
        "window": 10.0,
    }
    with connection.cursor() as cursor:
        cursor.execute(f"explain (analyze, buffers, costs off) {statement}", given)
        return "\n".join(line for (line,) in cursor.fetchall())


@pytest.mark.parametrize("is_analyzed", [False, True])
def test_what_may_go_is_found_without_reading_what_is_held(location: Location, is_analyzed: bool) -> None:
    with connection.cursor() as cursor:
        # What earlier tests have left of the table would say how large it is, where nothing else does.
        cursor.execute("truncate sync_syncjob cascade")
    many(8_000, "message.send")
    many(150, "contact.add_tags", 8_000)
    if is_analyzed:
        with connection.cursor() as cursor:
            cursor.execute("analyze sync_syncjob")
    on()
    shown = plan(queue._CLAIM_OTHERS)
    taken = [line for line in shown.splitlines() if "never executed" not in line]
    assert [line for line in taken if "using job_due_unheld" in line], shown
    assert not [line for line in taken if "using job_due on" in line or "Seq Scan on sync_syncjob" in line], (
        shown
    )
    filtered = [line for line in taken if "Rows Removed by Filter" in line]
    assert all(int(line.rpartition(":")[2]) < 100 for line in filtered), shown
    SyncJob.objects.filter(state="leased").update(state="succeeded", settled_at=NOW)
    off()
    shown = plan(queue._CLAIM_OTHERS)
    taken = [line for line in shown.splitlines() if "never executed" not in line]
    assert [line for line in taken if "using job_due on" in line], shown
    assert not [line for line in taken if "job_due_unheld" in line], shown


# --- what is in hand when it is turned -----------------------------------------------------------


@pytest.fixture
def studio(transactional_db: None) -> Iterator[Studio]:
    with Simulator(seed=1, limits=False) as simulator:
        yield Studio(simulator, timeouts=PATIENT)


def sms(contact: str, number: int = 0) -> dict[str, str]:
    return {"channel": "SMS", "contact_id": contact, "message": f"See you at nine. {number}"}


def received(studio: Studio) -> int:
    return sum(studio.ghl.deliveries().values())


def test_within_two_seconds_no_message_goes_out_any_more_and_afterwards_all_do_once(studio: Studio) -> None:
    contact = studio.contact()
    messages = [
        studio.enqueue("message.send", sms(contact, number), ordering_key=f"m:{number}")
        for number in range(240)
    ]
    studio.ghl.fail("slow", ms=50)
    # Two at a time: what is in hand would go on for five seconds.
    patient = Timeouts(pool_s=30, connect_s=2, read_s=2, total_s=5)

    async def stopped_midway() -> tuple[int, int, int]:
        carrier = Carrier(studio.ghl.url, timeouts=patient, connections=2)
        lane = Lane(carrier, clock=studio.clock, concurrency=200)
        ends = asyncio.Event()
        running = asyncio.create_task(lane.run(ends.is_set))
        deadline = time.monotonic() + 20
        while received(studio) < 10 and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        async with DatabaseThread() as database:
            await database(kill_switch.turn_on, WHY, by=BOSS, now=studio.clock.now)
            committed = received(studio)
            await asyncio.sleep(1.0)
            soon = received(studio)
            await asyncio.sleep(1.0)
        later = received(studio)
        ends.set()
        await running
        return committed, soon, later

    committed, soon, later = asyncio.run(stopped_midway())
    assert 10 <= committed <= soon == later == received(studio) < 200
    waiting = SyncJob.objects.filter(pk__in=messages, state="waiting")
    assert waiting.count() == 240 - later
    assert set(waiting.values_list("tries", flat=True)) == {0}
    assert waiting.filter(code="kill_switch").count() > 100
    studio.ghl.heal()
    kill_switch.turn_off("Mended", by=BOSS, now=studio.clock.now)
    for _ in range(5):
        studio.clock.advance(seconds=30)
        studio.work()
    assert SyncJob.objects.filter(pk__in=messages, state="succeeded").count() == 240
    assert received(studio) == 240
    assert studio.ghl.ledger.doubles() == {}


class Shut:
    """A gate that was shut when it was asked, and counts how often."""

    asked = 0

    async def __call__(self) -> bool:
        self.asked += 1
        return False


class Known:
    async def token(self, location_id: str) -> SecretStr:
        return SecretStr(f"pit-{location_id}")


def made(studio: Studio, job: Claimed, gate: Any) -> attempt.Ended:
    async def make() -> attempt.Ended:
        async with Carrier(studio.ghl.url, timeouts=QUICK) as carrier:
            return await attempt.make(job, carrier, Known(), clock=studio.clock, past=None, gate=gate)  # type: ignore[arg-type]

    return asyncio.run(make())


def test_a_message_in_hand_is_taken_back_before_its_first_byte_and_costs_no_try(studio: Studio) -> None:
    contact = studio.contact()
    job = studio.enqueue("message.send", sms(contact))
    [mine] = queue.claim(now=studio.clock.now, most=10)
    before = studio.ghl.ledger.total(studio.id)
    ended = made(studio, mine, gate := Shut())
    assert (ended.result.outcome, ended.result.code) == (Outcome.DEFERRED, Code.KILL_SWITCH)
    assert (gate.asked, ended.requests, ended.request) == (1, 0, None)
    assert (studio.ghl.ledger.total(studio.id), received(studio)) == (before, 0)
    settlement.settle([ended], now=studio.clock.now)
    assert studio.state(job) == ("waiting", "kill_switch", 0)
    assert SyncAttempt.objects.get(job_id=job).outcome == "deferred"


def test_nothing_but_messages_asks_the_gate(studio: Studio) -> None:
    studio.enqueue("contact.upsert", {"email": "ada@example.org"})
    [mine] = queue.claim(now=studio.clock.now, most=10)
    ended = made(studio, mine, gate := Shut())
    assert (ended.result.outcome, gate.asked) == (Outcome.OK, 0)


def test_a_gate_looks_again_after_a_moment_and_those_who_ask_together_share_a_look(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    look = kill_switch._looked

    def counted() -> tuple[float, bool]:
        nonlocal looks
        looks += 1
        return look()

    monkeypatch.setattr(kill_switch, "_looked", counted)

    async def asked() -> list[Any]:
        async with DatabaseThread() as database:
            gate = Gate(database)
            open_at_first = await asyncio.gather(*(gate() for _ in range(50)))
            shared = looks
            await database(on)
            await asyncio.sleep(kill_switch.FRESH_S + 0.01)
            return [set(open_at_first), shared, await gate()]

    assert asyncio.run(asked()) == [{True}, 1, False]


def test_where_nobody_can_tell_the_gate_is_shut(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> tuple[float, bool]:
        raise OperationalError

    monkeypatch.setattr(kill_switch, "_looked", away)

    async def asked() -> bool:
        async with DatabaseThread() as database:
            return await Gate(database)()

    assert asyncio.run(asked()) is False


# --- what is told of it --------------------------------------------------------------------------


def test_what_is_held_is_not_late_and_hides_nothing_that_is(location: Location) -> None:
    for number in range(60):
        message(f"c-{number}", now=NOW - 9 * MINUTE)
    suspect = message("c-99", now=NOW - 9 * MINUTE)
    SyncJob.objects.filter(pk=suspect).update(is_suspect=True)
    assert queues.jobs(now=NOW).late_since == NOW - 9 * MINUTE
    on()
    assert queues.jobs(now=NOW).late_since is None
    tags("c-1", now=NOW - 3 * MINUTE)
    tags("c-2", now=NOW - 5 * MINUTE, ordering_key="messages:c-2")
    assert queues.jobs(now=NOW).late_since == NOW - 3 * MINUTE


def test_how_many_are_held_is_counted_so_far_and_no_further(
    location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert figures.look(now=NOW) == figures.Switch(False, None, Count(0))
    for number in range(4):
        message(f"c-{number}")
        tags(f"c-{number}")
    message("c-9", now=NOW + MINUTE)
    on()
    assert figures.look(now=NOW) == figures.Switch(True, NOW, Count(4))
    monkeypatch.setattr(figures, "MOST_OF_A_LOCATION", 4)
    assert figures.held(now=NOW, since=NOW).is_more
    monkeypatch.setattr(figures, "MOST", 3)
    assert figures.held(now=NOW, since=NOW).is_more


def test_health_says_that_it_is_on_and_how_much_it_holds(location: Location) -> None:
    message(now=NOW - 9 * MINUTE)
    on()
    wrong, detail = sync_health.look(now=NOW)
    assert wrong == ["The kill switch is on: no message goes out until somebody turns it off."]
    assert (detail["kill_switch"], detail["messages_held"]) == ("on", "1")
    assert WHY not in str(detail)


def test_letters_of_messages_may_be_redriven_and_are_said_to_be_held(location: Location) -> None:
    texts, others = message(), tags()
    SyncJob.objects.update(state="dead", cause="refused", settled_at=NOW, tries=1)
    letters.died([death(texts, subject="message.send"), death(others, subject="contact.add_tags")], now=NOW)
    of_message, other = (DeadLetter.objects.get(job_id=job) for job in (texts, others))
    assert preflight.of([of_message, other]) == {}
    on()
    [(pk, found)] = preflight.of([of_message, other]).items()
    assert (pk, found.kind) == (of_message.pk, "held")
    assert "kill switch" in found.words
    done = letters.redrive([of_message.pk, other.pk], by=BOSS, now=NOW)
    assert done.done == {of_message.pk, other.pk}
    later = NOW + MINUTE
    assert claimed(later) == {others}
    off()
    assert claimed(later) == {texts}
