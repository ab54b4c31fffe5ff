"""When quiet hours end, in every zone, over every change of its clock."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.drafts.delivery import end_of_quiet, start_of_next_day
from tests.examples import examples

NIGHT, SHORT_NIGHT = (time(21), time(8)), (time(21), time(1, 30))
# With clocks that jump by half an hour, over midnight, or over a day; and far from Greenwich both ways.
ZONES = [
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Asia/Beirut",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Niue",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Africa/Casablanca",
]
TIMES = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
HOURS = st.one_of(st.just(NIGHT), st.tuples(TIMES, TIMES))
# Around changes of clocks, and anywhere.
CHANGES = [
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2011, 12, 30, 10, tzinfo=UTC),
]
NEAR = st.builds(
    lambda at, minutes: at + timedelta(minutes=minutes), st.sampled_from(CHANGES), st.integers(-1500, 1500)
)
ANY = st.builds(lambda days: CHANGES[0] + timedelta(days=days), st.floats(-5_000, 2_000))
MOMENTS = st.one_of(NEAR, ANY)


def _length(hours: tuple[time, time]) -> timedelta:
    first, last = (timedelta(hours=one.hour, minutes=one.minute) for one in hours)
    return (last - first) % timedelta(hours=24)


def is_quiet(at: datetime, where: ZoneInfo, hours: tuple[time, time]) -> bool:
    """Minute by minute, as a person would look at the clock on the wall."""
    first, last = hours
    minute = at.astimezone(where).strftime("%H:%M")
    begin, end = first.strftime("%H:%M"), last.strftime("%H:%M")
    return begin <= minute < end if begin <= end else not end <= minute < begin


@settings(max_examples=examples(300))
@given(MOMENTS, st.sampled_from(ZONES), HOURS)
def test_whoever_waits_for_the_end_of_quiet_hours_is_out_of_them_and_no_later_than_a_day(
    now: datetime, name: str, hours: tuple[time, time]
) -> None:
    where = ZoneInfo(name)
    ends = end_of_quiet(now, where, hours)
    assert not is_quiet(ends, where, hours)
    # Who may be written to for less than the hour that a clock is put on may miss it.
    is_long = timedelta(hours=24) - _length(hours) > timedelta(hours=1)
    assert now <= ends <= now + timedelta(hours=25 if is_long else 49)
    if not is_quiet(now, where, hours):
        assert ends == now


@settings(max_examples=examples(150))
@given(MOMENTS, st.sampled_from(ZONES), HOURS)
def test_the_next_day_is_another_day_out_of_quiet_hours(
    now: datetime, name: str, hours: tuple[time, time]
) -> None:
    where = ZoneInfo(name)
    starts = start_of_next_day(now, where, hours)
    assert not is_quiet(starts, where, hours)
    assert starts.astimezone(where).date() > now.astimezone(where).date()
    assert now < starts <= now + timedelta(hours=74)


@pytest.mark.parametrize(
    ("now", "zone", "hours", "ends"),
    [
        ("2026-11-23T20:59:59-05:00", "America/New_York", NIGHT, "2026-11-23T20:59:59-05:00"),
        ("2026-11-23T21:00:00-05:00", "America/New_York", NIGHT, "2026-11-24T08:00:00-05:00"),
        ("2026-11-24T07:59:59-05:00", "America/New_York", NIGHT, "2026-11-24T08:00:00-05:00"),
        # The night in which an hour is left out is an hour shorter.
        ("2026-03-07T22:00:00-05:00", "America/New_York", NIGHT, "2026-03-08T08:00:00-04:00"),
        # The hour that comes twice: half past one is waited for in either.
        ("2026-11-01T01:10:00-04:00", "America/New_York", SHORT_NIGHT, "2026-11-01T01:30:00-04:00"),
        ("2026-11-01T01:10:00-05:00", "America/New_York", SHORT_NIGHT, "2026-11-01T01:30:00-05:00"),
        # The quarter of an hour in which one may write falls into an hour that is left out.
        ("2026-03-28T23:50:00+02:00", "Asia/Beirut", (time(0, 15), time(0)), "2026-03-30T00:00:00+03:00"),
        # A day that Samoa left out.
        ("2011-12-29T22:00:00-10:00", "Pacific/Apia", NIGHT, "2011-12-31T08:00:00+14:00"),
        ("2026-11-23T13:00:00+00:00", "UTC", (time(12), time(14)), "2026-11-23T14:00:00+00:00"),
        ("2026-11-23T13:00:00+00:00", "UTC", (time(12), time(12)), "2026-11-23T13:00:00+00:00"),
    ],
)
def test_quiet_hours_by_the_clock(now: str, zone: str, hours: tuple[time, time], ends: str) -> None:
    found = end_of_quiet(datetime.fromisoformat(now), ZoneInfo(zone), hours)
    assert found == datetime.fromisoformat(ends)
