"""Schedules: what any app declares is what django-q2 runs, and what staff add is left alone."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import Schedule

from observability import partitions, tasks
from trainu import datasets, schedules
from trainu.datasets import Partitions
from trainu.partitioned_table import PartitionedTable
from trainu.schedules import Entry

pytestmark = pytest.mark.django_db


def mirrored() -> set[tuple[str, str, int]]:
    return set(Schedule.objects.values_list("name", "func", "minutes"))


def test_what_every_app_declares_is_mirrored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(schedules._registered, "new", Entry("new", "sync.tasks.new", minutes=3))
    Schedule.objects.filter(name="purge").update(minutes=77)
    tasks.mirror_schedules()
    assert mirrored() == {(entry.name, entry.func, entry.minutes) for entry in schedules.registered()}
    assert ("new", "sync.tasks.new", 3) in mirrored()
    assert ("purge", "observability.tasks.purge", 10) in mirrored()


def test_what_is_declared_no_longer_goes_and_what_staff_added_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(schedules._registered, "old", Entry("old", "sync.tasks.old", minutes=3))
    tasks.mirror_schedules()
    staffs = [
        Schedule.objects.create(name="greeting", func="print", minutes=1),
        Schedule.objects.create(name="logs", func="observability.tasks.purge_now", args="'logs', 'ada'"),
        Schedule.objects.create(name="nightly", func="observability.tasks.purge_now", kwargs="name='logs'"),
    ]
    monkeypatch.delitem(schedules._registered, "old")
    tasks.mirror_schedules()
    names = {name for name, *_ in mirrored()}
    assert names == {entry.name for entry in schedules.registered()} | {one.name for one in staffs}


def test_one_name_has_one_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    purge = schedules.find("purge")
    assert purge is not None
    schedules.register(purge)
    with pytest.raises(ValueError, match="purge"):
        schedules.register(Entry("purge", "sync.tasks.purge", minutes=10))


def test_a_lane_is_called_as_its_schedule_and_other_work_is_no_lane() -> None:
    assert Entry("sync 1 lane", "sync.tasks.sync_1", minutes=1).lane == "sync 1"
    assert Entry("purge", "observability.tasks.purge", minutes=10).lane is None
    assert "roll-up" in schedules.lanes()
    assert "purge" not in schedules.lanes()


def test_partitions_are_made_for_the_tables_of_every_app_that_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("tests_there", "tests_not_there"):
        dataset = Partitions(name=name, label=name, table=PartitionedTable(name), default_days=3)
        monkeypatch.setitem(datasets._registered, name, dataset)
    with connection.cursor() as cursor:
        cursor.execute("create table tests_there (at timestamptz) partition by range (at)")
    assert [table.name for table in partitions.present()].count("observability_event") == 1
    today = timezone.now().date()
    made = tasks.keep_partitions()
    assert f"tests_there_{today + timedelta(days=7):%Y%m%d}" in made
    assert not any(name.startswith("tests_not_there") for name in made)
