"""Which week a digest tells of: by the trainer's own clock, over changes of the clock and in any zone."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sync.drafts.digest import week

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "Asia/Kathmandu",
)
zones = some.sampled_from(ZONES).map(ZoneInfo)
# Minutes since the beginning of 2024, seven years of them.
moments = some.integers(0, 7 * 365 * 24 * 60).map(
    lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@pytest.mark.parametrize(
    ("now", "zone", "told"),
    [
        ("2026-11-23T06:59:59+00:00", "UTC", "2026-11-09"),
        ("2026-11-23T07:00:00+00:00", "UTC", "2026-11-16"),
        ("2026-11-29T23:00:00+00:00", "UTC", "2026-11-16"),
        # Seven in the morning by the trainer's clock: summer time has ended in the night before.
        ("2026-10-26T05:59:00+00:00", "Europe/Berlin", "2026-10-12"),
        ("2026-10-26T06:00:00+00:00", "Europe/Berlin", "2026-10-19"),
        ("2026-10-19T05:00:00+00:00", "Europe/Berlin", "2026-10-12"),
        # On that island it is Monday morning while Greenwich has Sunday afternoon.
        ("2026-11-22T17:00:00+00:00", "Pacific/Kiritimati", "2026-11-16"),
        ("2026-11-23T17:59:00+00:00", "Pacific/Pago_Pago", "2026-11-09"),
        ("2026-11-23T18:00:00+00:00", "Pacific/Pago_Pago", "2026-11-16"),
    ],
)
def test_a_week_is_told_of_from_seven_on_monday_on(now: str, zone: str, told: str) -> None:
    assert week.due(datetime.fromisoformat(now), ZoneInfo(zone)) == date.fromisoformat(told)


@given(moments, zones)
def test_of_all_weeks_it_is_the_last_whose_hour_has_come(now: datetime, zone: ZoneInfo) -> None:
    told = week.due(now, zone)
    assert told.weekday() == 0
    assert week.due_at(told, zone) <= now < week.due_at(told + week.WEEK, zone)


@given(moments, zones)
def test_weeks_join_each_other_and_hold_seven_days_of_the_clock(now: datetime, zone: ZoneInfo) -> None:
    monday = week.due(now, zone)
    begins, ends = week.begins(monday, zone), week.ends(monday, zone)
    assert ends == week.begins(monday + week.WEEK, zone)
    assert begins.astimezone(zone).hour == ends.astimezone(zone).hour == 0
    assert {(begins + timedelta(hours=h)).astimezone(zone).date() for h in range(0, 24 * 8)} >= {
        monday + timedelta(days=day) for day in range(7)
    }
    assert begins < ends <= week.due_at(monday, zone)
