"""Days are counted before somebody asks, in the zones that somebody has asked for lately."""

from datetime import timedelta

import pytest
from django.utils import timezone

from observability import capture
from observability.dashboards import ahead, days
from observability.models import CountedDay, CountedZone
from observability.rollups.touched import Subject
from observability.store import Origin
from tests.observability.test_rollups import roll_all
from trainu import schedules
from trainu.demo import history

pytestmark = pytest.mark.usefixtures("transactional_db")
NOW = timezone.now()


def stale(zone: str) -> int:
    first, last = NOW.date() - timedelta(days=9), NOW.date()
    return sum(len(days.stale(subject, zone, first, last, now=NOW)) for subject in Subject)


def report() -> None:
    for back in range(4, 0, -1):
        capture.persist(history.day((NOW - timedelta(days=back)).date()), Origin("demo", ""))
    roll_all()


def test_the_zones_that_were_asked_for_are_counted_and_no_others() -> None:
    report()
    ahead.note_asked("Asia/Kathmandu", now=NOW)
    ahead.note_asked("America/Bogota", now=NOW - timedelta(days=15))
    assert stale("Asia/Kathmandu")
    assert ahead.count(now=NOW) > 0
    assert stale("Asia/Kathmandu") == stale("UTC") == 0
    assert set(CountedDay.objects.values_list("zone", flat=True)) == {"UTC", "Asia/Kathmandu"}
    assert ahead.count(now=NOW) == 0


def test_what_changes_later_is_counted_again() -> None:
    report()
    ahead.count(now=NOW)
    capture.persist(history.day((NOW - timedelta(days=3)).date(), seed=8), Origin("demo", ""))
    roll_all()
    assert stale("UTC")
    ahead.count(now=NOW)
    assert stale("UTC") == 0


def test_it_stops_when_its_time_is_up() -> None:
    report()
    assert ahead.count(now=NOW, budget_s=-1) == 0
    assert stale("UTC")


def test_asking_often_is_written_once_an_hour() -> None:
    ahead.note_asked("UTC", now=NOW)
    ahead.note_asked("UTC", now=NOW + timedelta(minutes=59))
    assert CountedZone.objects.get().asked_at == NOW
    ahead.note_asked("UTC", now=NOW + timedelta(minutes=61))
    assert CountedZone.objects.get().asked_at == NOW + timedelta(minutes=61)


def test_the_schedule_does_it_every_minute() -> None:
    entry = schedules.find("dashboard days")
    assert entry
    assert entry.minutes == 1
