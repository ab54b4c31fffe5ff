"""Roll-ups say the same whatever the order, repetition and lateness of events, and however they were made."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from observability import capture, rollups
from observability.capture import Occurrence
from observability.models import AuditEntry, Person, RollupRebuild, TouchedDay
from observability.people_sets import unpack
from observability.rollups import rebuild
from observability.store import Origin
from tests.observability.test_rollups import roll_all
from trainu.demo import history

pytestmark = pytest.mark.usefixtures("transactional_db")

TODAY = timezone.now().astimezone(UTC).date()
DAYS = 6
TABLES = {
    "observability_eventhour": "event, hour, events",
    "observability_syncquarter": "quarter, location_id, operation, outcome, code, count",
    "observability_latencyquarter": "quarter, metric, bucket, observations",
    "observability_booking": "*",
    "observability_draftedmessage": "*",
    "observability_inboundmessage": "*",
    "observability_person": "distinct_id, role, signed_up_at, onboarded_at, first_booking_at,"
    " first_insight_at, trainer_id, trainer_named_at, segment, segment_named_at, step, step_position",
}


@lru_cache(maxsize=1)
def told() -> tuple[Occurrence, ...]:
    """Some days of the demo's history: everything there is, told coherently."""
    now = timezone.now()
    on = [TODAY - timedelta(days=back) for back in range(DAYS, 0, -1)]
    return tuple(one for day in on for one in history.day(day) if one.timestamp <= now)


def report(events: Sequence[Occurrence]) -> None:
    for start in range(0, len(events), 1_000):
        capture.persist(list(events[start : start + 1_000]), Origin("python", ""))


def standing() -> dict[str, Any]:
    """Everything the roll-ups hold, people by their distinct ids, for numbers depend on who came first."""
    names = dict(Person.objects.values_list("number", "distinct_id"))
    with connection.cursor() as cursor:
        found: dict[str, Any] = {}
        for table, columns in TABLES.items():
            cursor.execute(f"select {columns} from {table}")
            found[table] = sorted(cursor.fetchall(), key=repr)
        cursor.execute("select quarter, event, people from observability_peoplequarter")
        found["people"] = {
            (quarter, event): {names[number] for number in unpack(packed)}
            for quarter, event, packed in cursor.fetchall()
        }
    return found


def forget_rollups() -> None:
    """Empty what the roll-ups hold, and let them begin anew."""
    emptied = ", ".join([*TABLES, "observability_peoplequarter", "observability_eventminute"])
    with connection.cursor() as cursor:
        cursor.execute(f"truncate {emptied}")
        cursor.execute("update observability_watermark set xid = 0")


def forget_all() -> None:
    forget_rollups()
    with connection.cursor() as cursor:
        cursor.execute("truncate observability_event, observability_seenuuid")


def test_order_repetition_and_lateness_change_nothing() -> None:
    report(told())
    roll_all()
    in_order = standing()
    assert all(in_order.values()), "the history lacks something"
    for seed in (1, 2):
        forget_all()
        dice = random.Random(seed)
        shuffled = list(told()) + dice.sample(told(), 2_000)
        dice.shuffle(shuffled)
        for start in range(0, len(shuffled), 5_000):
            report(shuffled[start : start + 5_000])
            roll_all(settled=False)
        roll_all()
        assert standing() == in_order


def test_what_merges_may_be_told_again() -> None:
    report(told()[:3_000])
    roll_all()
    before = standing()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(rollups.fresh._MAKE)
        rollups.fresh.take(cursor, low=0, high=2**60, since=datetime(2000, 1, 1, tzinfo=UTC))
        rollups.step.merge(cursor, exact_up_to=250_000)
    assert standing() == before


def test_a_change_notes_the_days_of_both_sides() -> None:
    report(told())
    roll_all()
    assert set(TouchedDay.objects.values_list("subject", flat=True)) == {
        "activity",
        "bookings",
        "drafts",
        "replies",
        "sync",
    }
    versions = list(TouchedDay.objects.values_list("version", flat=True))
    report(history.day(TODAY - timedelta(days=DAYS + 1)))
    roll_all()
    assert TouchedDay.objects.filter(version__gt=max(versions)).exists()


def rebuilt(since: date) -> str:
    out = StringIO()
    call_command("rebuild_rollups", "--since", since.isoformat(), stdout=out, stderr=StringIO())
    return out.getvalue()


def test_a_rebuild_of_everything_comes_to_the_same() -> None:
    report(told())
    roll_all()
    right = standing()
    with connection.cursor() as cursor:
        cursor.execute("update observability_booking set state = 'no_show', starts_at = starts_at + '1 day'")
        cursor.execute("update observability_syncquarter set count = count + 1")
        cursor.execute("update observability_eventhour set events = 0")
        cursor.execute("update observability_person set signed_up_at = signed_up_at - interval '1 hour'")
        cursor.execute("delete from observability_peoplequarter")
        cursor.execute("delete from observability_inboundmessage")
    assert "Done: " in rebuilt(TODAY - timedelta(days=DAYS + 10))
    assert standing() == right
    assert AuditEntry.objects.filter(action="rollups.rebuild").count() == 1
    assert roll_all() == 0


def test_a_rebuild_since_a_day_in_the_middle_comes_to_the_same() -> None:
    report(told())
    roll_all()
    right = standing()
    middle = TODAY - timedelta(days=3)
    with connection.cursor() as cursor:
        cursor.execute("update observability_eventhour set events = 0 where hour >= %s", [middle])
        cursor.execute("update observability_booking set state = 'canceled' where changed_at >= %s", [middle])
        cursor.execute(
            "update observability_draftedmessage set sent_at = sent_at + interval '1 minute'"
            " where sent_at >= %s",
            [middle],
        )
    rebuilt(middle)
    assert standing() == right


def test_events_that_come_in_during_a_rebuild_are_neither_lost_nor_counted_twice() -> None:
    events = list(told())
    random.Random(3).shuffle(events)
    report(events[:8_000])
    roll_all()
    started = rebuild.begin(TODAY - timedelta(days=DAYS + 1), now=timezone.now())
    left = events[8_000:]
    for _day, _count in rebuild.advance(started, now=timezone.now()):
        report(left[:1_000])
        left = left[1_000:]
        roll_all(settled=False)
    report(left)
    roll_all()
    beside = standing()
    forget_rollups()
    roll_all()
    assert beside == standing()


def test_a_killed_rebuild_is_gone_on_with() -> None:
    report(told())
    roll_all()
    right = standing()
    since = TODAY - timedelta(days=DAYS + 1)
    started = rebuild.begin(since, now=timezone.now())
    run = rebuild.advance(started, now=timezone.now())
    for _ in range(4):
        next(run)
    run.close()
    assert standing() == right, "what is in use was touched before the end"
    with pytest.raises(CommandError, match="is unfinished"):
        rebuilt(TODAY)
    words = rebuilt(since)
    assert f"Going on after {since + timedelta(days=3)}" in words
    assert standing() == right
    assert RollupRebuild.objects.get().finished_at


def test_a_rebuild_can_be_given_up() -> None:
    report(told()[:500])
    roll_all()
    rebuild.begin(TODAY, now=timezone.now())
    assert rebuild.give_up()
    assert not rebuild.give_up()
    rebuilt(TODAY)


def test_without_events_there_is_nothing_to_rebuild() -> None:
    assert "No events are stored" in rebuilt(TODAY)


def test_a_day_to_come_is_refused() -> None:
    with pytest.raises(CommandError, match="still to come"):
        rebuilt(TODAY + timedelta(days=3))
