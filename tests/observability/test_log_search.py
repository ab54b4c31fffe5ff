"""Questions to the kept log lines: filters, pages by key, the tail's overlap, and the limit on time."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from observability import partitions
from observability.logs import search
from observability.logs.search import Key, Question
from observability.models import LogLine
from trainu.bounded_query import TooBroad

NOW = timezone.now()


def keep(moments: Sequence[datetime], **overrides: Any) -> list[LogLine]:
    """Put lines straight into the table; what the store makes of them is not the matter here."""
    level = overrides.get("level", "info")
    kind = "error" if level == "error" else "application"
    table = partitions.ERROR_LOGS if level == "error" else partitions.LOGS
    table.ensure({moment.astimezone(UTC).date() for moment in moments})
    with connection.cursor() as cursor:
        cursor.execute(
            "select nextval('observability_logline_id_seq') from generate_series(1, %s)", [len(moments)]
        )
        ids = [number for (number,) in cursor.fetchall()]
    words = {
        "kind": kind,
        "level": level,
        "service": "trainu-web",
        "logger": "observability.forwarder",
        "event": "batch_sent",
        "correlation_id": "",
        "user_id": None,
        "rest": {},
    } | overrides
    return LogLine.objects.bulk_create(
        LogLine(logged_at=moment, id=number, **words) for moment, number in zip(moments, ids, strict=True)
    )


def ids(page: search.Page) -> list[int]:
    return [line.id for line in page.lines]


def test_pages_visit_every_line_once_newest_first_over_days_kinds_and_equal_times(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "PAGE", 4)
    moments = [NOW - timedelta(hours=1)] * 9 + [NOW - timedelta(hours=7 * step) for step in range(1, 9)]
    lines = [*keep(moments), *keep(moments, level="error")]
    expected = [line.id for line in sorted(lines, key=lambda one: (one.logged_at, one.id), reverse=True)]
    seen: list[int] = []
    page = search.search(Question(range="30d"), now=NOW)
    while True:
        seen += ids(page)
        if page.older is None:
            break
        page = search.search(Question(range="30d"), now=NOW, older_than=page.older)
    assert seen == expected


def test_each_filter_narrows_and_filters_add_up(db: None) -> None:
    moment = NOW - timedelta(hours=1)
    keep([moment] * 3)
    keep([moment], level="warn", user_id="7")
    keep(
        [moment],
        level="error",
        correlation_id="abc",
        rest={"exception": "ValueError: 100% WRONG_value", "code": "late"},
    )
    keep([moment], service="trainu-worker", event="Roll-up late")
    keep([NOW - timedelta(days=3)], correlation_id="abc")
    for question, count in (
        (Question(), 6),
        (Question(range="7d"), 7),
        (Question(range="15m"), 0),
        (Question(range="nonsense"), 6),
        (Question(until=NOW - timedelta(minutes=90)), 0),
        (Question(until=NOW - timedelta(days=2, hours=23)), 1),
        (Question(level="warn-up"), 2),
        (Question(level="error"), 1),
        (Question(level="warn"), 1),
        (Question(level="info"), 4),
        (Question(level="nonsense"), 6),
        (Question(service="trainu-worker"), 1),
        (Question(service="trainu"), 0),
        (Question(correlation_id="abc", range="7d"), 2),
        (Question(correlation_id="abc", range="7d", level="info"), 1),
        (Question(user_id="7"), 1),
        (Question(text="roll-UP"), 1),
        (Question(text="FORWARDER"), 6),
        (Question(text="wrong_VALUE"), 1),
        (Question(text="100% w"), 1),
        (Question(text="%"), 1),
        (Question(text="g_v"), 1),
        (Question(text="_"), 5),
        (Question(text="late"), 2),
        (Question(text="nowhere"), 0),
    ):
        assert len(search.search(question, now=NOW).lines) == count, question


def test_one_level_looks_only_where_it_can_be(db: None) -> None:
    keep([NOW - timedelta(hours=1)], level="error")
    with CaptureQueriesContext(connection) as queries:
        search.search(Question(level="error"), now=NOW)
    [asked] = [query["sql"] for query in queries if 'FROM "observability_logline"' in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"explain {asked}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "observability_logline_error" in plan
    assert "observability_logline_application" not in plan


def test_no_question_counts_and_each_costs_the_same_queries(db: None, django_assert_num_queries: Any) -> None:
    keep([NOW - timedelta(minutes=1)] * 60)
    for question in (Question(), Question(text="batch", level="warn-up", service="x")):
        # A transaction's begin and end, the limits, and the question.
        with django_assert_num_queries(4) as queries:
            search.search(question, now=NOW)
        assert "COUNT(" not in "".join(query["sql"] for query in queries)


def test_the_tail_looks_back_for_what_others_stored_late(db: None) -> None:
    first = keep([NOW - timedelta(seconds=30)])[0]
    second = keep([NOW - timedelta(seconds=3)])[0]
    found = search.tail(Question(), since=NOW - timedelta(seconds=40), now=NOW)
    assert [line.id for line in found.lines] == [second.id, first.id]
    assert (found.since, found.is_cut) == (second.logged_at, False)
    late = keep([NOW - timedelta(seconds=8)])[0]
    again = search.tail(Question(), since=found.since, now=NOW)
    assert [line.id for line in again.lines] == [second.id, late.id]
    assert search.tail(Question(level="error"), since=found.since, now=NOW).lines == []


def test_the_tail_is_bounded_says_when_it_leaves_out_and_is_not_led_away_by_a_fast_clock(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "TAIL", 5)
    since = NOW - timedelta(seconds=5)
    keep([NOW - timedelta(seconds=7)] * 9)
    assert (len(search.tail(Question(), since=since, now=NOW).lines), False) == (5, False)
    assert search.tail(Question(), since=since, now=NOW).is_cut is False, "those had been shown before"
    keep([NOW - timedelta(seconds=1)] * 6)
    assert search.tail(Question(), since=since, now=NOW).is_cut is True
    keep([NOW + timedelta(hours=1)])
    assert search.tail(Question(), since=since, now=NOW).since == NOW


def test_a_question_that_takes_too_long_is_given_up_and_leaves_no_limit_behind(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limit() -> str:
        with connection.cursor() as cursor:
            cursor.execute("select current_setting('statement_timeout')")
            return str(cursor.fetchone())

    before = limit()
    keep([NOW - timedelta(minutes=1)] * 3_000, rest={"exception": "x" * 200})
    monkeypatch.setattr(search, "TIME_LIMIT_MS", 1)
    with pytest.raises(TooBroad):
        for _ in range(20):
            search.search(Question(text="nowhere to be found"), now=NOW)
    with pytest.raises(TooBroad):
        for _ in range(20):
            search.tail(Question(text="nowhere to be found"), since=NOW - timedelta(minutes=5), now=NOW)
    assert limit() == before


@given(st.datetimes(timezones=st.just(UTC)), st.integers(0, 2**63 - 1))
def test_a_key_survives_the_address_bar(logged_at: datetime, number: int) -> None:
    key = Key(logged_at, number)
    assert search.parse_key(str(key)) == key


@given(st.text())
def test_no_text_breaks_the_reading_of_a_key(raw: str) -> None:
    search.parse_key(raw)


@pytest.mark.parametrize(
    "raw", ["", "_", "1", "x_1", f"{10**30}_1", f"{'9' * 5_000}_1", "1_-1", f"1_{2**63}"]
)
def test_what_is_no_key_is_no_key(raw: str) -> None:
    assert search.parse_key(raw) is None
