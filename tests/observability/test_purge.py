"""Purges remove what is older than its policy, and nothing else: interrupted, raced with or held back."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import Error, connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pytest_django import Settings
from uuid_utils.compat import uuid7

from observability import forwarder, partitions, rollups, watermark
from observability.models import (
    AuditEntry,
    BackfilledDay,
    EventHour,
    Forwarder,
    PurgeRun,
    QuarantinedEvent,
    QuarantineGroup,
    SeenUuid,
    Watermark,
)
from observability.posthog import Delivered, StoredEvent
from observability.retention import batches, daily, purge, whole_days
from tests.journeys.database import eventually
from tests.observability.test_retention import dataset, report
from tests.observability.test_rollups import counted, roll_all, settle, store
from trainu.datasets import Partitions, Rows, Table
from trainu.partitioned_table import PartitionedTable

pytestmark = pytest.mark.usefixtures("transactional_db")

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
TODAY = NOW.date()
PROBE = PartitionedTable("purge_probe")
KEPT = 10
PROBES = Partitions(name="probes", label="Probes", table=PROBE, default_days=KEPT)
HOURS = Rows(
    name="hours",
    label="Hours",
    default_days=90,
    tables=(Table(model="observability.EventHour", at="hour"),),
)


@pytest.fixture
def probe(transactional_db: None) -> Iterator[PartitionedTable]:
    """A table with a partition and a row for each of the last 15 days."""
    with connection.cursor() as cursor:
        cursor.execute("create table purge_probe (at timestamptz not null) partition by range (at)")
    try:
        PROBE.ensure(TODAY - timedelta(days=age) for age in range(15))
        for age in range(15):
            write(TODAY - timedelta(days=age))
        yield PROBE
    finally:
        with connection.cursor() as cursor:
            for day, state in PROBE.standing():
                if state != "attached":
                    PROBE.ensure([day])
            cursor.execute("drop table purge_probe")


def write(day: date) -> None:
    with connection.cursor() as cursor:
        cursor.execute("insert into purge_probe values (%s)", [f"{day} 12:00+00"])


def ages() -> list[int]:
    """Return how many days old the partitions are, youngest first."""
    return sorted((TODAY - day).days for day, _ in PROBE.standing())


@contextmanager
def elsewhere(*statements: str) -> Iterator[None]:
    """Hold a transaction open in another session, as a report that takes its time."""
    ready, done = threading.Event(), threading.Event()

    def session() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                ready.set()
                done.wait(10)
        finally:
            connection.close()

    thread = threading.Thread(target=session)
    thread.start()
    assert ready.wait(5)
    try:
        yield
    finally:
        done.set()
        thread.join()


def hours(count: int, *, days_old: float) -> None:
    """Store rows of a day so long ago, each an hour of another event."""
    hour = NOW - timedelta(days=days_old)
    EventHour.objects.bulk_create(
        EventHour(event=f"e{n}_{days_old}", hour=hour, events=1) for n in range(count)
    )


# --- whole days ---------------------------------------------------------------------------------


def test_whole_days_go_up_to_the_policy_and_the_report_says_so(probe: PartitionedTable) -> None:
    run = purge.run(PROBES, now=NOW, by="system")
    assert ages() == list(range(11))  # the eleventh day is in part younger than ten days
    assert (run.state, run.partitions, run.rows, run.reason) == ("done", 4, 0, "")
    assert run.cutoff_at == NOW - timedelta(days=10)
    assert run.oldest_left_at == datetime(2026, 11, 13, tzinfo=UTC)
    assert run.finished_at is not None
    entry = AuditEntry.objects.get(action="data.purge", target_id=str(run.pk))
    assert (entry.actor_id, entry.target_type) == ("system", "observability.purgerun")
    assert PurgeRun.objects.get().partitions == 4
    again = purge.run(PROBES, now=NOW, by="system")
    assert (again.state, again.partitions) == ("done", 0)
    assert not AuditEntry.objects.filter(target_id=str(again.pk)).exists()  # nothing went


@examples(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ago=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=16)))
def test_a_day_is_due_exactly_when_its_last_moment_is_older(probe: PartitionedTable, ago: timedelta) -> None:
    due = whole_days.due(PROBES, cutoff_at=NOW - ago)
    for day in probe.days():
        end = datetime.combine(day, datetime.min.time(), tzinfo=UTC) + timedelta(days=1)
        assert (day in due) == (end <= NOW - ago)


def test_at_midnight_the_day_that_has_just_become_too_old_goes(probe: PartitionedTable) -> None:
    midnight = datetime(2026, 11, 23, tzinfo=UTC)
    purge.run(PROBES, now=midnight - timedelta(microseconds=1), by="system")
    assert max(ages()) == 11
    purge.run(PROBES, now=midnight, by="system")
    assert max(ages()) == 10


def test_a_plan_names_what_would_go_and_changes_nothing(probe: PartitionedTable) -> None:
    plan = purge.plan(PROBES, now=NOW)
    assert plan.partitions == [PROBE.partition(TODAY - timedelta(days=age)) for age in (14, 13, 12, 11)]
    assert plan.rows == 4
    assert len(ages()) == 15
    assert not PurgeRun.objects.exists()


def test_a_run_killed_between_detach_and_drop_is_ended_by_the_next(probe: PartitionedTable) -> None:
    probe.detach(TODAY - timedelta(days=14))
    assert dict(probe.standing())[TODAY - timedelta(days=14)] == "detached"
    dead = report("error_logs", NOW, state="running", finished_at=None)
    PurgeRun.objects.filter(pk=dead.pk).update(dataset="probes")
    run = purge.run(PROBES, now=NOW, by="system")
    assert (run.partitions, max(ages())) == (4, 10)
    dead.refresh_from_db()
    assert (dead.state, dead.reason) == ("interrupted", "Its process ended before it did.")


def test_a_detach_that_could_not_end_is_ended_by_the_next_run(
    probe: PartitionedTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_days, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(whole_days, "TRIES", 2)
    monkeypatch.setattr(whole_days, "PAUSE_S", 0.01)
    with elsewhere("select count(*) from purge_probe"):
        failed = purge.run(PROBES, now=NOW, by="system")
        assert (failed.state, failed.error, failed.partitions) == ("failed", "OperationalError", 0)
        assert "pg_stat_activity" in failed.reason
        assert dict(probe.standing())[TODAY - timedelta(days=14)] == "pending"
        write(TODAY)  # who writes elsewhere is not kept waiting
    with connection.cursor() as cursor:
        cursor.execute("show lock_timeout")
        assert cursor.fetchone()[0] != "50ms"
    run = purge.run(PROBES, now=NOW, by="system")
    assert (run.state, run.partitions, max(ages())) == ("done", 4, 10)


def test_a_session_that_dies_in_a_purge_leaves_a_run_that_the_next_one_ends(
    probe: PartitionedTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_days, "LOCK_TIMEOUT", "10s")
    errors: list[str] = []

    def killed() -> None:
        try:
            purge.run(PROBES, now=NOW, by="system")
        except Error as error:
            errors.append(type(error).__name__)
        finally:
            connection.close()

    with elsewhere("select count(*) from purge_probe"):
        thread = threading.Thread(target=killed)
        thread.start()
        terminated = False
        with connection.cursor() as cursor:
            while not terminated:
                cursor.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where query like 'alter table purge_probe detach%' and wait_event_type = 'Lock'"
                )
                terminated = bool(cursor.fetchall())
        thread.join()
    assert errors
    assert PurgeRun.objects.get().state == "running"
    run = purge.run(PROBES, now=NOW, by="system")
    assert (run.state, run.partitions, max(ages())) == ("done", 4, 10)
    assert set(PurgeRun.objects.values_list("state", flat=True)) == {"done", "interrupted"}


@pytest.mark.parametrize("state", ["pending", "detached"])
def test_a_writer_takes_back_a_day_that_is_half_removed_with_its_rows(
    probe: PartitionedTable, state: str
) -> None:
    day = TODAY - timedelta(days=14)
    if state == "pending":
        with elsewhere("select count(*) from purge_probe"), connection.cursor() as cursor:
            cursor.execute("set lock_timeout = '50ms'")
            with pytest.raises(Exception, match="lock timeout"):
                probe.detach(day)
            cursor.execute("reset lock_timeout")
    else:
        probe.detach(day)
    assert dict(probe.standing())[day] == state
    assert probe.missing([day]) == [day]
    assert probe.ensure([day]) == [day]
    write(day)
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from purge_probe where at < %s", [f"{day + timedelta(days=1)} 00:00+00"]
        )
        assert cursor.fetchone() == (2,)
    assert not probe.drop(day)  # a purge that was between detach and drop leaves it alone
    assert day in probe.days()


def test_writers_go_on_while_days_are_removed(probe: PartitionedTable) -> None:
    written: list[int] = []
    errors: list[Exception] = []
    done = threading.Event()

    def writer() -> None:
        count = 0
        try:
            while not done.is_set():
                write(TODAY)
                count += 1
        except Error as error:
            errors.append(error)
        finally:
            written.append(count)
            connection.close()

    threads = [threading.Thread(target=writer) for _ in range(2)]
    for thread in threads:
        thread.start()
    run = purge.run(PROBES, now=NOW, by="system")
    done.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert run.partitions == 4
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from purge_probe")
        assert cursor.fetchone() == (11 + sum(written),)


def test_what_is_held_stays_and_the_run_says_why(probe: PartitionedTable) -> None:
    first = PROBE.partition(TODAY - timedelta(days=14))
    held = Partitions(
        name="held", label="Held", table=PROBE, default_days=KEPT,
        held=lambda partition: "held back: 3 rows" if partition == first else "",
    )  # fmt: skip
    assert (purge.plan(held, now=NOW).held, len(purge.plan(held, now=NOW).partitions)) == (
        "held back: 3 rows",
        3,
    )
    run = purge.run(held, now=NOW, by="system")
    assert (run.state, run.partitions, run.reason) == ("done", 3, "held back: 3 rows")
    assert ages()[-2:] == [10, 14]


def test_what_comes_to_be_held_during_the_detach_is_attached_again(probe: PartitionedTable) -> None:
    answers = iter(["", "held back: 1 row"] + [""] * 20)
    held = Partitions(
        name="held", label="Held", table=PROBE, default_days=KEPT, held=lambda partition: next(answers)
    )
    run = purge.run(held, now=NOW, by="system")
    assert (run.partitions, run.reason) == (3, "held back: 1 row")
    assert TODAY - timedelta(days=14) in probe.days()
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from purge_probe")
        assert cursor.fetchone() == (12,)


def test_a_second_purge_of_the_same_dataset_says_that_one_is_under_way(probe: PartitionedTable) -> None:
    key = f"select pg_advisory_xact_lock({purge._LOCK_CLASS}, hashtext('probes'))"
    with elsewhere(key), pytest.raises(purge.Busy, match="purge of probes is under way"):
        purge.run(PROBES, now=NOW, by="system")
    assert len(ages()) == 15
    assert purge.run(PROBES, now=NOW, by="system").partitions == 4


def test_a_run_out_of_time_stops_between_days_and_the_next_goes_on(probe: PartitionedTable) -> None:
    first = purge.run(PROBES, now=NOW, by="system", budget_s=-1)
    assert (first.state, first.partitions, first.reason) == ("interrupted", 0, purge.TIME_IS_UP)
    assert purge.run(PROBES, now=NOW, by="system", budget_s=60).state == "done"


# --- events that the counts or PostHog do not have -----------------------------------------------


@pytest.fixture
def old_event(transactional_db: None) -> Iterator[date]:
    """An event of a day that the policy lets go, in a partition of its own."""
    store(1, age=timedelta(days=765))
    day = (timezone.now() - timedelta(days=765)).date()
    yield day
    partitions.EVENTS.detach(day)
    partitions.EVENTS.drop(day)


def run_events() -> PurgeRun:
    return purge.run(dataset("product_events"), now=timezone.now(), by="system")


def test_events_that_are_not_counted_yet_are_held_back(old_event: date) -> None:
    run = run_events()
    assert (run.state, run.partitions) == ("done", 0)
    assert run.reason == "held back: 1 events not yet counted"
    roll_all()
    assert run_events().partitions == 1
    assert old_event not in partitions.EVENTS.days()


def test_events_that_posthog_has_not_acknowledged_are_held_back(old_event: date, settings: Settings) -> None:
    settings.POSTHOG_API_KEY = "phc_tests"
    roll_all()
    forwarder.load()
    assert run_events().reason == "held back: 1 events not yet forwarded to PostHog"
    with connection.cursor() as cursor:
        cursor.execute("select xid, timestamp, uuid from observability_event")
        xid, timestamp, uuid = cursor.fetchone()
    Forwarder.objects.update(position_xid=xid, position_timestamp=timestamp, position_uuid=uuid)
    assert run_events().partitions == 1


def test_the_rest_of_a_transaction_that_posthog_has_in_part_is_held_back(
    transactional_db: None, settings: Settings
) -> None:
    settings.POSTHOG_API_KEY = "phc_tests"
    store(2, age=timedelta(days=765))
    roll_all()
    with connection.cursor() as cursor:
        cursor.execute("select xid, timestamp, uuid from observability_event order by timestamp, uuid")
        (xid, timestamp, uuid), _ = cursor.fetchall()
    Forwarder.objects.create(position_xid=xid, position_timestamp=timestamp, position_uuid=uuid)
    assert run_events().reason == "held back: 1 events not yet forwarded to PostHog"
    Forwarder.objects.update(position_xid=xid + 1, position_timestamp=None, position_uuid=None)
    assert run_events().partitions == 1


@contextmanager
def storing_one_more() -> Iterator[None]:
    """Store another old event in a transaction that is open as long as the block."""
    stored, may_end = threading.Event(), threading.Event()

    def backfill() -> None:
        with transaction.atomic():
            store(1, age=timedelta(days=765))
            stored.set()
            may_end.wait(10)
        connection.close()

    thread = threading.Thread(target=backfill)
    thread.start()
    assert stored.wait(5)
    try:
        yield
    finally:
        may_end.set()
        thread.join()


def test_an_event_stored_while_its_day_goes_is_counted_all_the_same(old_event: date) -> None:
    roll_all()
    runs: list[PurgeRun] = []

    def purging() -> None:
        runs.append(run_events())
        connection.close()

    purger = threading.Thread(target=purging)
    with storing_one_more():
        purger.start()
        eventually(lambda: (old_event, "pending") in partitions.EVENTS.standing())
    while purger.is_alive():
        rollups.roll(now=timezone.now())
    purger.join()
    assert runs[0].reason == "held back: 1 events not yet counted"
    roll_all()
    assert counted() == 2


def test_the_forwarder_waits_while_a_day_goes(old_event: date) -> None:
    sent: list[int] = []

    class Door:
        def deliver(self, events: Sequence[StoredEvent]) -> Delivered:
            sent.append(len(events))
            return Delivered()

    def forward() -> None:
        settle()
        run = forwarder.Forwarding(Door())
        while run.step(now=timezone.now()).behind:
            pass
        connection.close()

    def in_another_process() -> None:
        thread = threading.Thread(target=forward)
        thread.start()
        thread.join()

    with watermark.standing_still():
        in_another_process()
    assert sent == []
    in_another_process()
    assert sent == [1]


def test_events_in_a_day_that_a_killed_purge_left_outside_are_counted(old_event: date) -> None:
    roll_all()
    with storing_one_more():
        with connection.cursor() as cursor, pytest.raises(Error):
            cursor.execute("set lock_timeout = '50ms'")
            partitions.EVENTS.detach(old_event)
        with connection.cursor() as cursor:
            cursor.execute("reset lock_timeout")
        assert (old_event, "pending") in partitions.EVENTS.standing()
    assert roll_all() == 1
    assert old_event in partitions.EVENTS.days()
    # Where all of it is counted the day may stay outside until the next purge.
    partitions.EVENTS.detach(old_event)
    roll_all()
    assert (old_event, "detached") in partitions.EVENTS.standing()


def test_without_a_key_nothing_waits_for_posthog(old_event: date) -> None:
    roll_all()
    assert run_events().partitions == 1


def test_after_a_restore_nothing_goes_until_the_watermarks_are_reset(old_event: date) -> None:
    Watermark.objects.create(consumer="rollups", xid=2**60, moved_at=NOW)
    assert "reset_watermarks" in run_events().reason
    assert old_event in partitions.EVENTS.days()


def test_notes_of_backfilled_days_stay_until_the_counts_are_past_them(settings: Settings) -> None:
    long_ago = TODAY - timedelta(days=900)
    BackfilledDay.objects.create(day=long_ago, xid=500)
    Watermark.objects.create(consumer="rollups", xid=500, moved_at=NOW)
    purge.run(dataset("backfilled_days"), now=NOW, by="system")
    assert BackfilledDay.objects.exists()
    Watermark.objects.update(xid=501)
    settings.POSTHOG_API_KEY = "phc_tests"
    purge.run(dataset("backfilled_days"), now=NOW, by="system")
    assert BackfilledDay.objects.exists()
    Forwarder.objects.create(position_xid=501)
    assert purge.run(dataset("backfilled_days"), now=NOW, by="system").rows == 1


# --- rows ---------------------------------------------------------------------------------------


def test_rows_older_than_the_policy_go_in_batches_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH", 7)
    monkeypatch.setattr(batches, "WINDOW_PAGES", 1)
    hours(150, days_old=90.001)
    hours(150, days_old=90)
    hours(150, days_old=91)
    taken: list[int] = []
    run = purge.run(HOURS, now=NOW, by="system", progress=taken.append)
    assert (run.state, run.rows) == ("done", 300)
    assert EventHour.objects.count() == 150
    assert sum(taken) == 300
    assert max(taken) == 7
    assert run.oldest_left_at == NOW - timedelta(days=90)
    assert purge.run(HOURS, now=NOW, by="system").rows == 0


def test_a_plan_of_rows_counts_them_and_removes_none() -> None:
    hours(20, days_old=91)
    plan = purge.plan(HOURS, now=NOW)
    assert (plan.rows, plan.partitions, plan.is_empty) == (20, [], False)
    assert EventHour.objects.count() == 20


def test_rows_that_somebody_holds_are_left_for_the_next_run() -> None:
    hours(5, days_old=91)
    locked = "select 1 from observability_eventhour where event = 'e0_91' for update"
    with elsewhere(locked):
        assert purge.run(HOURS, now=NOW, by="system").rows == 4
    assert purge.run(HOURS, now=NOW, by="system").rows == 1


def test_a_run_over_rows_stopped_midway_has_counted_what_went(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH", 10)
    # From the first page on: where earlier tests' rows stood a run begins with pages that are empty.
    with connection.cursor() as cursor:
        cursor.execute(f'truncate "{EventHour._meta.db_table}"')
    hours(35, days_old=91)

    class Stopped(Exception):
        pass

    def stop(_count: int) -> None:
        raise Stopped

    run = purge.run(HOURS, now=NOW, by="system", progress=stop)
    assert (run.state, run.rows, run.error) == ("failed", 10, "Stopped")
    assert EventHour.objects.count() == 25
    assert purge.run(HOURS, now=NOW, by="system", budget_s=-1).state == "interrupted"
    assert purge.run(HOURS, now=NOW, by="system").rows == 15


def test_dates_go_by_whole_days() -> None:
    for age in (39, 40, 41):
        SeenUuid.objects.create(uuid=uuid7(), seen_on=TODAY - timedelta(days=age))
    assert purge.run(dataset("seen_uuids"), now=NOW, by="system").rows == 1
    assert SeenUuid.objects.count() == 2


def quarantined(days_old: int, *, of: QuarantineGroup | None = None) -> QuarantineGroup:
    at = NOW - timedelta(days=days_old)
    group = of or QuarantineGroup.objects.create(
        event=f"e{days_old}", code="unknown_event", first_seen_at=at, last_seen_at=at
    )
    QuarantinedEvent.objects.create(
        uuid=uuid7(), group=group, payload="{}", message="", source="api", correlation_id="", received_at=at
    )
    return group


def test_refused_events_go_and_then_their_groups_when_nothing_is_left_in_them() -> None:
    quarantined(100)
    both = quarantined(99)
    quarantined(5, of=both)
    recent = quarantined(6)
    run = purge.run(dataset("quarantine"), now=NOW, by="system")
    assert run.rows == 3  # two events and one group
    assert set(QuarantineGroup.objects.values_list("pk", flat=True)) == {both.pk, recent.pk}
    assert QuarantinedEvent.objects.count() == 2


def test_rows_that_others_refer_to_take_them_along() -> None:
    quarantined(100)
    groups = Rows(
        name="groups",
        label="Groups",
        default_days=90,
        tables=(Table(model="observability.QuarantineGroup", at="last_seen_at"),),
    )
    assert purge.run(groups, now=NOW, by="system").rows == 1
    assert not QuarantinedEvent.objects.exists()


def test_columns_are_emptied_where_the_row_is_to_stay() -> None:
    group = quarantined(100)
    quarantined(5, of=group)
    QuarantinedEvent.objects.update(payload="a body", message="kept")
    bodies = Rows(
        name="bodies",
        label="Bodies",
        default_days=90,
        tables=(Table(model="observability.QuarantinedEvent", at="received_at", blank={"payload": ""}),),
    )
    assert purge.plan(bodies, now=NOW).rows == 1
    assert purge.run(bodies, now=NOW, by="system").rows == 1
    left = list(QuarantinedEvent.objects.order_by("received_at").values_list("payload", "message"))
    assert left == [("", "kept"), ("a body", "kept")]
    assert purge.run(bodies, now=NOW, by="system").rows == 0


# --- the day's work and the command ---------------------------------------------------------------


def test_the_days_work_goes_through_what_is_due_once() -> None:
    hours(3, days_old=800)
    now = timezone.now()
    ended = daily.run(now=now)
    assert set(ended.values()) == {"done"}
    assert "event_hours" in ended
    assert not EventHour.objects.exists()
    assert daily.run(now=now + timedelta(minutes=10)) == {}
    assert daily.run(now=now + timedelta(days=1), budget_s=0) == {}


def call(*arguments: str) -> str:
    out = StringIO()
    call_command("purge", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_the_command_shows_what_would_go_and_removes_nothing_on_a_dry_run() -> None:
    hours(12, days_old=800)
    shown = call("--dataset", "event_hours", "--dry-run")
    assert "12 rows" in shown
    assert "Nothing was removed." in shown
    assert EventHour.objects.count() == 12
    assert not PurgeRun.objects.exists()


def test_the_command_does_not_remove_without_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    hours(1, days_old=800)
    with pytest.raises(CommandError, match="Say --yes"):
        call("--dataset", "event_hours")
    assert EventHour.objects.count() == 1
    assert "done, 1 rows" in call("--dataset", "event_hours", "--yes")
    assert PurgeRun.objects.get().started_by == "command:purge"
    assert "Nothing is older than its policy." in call("--dataset", "event_hours", "--yes")


def test_the_command_fails_when_a_purge_does() -> None:
    hours(1, days_old=800)
    key = f"select pg_advisory_xact_lock({purge._LOCK_CLASS}, hashtext('event_hours'))"
    with elsewhere(key), pytest.raises(CommandError, match="Not purged: event_hours"):
        call("--dataset", "event_hours", "--yes")


def test_the_command_lists_the_datasets_when_it_does_not_know_one() -> None:
    with pytest.raises(CommandError, match=r"There is no dataset evnts. There are: .*product_events"):
        call("--dataset", "evnts")


def test_a_purge_inside_a_transaction_is_refused(probe: PartitionedTable) -> None:
    with transaction.atomic():
        run: Any = purge.run(PROBES, now=NOW, by="system")
    assert (run.state, run.error) == ("failed", "RuntimeError")
    assert len(ages()) == 15
