"""Whatever the address holds, a question comes out of it, or a sentence that says what to write."""

from datetime import UTC, date, datetime, timedelta
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.dashboards.question import MOST_DAYS, BadQuestion, Question, midnight, parse, zones

NOW = datetime(2026, 11, 28, 23, 30, tzinfo=UTC)


def test_without_days_it_is_the_last_ones_up_to_today_of_the_zone() -> None:
    asked = parse({}, now=NOW)
    assert (asked.first, asked.last, asked.zone) == (date(2026, 11, 1), date(2026, 11, 28), "UTC")
    # In Kathmandu the next day has begun.
    assert parse({"zone": "Asia/Kathmandu", "range": "7d"}, now=NOW).last == date(2026, 11, 29)


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        ({"zone": "Mars/Olympus"}, "zone", "Write a name such as Europe/Berlin"),
        ({"zone": "Etc/GMT+5"}, "zone", "no such time zone"),
        ({"range": "8d"}, "range", "Write one of 7d, 28d, 90d, 365d"),
        ({"range": "7d", "from": "2026-11-01"}, "range", "but not both"),
        ({"from": "yesterday"}, "from", "Write a day as 2026-11-28"),
        ({"to": "2026-02-30"}, "to", "Write a day as 2026-11-28"),
        ({"from": "1999-12-31"}, "from", "between 2000 and 2100"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, "from", "Exchange them"),
        ({"from": "2027-01-01"}, "from", "choose an earlier first one"),
        ({"from": "2024-10-29", "to": "2026-11-28"}, "from", f"{MOST_DAYS} days at most"),
        ({"trainer": "x" * 65}, "trainer", "64 characters at most"),
        ({"segment": "a\x00b"}, "segment", "no NUL"),
    ],
)
def test_what_cannot_be_answered_says_what_to_write(asked: dict[str, str], field: str, words: str) -> None:
    with pytest.raises(BadQuestion, match=words) as refused:
        parse(asked, now=NOW)
    assert refused.value.field == field


def test_a_trainer_copied_from_a_page_is_the_trainer() -> None:
    assert parse({"trainer": " trainer:t-1 "}, now=NOW).trainer == "t-1"


days = st.dates(date(2020, 1, 1), date(2030, 12, 31))
questions = st.builds(
    lambda first, length, zone, trainer: Question(
        first, first + timedelta(days=length), zone, trainer=trainer
    ),
    days,
    st.integers(0, 400),
    st.sampled_from(sorted(zones())),
    st.sampled_from(["", "t-1", "ä & b"]),
)


@given(questions)
def test_an_address_asks_the_same_question_again(question: Question) -> None:
    assert parse(dict(parse_qsl(question.address())), now=NOW) == question


@given(questions)
def test_the_period_before_is_as_long_and_ends_where_this_one_begins(question: Question) -> None:
    before = question.before()
    assert len(before.days) == len(question.days)
    assert before.ends_at == question.starts_at


@given(questions)
def test_weeks_hold_every_day_and_say_which_are_in_part(question: Question) -> None:
    weeks = question.weeks()
    assert {day - timedelta(days=day.weekday()) for day in question.days} == set(weeks)
    whole = (weeks[-1] - weeks[0]).days + 7
    assert bool(question.weeks_in_part()) == (whole != len(question.days))


@given(days, st.sampled_from(sorted(zones())))
def test_a_day_begins_with_its_first_moment(day: date, zone: str) -> None:
    start = midnight(day, zone)
    assert start.astimezone(ZoneInfo(zone)).date() == day
    assert (start - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date() < day
    # Counts by the quarter rely on it.
    assert start.timestamp() % 900 == 0
