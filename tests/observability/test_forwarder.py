"""Stored events reach PostHog at least once, unchanged, in order, and never twice by our own doing."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from pytest_django import Settings
from uuid_utils.compat import uuid7

from observability import capture, forward_refusals, forwarder, models, tasks
from observability.capture import Occurrence
from observability.catalog import Event
from observability.catalog.onboarding import UserLoggedIn
from observability.catalog.performance import PageLoadTime
from observability.forwarder import Forwarding, MovedByAnother, Step
from observability.models import EventDefinition, Forwarder, ForwardRejection
from observability.posthog import Misconfigured, Sender, StoredEvent, Unavailable, message
from observability.store import Origin
from tests import servers
from tests.journeys import database
from tests.journeys.database import eventually, settle
from tests.servers import PostHogServer, PostHogV1Server, Reply
from trainu import lanes

NOW = timezone.now()
PEOPLE = 10


@pytest.fixture
def transactional_db(transactional_db: None) -> None:
    """Commits are real, and the forwarder stands where the queue is empty."""
    # A check of health that another test began may have made the row meanwhile, in a thread of its own.
    Forwarder.objects.update_or_create(pk=1, defaults={"position_xid": database.settle()})


@pytest.fixture
def posthog(transactional_db: None) -> Iterator[PostHogServer]:
    """A PostHog, and an empty queue for it."""
    with servers.posthog() as server:
        yield server


def login(person: int) -> Event:
    return UserLoggedIn(user_id=f"c-{person}", role="client")


def page_load() -> Event:
    return PageLoadTime(duration_ms=12.5, page="/trainers/{id}")


def store(count: int, event: Callable[[int], Event] = login, *, at: datetime = NOW) -> list[str]:
    """Store so many events of ten people in one transaction; return their uuids in order."""
    made = [
        Occurrence(event(i % PEOPLE), f"client:c-{i % PEOPLE}", at + timedelta(milliseconds=i), uuid7())
        for i in range(count)
    ]
    capture.persist(made, Origin("python", "correlation-1"))
    return [str(one.uuid) for one in made]


def forwarding(server: PostHogServer, **options: Any) -> Forwarding:
    mode = "v1" if isinstance(server, PostHogV1Server) else "v0"
    return Forwarding(Sender("phc_test", server.url, mode=mode, **options))


def drain(run: Forwarding, *, now: datetime = NOW) -> int:
    """Step until nothing more is waiting; return how many events were sent."""
    settle()
    sent = 0
    while (step := run.step(now=now)).behind:
        sent += step.sent
    return sent + step.sent


def wait_s(now: datetime) -> float:
    """Return how long the forwarder wants to wait."""
    until = forwarder.load().next_attempt_at
    assert until is not None
    return (until - now).total_seconds()


def after_the_wait() -> datetime:
    until = forwarder.load().next_attempt_at
    assert until is not None
    return until


# --- what arrives ------------------------------------------------------------------------------


def test_a_message_holds_what_is_stored_and_what_keeps_a_resend_the_same() -> None:
    event = StoredEvent(
        xid=1,
        timestamp=datetime(2026, 11, 22, 23, 59, 59, 999_000, tzinfo=UTC),
        uuid=UUID("0192aaaa-0000-7000-8000-000000000001"),
        event="user_logged_in",
        distinct_id="client:c-1",
        properties={"user_id": "c-1", "role": "client"},
        correlation_id="correlation-1",
        received_at=NOW,
    )
    assert message(event) == {
        "event": "user_logged_in",
        "uuid": "0192aaaa-0000-7000-8000-000000000001",
        "distinct_id": "client:c-1",
        "timestamp": "2026-11-22T23:59:59.999000+00:00",
        "properties": {
            "user_id": "c-1",
            "role": "client",
            "correlation_id": "correlation-1",
            "$ignore_sent_at": True,
            "$geoip_disable": True,
        },
    }


def test_events_arrive_once_in_order_with_what_was_stored(posthog: PostHogServer) -> None:
    uuids = store(1_203)
    later = store(5, at=NOW - timedelta(days=3))
    run = forwarding(posthog)
    assert drain(run) == 1_208
    assert drain(run) == 0
    # In the order of storing: who reported late stands behind who reported early.
    assert posthog.uuids == uuids + later
    assert [len(batch) for batch in posthog.batches] == [500, 500, 208]
    first = posthog.received[0]
    assert datetime.fromisoformat(first["timestamp"]) == NOW
    assert (first["event"], first["distinct_id"]) == ("user_logged_in", "client:c-0")
    assert first["properties"]["correlation_id"] == "correlation-1"
    state = forwarder.load()
    assert (state.sent, state.refused, state.skipped, state.failures) == (1_208, 0, 0, 0)
    assert (state.acknowledged_at, state.oldest_waiting_at) == (NOW, None)


def test_events_that_no_person_made_create_no_person(posthog: PostHogServer) -> None:
    store(1)
    store(1, lambda _: page_load())
    drain(forwarding(posthog))
    profiles = [event["properties"].get("$process_person_profile") for event in posthog.received]
    assert profiles == [None, False]


def test_an_event_of_two_years_ago_arrives_too(posthog: PostHogServer) -> None:
    run = forwarding(posthog)
    store(1)
    drain(run)
    old = store(2, at=NOW - timedelta(days=700))
    assert drain(run) == 2
    assert posthog.uuids[1:] == old


@pytest.mark.parametrize("outage", [timedelta(days=3), timedelta(days=90)])
def test_an_outage_of_days_loses_no_event_however_old_it_was(
    posthog: PostHogServer, outage: timedelta
) -> None:
    store(1)
    run = forwarding(posthog)
    drain(run)
    forwarder.pause(reason="PostHog is being moved", now=NOW)
    waiting = store(2, at=NOW - timedelta(days=29, hours=23)) + store(2)
    assert drain(run, now=NOW + outage / 2) == 0
    forwarder.resume()
    for each in (run, forwarding(posthog)):
        drain(each, now=NOW + outage)
    assert posthog.uuids[1:] == waiting


def test_an_event_that_commits_late_is_waited_for(posthog: PostHogServer) -> None:
    before = store(3)
    settle()
    with slow_transaction() as (slow, finish):
        quick = store(4)
        run = forwarding(posthog)
        for _ in range(3):
            run.step(now=NOW)
        # The younger ones are committed, but an older transaction may still commit: all of them wait.
        assert posthog.uuids == before
        finish()
        drain(run)
    assert posthog.uuids == [*before, slow, *quick]


def test_a_slow_transaction_that_is_rolled_back_holds_nothing_up_for_good(posthog: PostHogServer) -> None:
    with slow_transaction(commit=False) as (_, finish):
        quick = store(4)
        run = forwarding(posthog)
        assert run.step(now=NOW).sent == 0
        finish()
        assert drain(run) == 4
    assert posthog.uuids == quick


def test_two_backfills_of_one_day_at_once_leave_nothing_behind(posthog: PostHogServer) -> None:
    """The older transaction is the later one to note the day; half of the younger one is not sent yet."""
    run = forwarding(posthog)
    drain(run)
    long_ago = NOW - timedelta(days=700)
    with slow_transaction(last=lambda: store(1, at=long_ago)) as (slow, finish):
        uuids = store(600, at=long_ago)
        finish()
    posthog.script(Reply(), Reply(503))
    assert drain(run) < 600
    drain(run, now=after_the_wait())
    assert len(posthog.received) == 602
    assert {slow, *uuids} < set(posthog.uuids)


@contextmanager
def slow_transaction(
    *, commit: bool = True, last: Callable[[], object] = lambda: None
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Store an event on another connection and leave the transaction open until `finish` is called.

    last: what the transaction does before it ends.
    """
    stored, go_on = threading.Event(), threading.Event()
    uuids: list[str] = []

    def write() -> None:
        try:
            with transaction.atomic():
                uuids.extend(store(1))
                stored.set()
                assert go_on.wait(20)
                last()
                transaction.set_rollback(not commit)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)

        def finish() -> None:
            go_on.set()
            writer.result(10)

        assert stored.wait(10)
        try:
            yield uuids[0], finish
        finally:
            go_on.set()


# --- when PostHog is away ------------------------------------------------------------------------


def test_an_outage_a_rate_limit_and_a_poison_row_lose_nothing_and_repeat_nothing(
    transactional_db: None,
) -> None:
    uuids = store(1_000)
    poison = uuids[617]
    port = servers.free_port()
    run = Forwarding(Sender("phc_test", f"http://127.0.0.1:{port}"))
    settle()
    now = NOW
    waits = []
    for _ in range(4):
        assert run.step(now=now) == Step(0, behind=False)
        waits.append(wait_s(now))
        now = after_the_wait()
    assert all(2**n / 2 <= wait <= 2**n for n, wait in enumerate(waits, start=1)), waits
    assert forwarder.load().last_error == "Unavailable: ConnectionError"
    with servers.posthog(port=port, refuses=lambda event: event["uuid"] == poison) as server:
        server.script(Reply(429, {"Retry-After": "120"}))
        run.step(now=now)
        assert wait_s(now) == 120
        run.step(now=now + timedelta(seconds=119))
        assert len(server.batches) == 1
        drain(run, now=now + timedelta(seconds=120))
        assert server.uuids == [uuid for uuid in uuids if uuid != poison]
        # One refusal of 1,000 is found by halving: about twice the binary logarithm of a batch.
        assert len(server.batches) - 1 <= 22
    refusal = ForwardRejection.objects.get()
    assert (str(refusal.uuid), refusal.status, refusal.reason) == (poison, 400, "HTTP 400")
    assert (refusal.event, refusal.state) == ("user_logged_in", "open")
    state = forwarder.load()
    assert (state.sent, state.refused, state.failures, state.last_error) == (999, 1, 0, "")
    assert state.oldest_waiting_at is None


def test_each_person_s_events_stay_in_order_around_a_poison_row(posthog: PostHogServer) -> None:
    uuids = store(200)
    posthog.refuses = lambda event: event["uuid"] in {uuids[0], uuids[77], uuids[199]}
    drain(forwarding(posthog))
    people: dict[str, list[str]] = {}
    for event in posthog.received:
        people.setdefault(event["distinct_id"], []).append(event["timestamp"])
    assert len(people) == PEOPLE
    assert all(a < b for stamps in people.values() for a, b in pairwise(stamps))
    assert ForwardRejection.objects.count() == 3


def test_an_outage_in_the_middle_of_the_halving_repeats_nothing(posthog: PostHogServer) -> None:
    uuids = store(600)
    posthog.refuses = lambda event: event["uuid"] == uuids[400]
    # 500 are refused, 250 are taken, then PostHog goes away.
    posthog.script(Reply(400), Reply(), Reply(503))
    run = forwarding(posthog)
    drain(run)
    assert len(posthog.received) == 250
    drain(run, now=after_the_wait())
    assert posthog.uuids == [uuid for uuid in uuids if uuid != uuids[400]]
    assert ForwardRejection.objects.count() == 1


@pytest.mark.parametrize("status", [408, 500, 502, 503])
def test_a_failure_of_posthog_blames_no_event_and_is_tried_again(posthog: PostHogServer, status: int) -> None:
    uuids = store(3)
    posthog.script(Reply(status))
    run = forwarding(posthog)
    drain(run)
    state = forwarder.load()
    assert (state.failures, state.last_error) == (1, f"Unavailable: HTTP {status}")
    assert state.oldest_waiting_at is not None
    drain(run, now=after_the_wait())
    assert posthog.uuids == uuids
    assert not ForwardRejection.objects.exists()


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_wrong_key_or_host_pauses_and_punishes_no_event(posthog: PostHogServer, status: int) -> None:
    uuids = store(3)
    posthog.script(Reply(status), Reply(status))
    run = forwarding(posthog)
    drain(run)
    assert wait_s(NOW) == forwarder.MISCONFIGURED_WAIT_S
    assert forwarder.load().last_error == f"Misconfigured: HTTP {status}"
    again = after_the_wait()
    drain(run, now=again)
    assert wait_s(again) == forwarder.MISCONFIGURED_WAIT_S
    # Once the key is right, staff need not wait for the next try.
    forwarder.resume()
    drain(run, now=again)
    assert posthog.uuids == uuids
    assert not ForwardRejection.objects.exists()


@pytest.mark.parametrize(
    "reply",
    [
        Reply(302, {"Location": "/login"}),
        Reply(301, {"Location": "https://127.0.0.1:1/batch/"}),
        Reply(200, body="Welcome!", stores=False),
        Reply(200, body=["status"], stores=False),
    ],
)
def test_an_answer_that_is_not_posthog_s_is_no_acknowledgement(posthog: PostHogServer, reply: Reply) -> None:
    """A host that redirects, or that is another service: the SDK would take its 200 for success."""
    uuids = store(3)
    posthog.script(reply)
    run = forwarding(posthog)
    assert drain(run) == 0
    assert forwarder.load().sent == 0
    drain(run, now=after_the_wait())
    assert posthog.uuids == uuids


@pytest.mark.parametrize("reply", [Reply(drop=True, stores=True), Reply(hang_s=5.0, stores=True)])
def test_a_lost_acknowledgement_makes_the_same_events_arrive_again_unchanged(
    posthog: PostHogServer, reply: Reply
) -> None:
    store(3)
    posthog.script(reply)
    run = forwarding(posthog, timeout_s=0.3)
    assert drain(run) == 0
    assert forwarder.load().sent == 0
    assert drain(run, now=after_the_wait() + timedelta(hours=3)) == 3
    [lost, kept] = posthog.batches
    assert lost == kept
    assert len(posthog.received) == 6
    assert forwarder.load().sent == 3


def test_a_retry_after_is_honoured_up_to_an_hour(posthog: PostHogServer) -> None:
    store(1)
    posthog.script(Reply(503, {"Retry-After": "86400"}))
    drain(forwarding(posthog))
    assert wait_s(NOW) == 3600


def test_the_wait_grows_to_an_hour_and_no_further(posthog: PostHogServer) -> None:
    store(1)
    settle()
    posthog.script(*[Reply(503)] * 15)
    run, now = forwarding(posthog), NOW
    for _ in range(15):
        run.step(now=now)
        now = after_the_wait()
    Forwarder.objects.update(next_attempt_at=None)
    posthog.script(Reply(503))
    run.step(now=now)
    assert 1800 <= wait_s(now) <= 3600


# --- what staff can do -----------------------------------------------------------------------------


def test_an_event_that_is_switched_off_is_passed_over_for_good(posthog: PostHogServer) -> None:
    EventDefinition.objects.filter(name="page_load_time").update(forwarded=False)
    logins = store(2)
    store(3, lambda _: page_load())
    logins += store(2)
    run = forwarding(posthog)
    drain(run)
    EventDefinition.objects.update(forwarded=True)
    drain(run)
    assert posthog.uuids == logins
    assert (forwarder.load().sent, forwarder.load().skipped) == (4, 3)
    store(1, lambda _: page_load())
    assert drain(run) == 1


def test_a_queue_of_nothing_but_switched_off_events_asks_posthog_nothing(posthog: PostHogServer) -> None:
    EventDefinition.objects.filter(name="page_load_time").update(forwarded=False)
    store(3, lambda _: page_load())
    drain(forwarding(posthog))
    assert posthog.batches == []
    assert (forwarder.load().skipped, forwarder.load().acknowledged_at) == (3, None)


def test_a_paused_forwarder_sends_nothing_until_it_is_resumed(posthog: PostHogServer) -> None:
    run = forwarding(posthog)
    with pytest.raises(ValueError, match="Say why"):
        forwarder.pause(reason="  ", now=NOW)
    forwarder.pause(reason="PostHog project is being moved", now=NOW)
    forwarder.pause(reason="me too", now=NOW + timedelta(minutes=1))
    uuids = store(2)
    drain(run)
    assert posthog.batches == []
    state = forwarder.load()
    assert (state.paused_at, state.paused_reason) == (NOW, "PostHog project is being moved")
    forwarder.resume()
    drain(run)
    assert posthog.uuids == uuids
    assert forwarder.load().paused_reason == ""


def test_a_refused_event_can_be_sent_again(posthog: PostHogServer, settings: Settings) -> None:
    settings.POSTHOG_API_KEY, settings.POSTHOG_HOST = "phc_test", posthog.url
    uuids = store(3)
    posthog.refuses = lambda event: event["uuid"] == uuids[1]
    drain(forwarding(posthog))
    [refused] = posthog.batches[-2]
    assert tasks.resend([uuids[1]]) == (0, 1)
    assert ForwardRejection.objects.get().state == "open"
    posthog.refuses = lambda event: False
    assert tasks.resend([uuids[1]]) == (1, 0)
    assert ForwardRejection.objects.get().state == "sent"
    assert posthog.received[-1] == refused
    # Done is done: a second click sends nothing.
    assert tasks.resend(uuids) == (0, 0)
    assert sorted(posthog.uuids) == sorted(uuids)


@pytest.mark.parametrize(("reply", "error"), [(Reply(503), Unavailable), (Reply(401), Misconfigured)])
def test_a_resend_while_posthog_is_away_leaves_the_refusal_open(
    posthog: PostHogServer, reply: Reply, error: type[Exception]
) -> None:
    store(1)
    posthog.script(Reply(400))
    run = forwarding(posthog)
    drain(run)
    posthog.script(reply)
    with pytest.raises(error):
        forward_refusals.resend(list(ForwardRejection.objects.all()), run.sender, now=NOW)
    assert ForwardRejection.objects.get().state == "open"


def test_a_resend_of_what_is_no_longer_stored_says_so_and_sends_the_others(posthog: PostHogServer) -> None:
    store(2)
    posthog.script(Reply(400), Reply(400), Reply(400))
    run = forwarding(posthog)
    drain(run)
    gone, kept = ForwardRejection.objects.all()
    models.Event.objects.filter(uuid=gone.uuid).delete()
    assert forward_refusals.resend([gone, kept], run.sender, now=NOW) == (1, 1)
    gone.refresh_from_db()
    assert (gone.state, gone.reason) == ("open", "not stored any more")


# --- more than one, and none ---------------------------------------------------------------------------


def test_two_forwarders_at_once_send_nothing_twice(posthog: PostHogServer, settings: Settings) -> None:
    settings.POSTHOG_API_KEY, settings.POSTHOG_HOST = "phc_test", posthog.url
    # Slow enough that the second forwarder would read what the first has not acknowledged yet.
    posthog.script(*[Reply(hang_s=0.3) for _ in range(3)])
    uuids = store(600)
    settle()
    with forward_lanes(2):
        for _ in range(12):
            uuids += store(50)
        assert eventually(lambda: len(posthog.received) >= len(uuids))
    assert posthog.uuids == uuids
    assert forwarder.load().sent == len(uuids)


def test_a_forwarder_that_dies_is_followed_by_the_next(posthog: PostHogServer, settings: Settings) -> None:
    settings.POSTHOG_API_KEY, settings.POSTHOG_HOST = "phc_test", posthog.url
    with forward_lanes(2) as running:
        uuids = store(5)
        # Not killed between PostHog's answer and the note of it: that is a journey of its own.
        assert eventually(lambda: forwarder.load().sent == 5)
        with connection.cursor() as cursor:
            cursor.execute(
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted"
                " and database = (select oid from pg_database where datname = current_database())"
            )
            assert cursor.fetchall() == [(True,)]
        assert eventually(lambda: any(one.done() for one in running))
        uuids += store(5)
        assert eventually(lambda: forwarder.load().sent == 10)
        [dead] = [one for one in running if one.done()]
        assert isinstance(dead.exception(), OperationalError)
    assert posthog.uuids == uuids


@contextmanager
def forward_lanes(count: int) -> Iterator[list[Future[int]]]:
    """Run so many forward lanes, each with a connection of its own, until the block ends."""

    def run() -> int:
        try:
            return tasks.forward()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        running = [pool.submit(run) for _ in range(count)]
        try:
            yield running
        finally:
            lanes.stopping.set()
            for one in running:
                one.exception(20)
            lanes.stopping.clear()


def test_a_forwarder_that_has_lost_its_lock_does_not_move_the_position_back(posthog: PostHogServer) -> None:
    """While the first one's request is under way, a second one takes over and does the whole work."""
    store(700)
    settle()
    with servers.posthog() as second_posthog:

        def overtake(event: dict[str, Any]) -> bool:
            posthog.refuses = lambda event: False
            drain(forwarding(second_posthog))
            connection.close()
            return False

        posthog.refuses = overtake
        with pytest.raises(MovedByAnother):
            forwarding(posthog).step(now=NOW)
        assert len(second_posthog.received) == 700
    assert forwarder.load().sent == 700
    assert drain(forwarding(posthog)) == 0


def test_an_idle_forwarder_writes_once_in_a_thousand_transactions_and_not_each_time(
    posthog: PostHogServer,
) -> None:
    store(1)
    run = forwarding(posthog)
    drain(run)
    drain(run)
    written = row_version()
    for _ in range(50):
        run.step(now=NOW)
    assert row_version() == written
    with connection.cursor() as cursor:
        for _ in range(forwarder.IDLE_XIDS):
            cursor.execute("select pg_current_xact_id()")
    drain(run)
    moved = row_version()
    assert moved != written
    for _ in range(50):
        run.step(now=NOW)
    assert row_version() == moved
    assert len(posthog.batches) == 1


def row_version() -> Any:
    """Return which version of the forwarder's row is there: every write makes another one."""
    with connection.cursor() as cursor:
        cursor.execute("select ctid::text, xmin::text from observability_forwarder")
        return cursor.fetchall()


# --- protocol v1: a verdict per event ---------------------------------------------------------------------


@pytest.fixture
def posthog_v1(transactional_db: None) -> Iterator[PostHogV1Server]:
    with servers.posthog_v1() as server:
        yield server


def test_v1_takes_everything_that_is_ok(posthog_v1: PostHogV1Server) -> None:
    uuids = store(3)
    posthog_v1.verdict = lambda event: ("warning" if event["uuid"] == uuids[0] else "ok", "details")
    assert drain(forwarding(posthog_v1)) == 3
    assert posthog_v1.uuids == uuids
    assert posthog_v1.received[0]["options"] == {"disable_skew_correction": True}
    assert not ForwardRejection.objects.exists()


def test_v1_drops_single_events_and_each_becomes_a_refusal(posthog_v1: PostHogV1Server) -> None:
    uuids = store(10)
    bad = {uuids[2]: "event_too_big", uuids[9]: "invalid_event_timestamp"}
    posthog_v1.verdict = lambda event: ("drop", bad[event["uuid"]]) if event["uuid"] in bad else ("ok", None)
    run = forwarding(posthog_v1)
    assert drain(run) == 8
    assert posthog_v1.uuids == [uuid for uuid in uuids if uuid not in bad]
    assert len(posthog_v1.batches) == 1
    kept = ForwardRejection.objects.values_list("uuid", "reason", "status")
    assert {str(uuid): reason for uuid, reason, _ in kept} == bad
    assert {status for _, _, status in kept} == {200}
    assert (forwarder.load().sent, forwarder.load().refused) == (8, 2)


def test_v1_asks_for_single_events_again_and_only_those_are_sent_again(posthog_v1: PostHogV1Server) -> None:
    uuids = store(10)
    posthog_v1.verdict = lambda event: ("retry" if event["uuid"] in {uuids[3], uuids[6]} else "ok", None)
    run, now = forwarding(posthog_v1), NOW
    drain(run)
    waits = [wait_s(now)]
    for _ in range(3):
        now = after_the_wait()
        drain(run, now=now)
        waits.append(wait_s(now))
    # The wait grows, though each answer was a 200.
    assert all(2**n / 2 <= wait <= 2**n for n, wait in enumerate(waits, start=1)), waits
    assert forwarder.load().sent == 8
    store(2)
    posthog_v1.verdict = lambda event: ("ok", None)
    drain(run, now=after_the_wait())
    assert [len(batch) for batch in posthog_v1.batches] == [10, 2, 2, 2, 4]
    assert len(posthog_v1.received) == len(set(posthog_v1.uuids)) == 12
    assert set(uuids) <= set(posthog_v1.uuids)
    state = forwarder.load()
    assert (state.sent, state.failures, state.refused) == (12, 0, 0)


def test_v1_over_the_billing_limit_keeps_every_event_and_waits(posthog_v1: PostHogV1Server) -> None:
    uuids = store(3)
    posthog_v1.verdict = lambda event: ("drop", "billing_limit_exceeded")
    run = forwarding(posthog_v1)
    drain(run)
    assert wait_s(NOW) == forwarder.MISCONFIGURED_WAIT_S
    assert "billing_limit_exceeded" in forwarder.load().last_error
    assert not ForwardRejection.objects.exists()
    posthog_v1.verdict = lambda event: ("ok", None)
    drain(run, now=after_the_wait())
    assert posthog_v1.uuids == uuids


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(401, body={"error": "invalid token"}), "Misconfigured: HTTP 401"),
        (Reply(429, {"Retry-After": "60"}, body={"error": "slow down"}), "Unavailable: HTTP 429"),
        (Reply(200, body="not what a PostHog says"), "Unavailable: HTTP 200"),
    ],
)
def test_v1_failures_of_the_whole_batch_blame_no_event(
    posthog_v1: PostHogV1Server, reply: Reply, error: str
) -> None:
    uuids = store(3)
    posthog_v1.script(reply)
    run = forwarding(posthog_v1)
    drain(run)
    assert forwarder.load().last_error == error
    assert not ForwardRejection.objects.exists()
    drain(run, now=after_the_wait())
    assert posthog_v1.uuids == uuids


def test_v1_a_resend_that_is_asked_for_again_stays_open(posthog_v1: PostHogV1Server) -> None:
    store(1)
    posthog_v1.verdict = lambda event: ("drop", "event_too_big")
    run = forwarding(posthog_v1)
    drain(run)
    posthog_v1.verdict = lambda event: ("retry", "not_persisted")
    with pytest.raises(Unavailable):
        forward_refusals.resend(list(ForwardRejection.objects.all()), run.sender, now=NOW)
    assert ForwardRejection.objects.get().state == "open"
