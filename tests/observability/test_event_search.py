"""The events list's questions: pages by key, capped counts, and a limit on time."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from observability import event_search, partitions
from observability.event_search import Key, Question
from observability.models import Event
from trainu.bounded_query import BY_BLOOM, TooBroad, set_parameters

NOW = timezone.now()


def store(moments: Sequence[datetime], **overrides: str) -> list[Event]:
    """Put events straight into the table; what the doors check is not the matter here."""
    partitions.EVENTS.ensure({moment.astimezone(UTC).date() for moment in moments})
    words = {"event": "sync_ok", "distinct_id": "svc:sync", "correlation_id": "", "source": "api"}
    rows = [
        Event(timestamp=moment, uuid=uuid4(), properties={}, received_at=NOW, xid=1, **words | overrides)
        for moment in moments
    ]
    return Event.objects.bulk_create(rows)


def walk(question: Question, *, newer_from: Key | None = None) -> list[UUID]:
    """Return the uuids of every page, older and older; or newer and newer from a key on."""
    seen: list[UUID] = []
    page = event_search.search(question, now=NOW, newer_than=newer_from)
    while True:
        uuids = [event.uuid for event in page.events]
        seen = [*uuids, *seen] if newer_from else [*seen, *uuids]
        following = page.newer if newer_from else page.older
        if following is None:
            return seen
        if newer_from:
            page = event_search.search(question, now=NOW, newer_than=following)
        else:
            page = event_search.search(question, now=NOW, older_than=following)


@pytest.mark.parametrize("near", [5_000, 10], ids=["common", "rare"])
def test_pages_visit_every_event_once_in_both_directions_also_where_times_are_equal(
    db: None, monkeypatch: pytest.MonkeyPatch, near: int
) -> None:
    monkeypatch.setattr(event_search, "PAGE", 4)
    monkeypatch.setattr(event_search, "NEAR", near)
    # Nine at one moment, so that a page ends among equals, and over midnight into other partitions.
    moments = [NOW - timedelta(hours=1)] * 9 + [NOW - timedelta(hours=7 * step) for step in range(1, 9)]
    wanted = store(moments, correlation_id="one")
    store(moments, correlation_id="other")
    expected = [e.uuid for e in sorted(wanted, key=lambda e: (e.timestamp, e.uuid), reverse=True)]
    for question in (Question(correlation_id="one"), Question(event="sync_ok", correlation_id="one")):
        assert walk(question) == expected
        beginning = Key(NOW - timedelta(days=29), UUID(int=0))
        assert walk(question, newer_from=beginning) == expected
    assert len(walk(Question())) == len(set(walk(Question()))) == 34


def test_the_first_page_has_nothing_newer_and_the_last_nothing_older(db: None) -> None:
    store([NOW - timedelta(minutes=minute) for minute in range(event_search.PAGE + 1)])
    first = event_search.search(Question(), now=NOW)
    assert (len(first.events), first.newer) == (event_search.PAGE, None)
    last = event_search.search(Question(), now=NOW, older_than=first.older)
    assert (len(last.events), last.older) == (1, None)
    back = event_search.search(Question(), now=NOW, newer_than=last.newer)
    assert [event.uuid for event in back.events] == [event.uuid for event in first.events]
    assert back.newer is None


@pytest.mark.parametrize("near", [5_000, 1], ids=["common", "rare"])
def test_each_filter_narrows_and_filters_add_up(db: None, monkeypatch: pytest.MonkeyPatch, near: int) -> None:
    monkeypatch.setattr(event_search, "NEAR", near)
    moment = NOW - timedelta(hours=1)
    store([moment] * 3)
    [alone] = store([moment], event="user_logged_in", distinct_id="client:c-1", correlation_id="abc")
    store([NOW - timedelta(days=3)], event="user_logged_in", distinct_id="client:c-2")
    for question, count in (
        (Question(), 5),
        (Question(range="24h"), 4),
        (Question(event="user_logged_in"), 2),
        (Question(event="user_logged_in", range="24h"), 1),
        (Question(event="user_logged_in", distinct_id="client:c-1"), 1),
        (Question(correlation_id="abc"), 1),
        (Question(correlation_id="abc", event="sync_ok"), 0),
        (Question(distinct_id="CLIENT:c-1"), 0),
        (Question(event="%"), 0),
        (Question(range="nonsense"), 5),
    ):
        page = event_search.search(question, now=NOW)
        assert (len(page.events), page.count) == (count, count), question
    found = event_search.search(Question(distinct_id="client:c-1"), now=NOW).events[0]
    assert found.uuid == alone.uuid
    assert event_search.find(event_search.key_of(found)) == found


def test_counting_stops_at_its_limit(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_search, "COUNT_LIMIT", 10)
    store([NOW - timedelta(minutes=1)] * 9)
    assert event_search.search(Question(), now=NOW).count_words == "9"
    store([NOW - timedelta(minutes=1)] * 9)
    for question in (Question(), Question(event="sync_ok")):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert event_search.search(question, now=NOW).count_words == "10+"
        counts = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
        assert len(counts) == 1
        assert "LIMIT 10" in counts[0]


def test_a_question_that_takes_too_long_is_given_up_and_leaves_no_limit_behind(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def setting() -> str:
        with connection.cursor() as cursor:
            cursor.execute("select current_setting('statement_timeout'), current_setting('enable_seqscan')")
            return str(cursor.fetchone())

    before = setting()
    store([NOW - timedelta(minutes=1)] * 3_000)
    monkeypatch.setattr(event_search, "TIME_LIMIT_MS", 1)
    monkeypatch.setattr(event_search, "PAGE", 3_000)
    with pytest.raises(TooBroad):
        for _ in range(20):
            event_search.search(Question(), now=NOW)
    assert setting() == before
    assert Event.objects.count() == 3_000


def test_rare_words_are_looked_up_by_the_bloom_index(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL left alone reads every partition: with 300,000 events ten times as long."""
    monkeypatch.setattr(event_search, "NEAR", 100)
    store([NOW - timedelta(minutes=minute) for minute in range(2_000)])
    with CaptureQueriesContext(connection) as queries:
        event_search.search(Question(correlation_id="nowhere"), now=NOW)
        asked = [query["sql"] for query in queries if query["sql"].startswith("SELECT")][-2:]
        with connection.cursor() as cursor:
            set_parameters(**BY_BLOOM)
            for sql in asked:
                cursor.execute(f"explain {sql}")
                plan = "\n".join(row[0] for row in cursor.fetchall())
                assert "Bitmap Index Scan" in plan
                assert "Seq Scan" not in plan


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_key_survives_the_address_bar(timestamp: datetime, uuid: UUID) -> None:
    key = Key(timestamp, uuid)
    assert event_search.parse_key(str(key)) == key


@given(st.text())
def test_no_text_breaks_the_reading_of_a_key(raw: str) -> None:
    event_search.parse_key(raw)


# The same one in every process of a run, for it is part of the tests' names.
NO_EVENT = "5f2a0d3c-9e0b-4c58-8f63-0a5f4f1b7c11"


@pytest.mark.parametrize(
    "raw",
    ["", "_", "1", "x_y", f"{10**30}_{NO_EVENT}", f"{'9' * 5_000}_{NO_EVENT}", "1_nope", f"_{NO_EVENT}"],
)
def test_what_is_no_key_is_no_key(raw: str) -> None:
    assert event_search.parse_key(raw) is None
