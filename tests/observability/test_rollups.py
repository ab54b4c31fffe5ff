"""Counts are exact, whatever the order of commits; nothing is counted twice or left out."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone
from uuid_utils.compat import uuid7

from observability import capture, rollups
from observability.capture import Occurrence
from observability.catalog.onboarding import UserLoggedIn
from observability.models import Event, EventDefinition, EventHour, EventMinute, Heartbeat
from observability.store import Origin
from tests.journeys.database import settle
from trainu import lanes

NOW = timezone.now()


def store(count: int, *, age: timedelta = timedelta(0)) -> None:
    event = UserLoggedIn(user_id="c-1", role="client")
    capture.persist(
        [Occurrence(event, "client:c-1", timezone.now() - age, uuid7()) for _ in range(count)],
        Origin("python", ""),
    )


def roll_all(*, settled: bool = True) -> int:
    """Roll until nothing is left. settled: first wait for what is none of the test's, such as autovacuum."""
    if settled:
        settle()
    events = 0
    while (rolled := rollups.roll(now=timezone.now())).events or rolled.behind:
        events += rolled.events
    return events


def counted() -> int:
    return EventHour.objects.aggregate(total=Sum("events"))["total"] or 0


@pytest.mark.usefixtures("transactional_db")
def test_a_second_roll_counts_nothing_twice() -> None:
    store(5)
    assert roll_all() == 5
    assert roll_all() == 0
    store(3, age=timedelta(days=20))
    assert roll_all() == 3
    assert counted() == 8
    assert EventMinute.objects.aggregate(total=Sum("events"))["total"] == 5  # older minutes are not kept
    definition = EventDefinition.objects.get(name="user_logged_in")
    assert definition.volume == 8
    assert definition.first_seen_at is not None
    assert definition.last_seen_at is not None
    assert definition.last_seen_at - definition.first_seen_at > timedelta(days=19)


@pytest.mark.usefixtures("transactional_db")
def test_an_event_of_two_years_ago_is_counted() -> None:
    store(1)
    roll_all()
    store(2, age=timedelta(days=700))
    assert roll_all() == 2


@pytest.mark.usefixtures("transactional_db")
def test_a_transaction_that_commits_late_is_not_skipped() -> None:
    written, finish = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            store(1)
            written.set()
            finish.wait(10)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert written.wait(10)
    store(1)
    # The younger one is committed, but an older one is not: the watermark waits for both.
    assert roll_all(settled=False) == 0
    finish.set()
    thread.join()
    assert roll_all() == 2


@pytest.mark.usefixtures("transactional_db")
def test_concurrent_writers_and_rollers_agree_in_the_end() -> None:
    stop = threading.Event()

    def write() -> None:
        for _ in range(20):
            store(7)
        connection.close()

    def roll() -> None:
        while not stop.is_set():
            rollups.roll(now=timezone.now())
        connection.close()

    writers = [threading.Thread(target=write) for _ in range(4)]
    rollers = [threading.Thread(target=roll) for _ in range(2)]
    for thread in writers + rollers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in rollers:
        thread.join()
    roll_all()
    assert counted() == Event.objects.count() == 4 * 20 * 7


@pytest.mark.usefixtures("transactional_db")
def test_a_rolled_back_roll_is_done_again() -> None:
    store(4)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        assert rollups.roll(now=timezone.now()).events == 4
        _ = 1 / 0
    assert counted() == 0
    assert roll_all() == 4


@pytest.mark.django_db
def test_a_lane_works_off_what_is_waiting_and_gives_signs_of_life() -> None:
    left = [True, True, False]
    assert lanes.run("roll-up", lambda: left.pop(0), run_for_s=0.05, idle_s=0.2) == 3
    assert Heartbeat.objects.get().name == "roll-up"
