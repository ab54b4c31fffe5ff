"""A sudden mass of messages is stopped while it is enqueued: what counts as one, and how many get away."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from sync import jobs, kill_switch, settlement
from sync.attempt import Ended
from sync.ghl.errors import Code, Outcome, Verdict
from sync.ghl.request import Request, Version
from sync.ghl.transport import Carrier, Timeouts
from sync.lane import Lane
from sync.mass_send import levels, rule, text, watch
from sync.mass_send.rule import FACTOR, FLOORS, Level, Measure, limit
from sync.models import Location, MessageLevel, MessageWatch, SyncJob
from sync.queue import Claimed, claim
from sync.signals import Act, Trouble
from sync.transitions import Next, State
from tests.sync.working import Studio
from trainu.demo.ghl import Simulator

NOW = datetime(2026, 11, 23, 12, 5, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=s) for s in (1, 60, 3600, 86_400))
BOSS = "staff:1"

# --- the rule ------------------------------------------------------------------------------------

measures = st.sampled_from(list(Measure))
counts = st.integers(0, 100_000)
some = st.builds(Level, measures, st.just("loc-1"), st.just(0), counts, counts)


@given(measures, counts, counts)
def test_more_history_never_makes_a_limit_smaller_and_none_is_below_the_floor(
    measure: Measure, usual: int, more: int
) -> None:
    assert FLOORS[measure] <= limit(measure, usual) <= limit(measure, usual + more)
    if usual <= rule.worth_knowing(measure):
        assert limit(measure, usual) == FLOORS[measure]


@given(st.lists(some))
def test_the_worst_is_beyond_its_limit_and_nothing_is_further_beyond(found: list[Level]) -> None:
    worst = rule.worst(found)
    beyond = [one for one in found if one.messages > max(FLOORS[one.measure], FACTOR * one.usual)]
    assert (worst is None) == (not beyond)
    if worst is not None:
        assert worst in beyond
        assert all(
            worst.messages * limit(one.measure, one.usual) >= one.messages * limit(worst.measure, worst.usual)
            for one in beyond
        )


@given(st.text(), st.integers(0, 10**9), st.integers(0, 10**9))
def test_texts_that_differ_in_digits_case_and_spaces_alone_have_one_number(said: str, a: int, b: int) -> None:
    assert text.normalised(f"{said} at {a} h") == text.normalised(f" {said}\n AT  {b} H ")


def test_other_texts_have_other_numbers_and_a_number_says_nothing_of_its_text() -> None:
    one, other = ({"message": said, "contact_id": "c-1"} for said in ("See you.", "See you!"))
    assert text.key_of(one) == text.key_of(one | {"contact_id": "c-2"}) != text.key_of(other)
    assert text.key_of({"subject": "Hi", "html": "x"}) != text.key_of({"subject": "Hi", "html": "y"})


# --- looking -------------------------------------------------------------------------------------


@pytest.fixture
def places(db: None) -> list[str]:
    ids = [f"loc-{number}" for number in range(1, 5)]
    for id in ids:
        Location.objects.create(pk=id, name="Studio", created_at=NOW, burst_limit=95)
    return ids


_MANY = """
insert into sync_syncjob (id, location_id, operation, payload, idempotency_key, ordering_key, writes, state,
    cause, code, is_lookup, is_redrive, is_suspect, tries, lookups, fence, next_at, result, correlation_id,
    created_at, text_key)
select gen_random_uuid(), %(place)s, 'message.send',
    jsonb_build_object('channel', 'SMS', 'message', 'Hi ' || gen_random_uuid(),
                       'contact_id', coalesce(%(contact)s, 'c-' || n)),
    '', 'k:' || n, '{}', 'waiting', '', '', false, false, false, 0, 0, 0, %(at)s, '{}', 'c', %(at)s,
    case when %(same)s then 7 else n end
from generate_series(%(first)s + 1, %(first)s + %(count)s) n
"""


def enqueued(
    count: int,
    place: str = "loc-1",
    *,
    at: datetime = NOW,
    same: bool = False,
    contact: str | None = None,
    first: int = 0,
) -> None:
    """Let so many messages be enqueued. same: with one text, or else each with its own."""
    given = {"count": count, "place": place, "at": at, "same": same, "contact": contact, "first": first}
    with connection.cursor() as cursor:
        cursor.execute(_MANY, given)


def looks(at: datetime) -> bool:
    """Let a lane look; return whether messages go."""
    watch.look(now=at)
    return not kill_switch.state().is_on


def let_go(at: datetime) -> None:
    kill_switch.turn_off("That was meant", by=BOSS, now=at)


def test_an_evening_of_reminders_and_a_digest_to_two_hundred_stop_nothing(places: list[str]) -> None:
    for place in places[:2]:
        enqueued(80, place, same=True)
        enqueued(200, place, at=NOW + 20 * MINUTE, same=True)
    assert looks(NOW + 20 * MINUTE + SECOND)


def test_too_many_of_a_location_in_a_minute_turn_the_switch_on_and_that_is_told_once(
    places: list[str], troubles: list[Trouble], acts: list[Act]
) -> None:
    enqueued(250)
    assert looks(NOW + SECOND)
    enqueued(1)
    assert not looks(NOW + 2 * SECOND)
    assert not looks(NOW + 3 * SECOND)
    [told] = troubles
    assert (told.kind, told.code, told.location_id) == ("mass_send", "rate_exceeded", "loc-1")
    assert "251 messages of location loc-1 within a minute; more than 250" in told.words
    [act] = acts
    assert (act.action, act.actor, "251 messages" in act.reason) == ("kill_switch.on", "system", True)
    assert claim(now=NOW + 3 * SECOND, most=10) == []


def test_a_trickle_that_no_minute_shows_is_noticed_in_ten(places: list[str], troubles: list[Trouble]) -> None:
    for minutes in range(5):
        enqueued(105, at=NOW - 5 * MINUTE + minutes * MINUTE)
    assert not looks(NOW)
    assert "525 messages of location loc-1 within ten minutes" in troubles[0].words


def test_the_same_text_to_many_contacts_of_a_location_is_noticed(
    places: list[str], troubles: list[Trouble]
) -> None:
    for minutes in range(2):
        enqueued(130, at=NOW + minutes * MINUTE, same=True, contact="c-1")
    assert looks(NOW + 2 * MINUTE), "to one contact it is no audience"
    for minutes in range(2):
        enqueued(130, "loc-2", at=NOW + minutes * MINUTE, same=True, first=minutes * 130)
    assert not looks(NOW + 4 * MINUTE)
    [told] = troubles
    assert (told.code, told.location_id) == ("audience_mismatch", "loc-2")
    assert "260 contacts were to get the same text of location loc-2" in told.words


def test_the_same_text_at_many_locations_is_noticed(places: list[str], troubles: list[Trouble]) -> None:
    for place in places:
        enqueued(126, place, same=True)
    assert not looks(NOW + SECOND)
    [told] = troubles
    assert (told.code, told.location_id) == ("audience_mismatch", "")
    assert "504 contacts were to get the same text of all locations" in told.words


def test_whoever_lets_a_mass_go_is_not_asked_again_and_its_size_is_usual_then(
    places: list[str], troubles: list[Trouble]
) -> None:
    enqueued(600)
    assert not looks(NOW + SECOND)
    let_go(NOW + 5 * SECOND)
    assert looks(NOW + 6 * SECOND)
    # The rest of it comes, and the next week's.
    enqueued(900, at=NOW + 6 * SECOND)
    enqueued(1_500, at=NOW + 7 * DAY)
    assert looks(NOW + 7 * SECOND)
    assert looks(NOW + 7 * DAY + SECOND)
    enqueued(1_300, at=NOW + 7 * DAY)
    assert not looks(NOW + 7 * DAY + 2 * SECOND)
    let_go(NOW + 7 * DAY + MINUTE)
    enqueued(300, at=NOW + 30 * DAY)
    assert not looks(NOW + 30 * DAY + SECOND), "what was usual a month ago is not any more"
    assert len(troubles) == 3


def test_what_staff_have_discarded_is_not_usual(places: list[str]) -> None:
    enqueued(5_000)
    assert not looks(NOW + SECOND)
    SyncJob.objects.update(state="dead", cause="withdrawn", settled_at=NOW)
    let_go(NOW + MINUTE)
    assert not MessageLevel.objects.exists()
    assert looks(NOW + MINUTE + SECOND), "and is not counted again"
    enqueued(251, at=NOW + DAY)
    assert not looks(NOW + DAY + SECOND)


def test_an_hour_is_usual_when_it_is_over_and_small_studios_leave_no_rows(places: list[str]) -> None:
    enqueued(240)
    enqueued(60, "loc-2")
    assert looks(NOW + SECOND)
    assert not MessageLevel.objects.exists(), "what comes in now does not raise its own limit"
    assert looks(NOW + HOUR)
    found = MessageLevel.objects.order_by("measure").values_list("measure", "location_id", "peak", "hour")
    hour = NOW.replace(minute=0)
    assert list(found) == [("minute", "loc-1", 240, hour), ("ten_minutes", "loc-1", 240, hour)]
    enqueued(700, at=NOW + DAY)
    assert looks(NOW + DAY + SECOND)


def test_what_came_while_nobody_looked_is_looked_at_before_anything_goes(places: list[str]) -> None:
    assert looks(NOW)
    enqueued(300, at=NOW + HOUR)
    assert not looks(NOW + 5 * HOUR)


def test_there_is_one_look_a_second_over_all_hosts_but_for_whoever_has_many_in_hand(
    places: list[str], django_assert_num_queries: Any
) -> None:
    assert looks(NOW)
    enqueued(300)
    with django_assert_num_queries(1):
        watch.look(now=NOW + SECOND / 2)
    assert not kill_switch.state().is_on
    watch.look(now=NOW + SECOND / 2, at_once=True)
    assert kill_switch.state().is_on


def test_a_clock_that_was_ahead_keeps_nobody_from_looking(places: list[str]) -> None:
    assert looks(NOW + HOUR)
    enqueued(300)
    assert not looks(NOW + SECOND)


@pytest.mark.parametrize("is_analyzed", [False, True])
def test_a_look_reads_what_is_new_by_its_index_alone(places: list[str], is_analyzed: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute("truncate sync_syncjob cascade")
    enqueued(5_000, at=NOW - DAY)
    enqueued(100, at=NOW)
    with connection.cursor() as cursor:
        if is_analyzed:
            cursor.execute("analyze sync_syncjob")
        given = levels._since(MessageWatch(looked_at=NOW), NOW) | {one.value: FLOORS[one] for one in Measure}
        cursor.execute(f"explain (analyze, costs off) {levels._BEYOND}", given)
        shown = "\n".join(line for (line,) in cursor.fetchall())
    assert "using message_by_time" in shown, shown
    assert "Seq Scan on sync_syncjob" not in shown, shown


# --- a leak --------------------------------------------------------------------------------------


def sent(began: datetime, released_at: datetime | None = None) -> None:
    """Let a lane settle a message that it has sent, whatever it should have done."""
    payload = {"channel": "SMS", "contact_id": "c", "message": "Hi"}
    job = jobs.enqueue("message.send", "loc-1", payload, now=NOW).job_id
    SyncJob.objects.filter(pk=job).update(state="leased", fence=1)
    in_hand = Claimed(job, 1, "loc-1", "message.send", "{}", False, 0, 0, "c", False, NOW, "k", released_at)
    request = Request("POST", "/conversations/messages", Version.CONVERSATIONS)
    verdict, done = Verdict(Outcome.OK, Code.OK), Next(State.SUCCEEDED, 1, 0)
    ended = Ended(in_hand, "send", verdict, done, began, 1.0, request=request)
    settlement.settle([ended], now=began + SECOND)


def test_a_message_that_leaves_after_the_switch_was_turned_on_is_told_once(
    places: list[str], troubles: list[Trouble]
) -> None:
    sent(NOW)
    kill_switch.turn_on("Stop", by=BOSS, now=NOW)
    troubles.clear()
    sent(NOW - SECOND)
    sent(NOW + kill_switch.GRACE / 2)
    sent(NOW + MINUTE, released_at=NOW + SECOND)
    assert troubles == []
    sent(NOW + MINUTE, released_at=NOW - DAY)
    sent(NOW + 2 * MINUTE)
    assert [one.code for one in troubles] == ["kill_switch_leaks"]
    let_go(NOW + HOUR)
    sent(NOW + HOUR)
    kill_switch.turn_on("Stop", by=BOSS, now=NOW + 2 * HOUR)
    sent(NOW + 3 * HOUR)
    assert [one.code for one in troubles].count("kill_switch_leaks") == 2


# --- real lanes ----------------------------------------------------------------------------------

# What a location's bucket gives at once (a fifth of 95) and in the second and a quarter until a look and a
# shut gate, at 7.6 a second: 19 + 10. As much again for a machine that is busy.
MOST_GONE = 60


@pytest.fixture
def studio(transactional_db: None) -> Iterator[Studio]:
    with Simulator(seed=1, limits=False) as simulator:
        yield Studio(simulator, burst=95)


def run_lanes(studio: Studio, seconds: float) -> None:
    """Let two lanes and one that recovers work by the real clock, each in a thread of its own."""
    patient = Timeouts(pool_s=5, connect_s=5, read_s=5, total_s=5)

    def work(recovers: bool) -> None:
        async def run() -> None:
            lane = Lane(Carrier(studio.ghl.url, timeouts=patient), recovers=recovers)
            ends = asyncio.get_running_loop().time() + seconds
            await lane.run(lambda: asyncio.get_running_loop().time() > ends)

        asyncio.run(run())

    threads = [threading.Thread(target=work, args=[recovers]) for recovers in (False, False, True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def gone(studio: Studio) -> int:
    return sum(studio.ghl.deliveries().values())


def test_of_five_thousand_messages_at_once_hardly_one_leaves_although_somebody_has_just_looked(
    studio: Studio, troubles: list[Trouble]
) -> None:
    contact = studio.contact()
    now = timezone.now()
    # Nobody is due to look before half a second has passed, but for who has many in hand.
    MessageWatch.objects.create(looked_at=now + SECOND / 2)
    enqueued(5_000, studio.id, at=now, contact=contact)
    run_lanes(studio, 1.5)
    assert kill_switch.state().is_on
    assert kill_switch.state().by == "system"
    # None, but where a lane's claims come to fewer than it looks again for, one after the other.
    assert gone(studio) < kill_switch.MANY
    assert [one.code for one in troubles] == ["rate_exceeded"]
    waiting = SyncJob.objects.filter(state="waiting", operation="message.send").count()
    assert waiting == 5_000 - gone(studio)


def test_of_an_app_that_goes_on_and_on_a_few_tens_leave_before_it_is_stopped(studio: Studio) -> None:
    contact = studio.contact()

    def report() -> None:
        for _ in range(30):
            enqueued(50, studio.id, at=timezone.now(), contact=contact)
            if stop.wait(0.05):
                break
        connection.close()

    stop = threading.Event()
    app = threading.Thread(target=report)
    app.start()
    run_lanes(studio, 2.5)
    stop.set()
    app.join()
    assert kill_switch.state().is_on
    assert 0 < gone(studio) <= MOST_GONE
    assert studio.ghl.ledger.doubles() == {}
