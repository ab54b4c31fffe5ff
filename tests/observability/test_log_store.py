"""The log store against a real PostgreSQL: order, bounds, drops, and what happens when it goes away."""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import structlog
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from observability import counters, health, partitions
from observability.counters import Counter
from observability.logs import drops, keep, rows, writer
from observability.logs.rows import REST_BYTES, row_of
from observability.logs.store import LogStore
from observability.models import LogLine
from tests.journeys.database import eventually

NOW = timezone.now()


def line(**overrides: Any) -> dict[str, Any]:
    """Return a line as the redaction leaves it."""
    return {
        "timestamp": timezone.now().isoformat().replace("+00:00", "Z"),
        "level": "info",
        "service": "trainu-tests",
        "logger": "tests",
        "event": "something_happened",
        "correlation_id": "a" * 32,
    } | overrides


@pytest.fixture
def store(transactional_db: None) -> Iterator[LogStore]:
    """A store of this test's own; what it has not been given back by then is a leak."""
    made = LogStore(limit=2_000, limit_for_errors=2_400)
    yield made
    made.close()
    assert eventually(lambda: sessions() == [], 5)


def sessions() -> list[int]:
    """Return the server processes of log stores' connections."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select pid from pg_stat_activity"
            " where application_name like %s and datname = current_database()",
            ["%-logs"],
        )
        return [pid for (pid,) in cursor.fetchall()]


def stored(**filters: Any) -> list[Any]:
    """Return the numbers of the stored lines, in the order of storing."""
    found = LogLine.objects.filter(**filters).order_by("id")
    return [one.rest.get("number") for one in found]


@contextmanager
def refusing() -> Iterator[None]:
    """Have the database refuse lines for a while, as it does before its migrations or when it is full."""
    with connection.cursor() as cursor:
        cursor.execute("alter table observability_logline rename to observability_logline_away")
        try:
            yield
        finally:
            cursor.execute("alter table observability_logline_away rename to observability_logline")


def test_lines_are_stored_in_order_with_every_column(store: LogStore) -> None:
    moment = "2026-01-02T03:04:05.678901Z"
    at = timezone.now().replace(microsecond=678901)
    store.put(line(timestamp=at.isoformat(), user_id=7, level="warn", path="/admin/", number=0))
    for number in range(1, 1_200):
        store.put(line(number=number))
    store.put(line(level="error", event="broken", exception="Traceback …", number=1_200, timestamp=moment))
    store.close()
    assert stored() == list(range(1_201))
    first = LogLine.objects.get(level="warn")
    assert (first.logged_at, first.kind, first.service, first.logger) == (
        at,
        "application",
        "trainu-tests",
        "tests",
    )
    assert (first.user_id, first.correlation_id, first.event) == ("7", "a" * 32, "something_happened")
    assert first.rest == {"path": "/admin/", "number": 0}
    [error] = LogLine.objects.filter(kind="error")
    assert error.rest["exception"] == "Traceback …"
    # A clock that is months off would make partitions that nobody expects.
    assert error.logged_at > NOW - timedelta(minutes=5)


def test_an_error_lies_with_the_errors_and_nowhere_else(store: LogStore) -> None:
    store.put(line())
    store.put(line(level="error"))
    store.close()
    with connection.cursor() as cursor:
        cursor.execute("select level, tableoid::regclass::text from observability_logline order by level")
        found = dict(cursor.fetchall())
    today = NOW.astimezone(UTC).date()
    assert found == {
        "error": partitions.ERROR_LOGS.partition(today),
        "info": partitions.LOGS.partition(today),
    }
    with pytest.raises(IntegrityError), transaction.atomic():
        LogLine.objects.update(level="error")


def test_a_line_is_there_a_moment_after_it_was_logged(store: LogStore) -> None:
    store.put(line(number=1))
    assert eventually(lambda: stored() == [1], 3)


def test_what_finds_no_room_is_dropped_counted_and_told_errors_last(store: LogStore) -> None:
    with refusing():
        store.put(line(number=-1))
        assert eventually(lambda: store._queue.qsize() == 0 and store._left != [], 3)
        began = time.perf_counter()
        for number in range(3_000):
            store.put(line(number=number))
        for number in range(500):
            store.put(line(level="error", number=number))
        assert time.perf_counter() - began < 0.5, "putting has waited for the database"
    assert eventually(lambda: len(stored()) == 2_401, 10)
    store.close()
    assert stored(level="info") == [-1, *range(2_000)]
    assert stored(level="error") == list(range(400))
    since = timezone.now() - timedelta(minutes=15)
    assert drops.dropped(since=since) == {"error": 100, "info": 1_000}
    assert counters.total(Counter.LOG_LINE_DROPPED, since=since, label="info") == 1_000
    finding = health.check_logs()
    assert (finding.status, finding.detail["dropped"]) == ("warn", {"error": 100, "info": 1_000})


def test_health_is_well_when_nothing_was_dropped(transactional_db: None) -> None:
    counters.add(Counter.LOG_LINE_DROPPED, "info", now=timezone.now() - timedelta(minutes=17))
    counters.flush()
    assert health.check_logs() == health.Finding(health.Status.PASS, {"kept": False, "dropped": {}})


def test_a_connection_that_is_cut_while_writing_loses_nothing(
    store: LogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut: list[int] = []
    # A backend that is cut off before it has written anything leaves its lines waiting.
    store.limit = 10_000
    monkeypatch.setattr("observability.logs.store.BACKOFF_S", (0.05,))

    def cut_off() -> bool:
        with connection.cursor() as cursor:
            for pid in sessions():
                cursor.execute("select pg_terminate_backend(%s)", [pid])
                cut.append(pid)
        return len(set(cut)) > before

    for number in range(3_000):
        if number % 500 == 499:
            before = len(set(cut))
            assert eventually(cut_off, 10)
        store.put(line(number=number))
    store.close(20)
    assert len(set(cut)) >= 6
    assert stored() == list(range(3_000))


def test_a_missing_partition_is_made(store: LogStore) -> None:
    days = [NOW.astimezone(UTC).date() - timedelta(days=back) for back in (0, 5, 6)]
    with connection.cursor() as cursor:
        for table in (partitions.LOGS, partitions.ERROR_LOGS):
            cursor.execute(f"drop table if exists {table.partition(days[0])}")
    for back in (0, 5, 6):
        at = (timezone.now() - timedelta(days=back)).isoformat()
        store.put(line(number=back, timestamp=at))
        store.put(line(level="error", number=back, timestamp=at))
    store.close()
    assert sorted(stored(kind="application")) == sorted(stored(kind="error")) == [0, 5, 6]
    with connection.cursor() as cursor:
        for table in (partitions.LOGS, partitions.ERROR_LOGS):
            assert table.missing(days) == []
            for day in days[1:]:
                cursor.execute(f"drop table {table.partition(day)}")


def test_a_line_that_never_fits_does_not_take_its_batch_along(
    store: LogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = row_of

    def odd(line: dict[str, Any], *, now: datetime) -> rows.Row:
        row = real(line, now=now)
        match line["number"]:
            case 17 | 18:
                return row._replace(rest="{")
            case 170:
                return row._replace(level="shout")
            case 171:
                raise ValueError("what row_of should never do")
        return row

    monkeypatch.setattr("observability.logs.store.row_of", odd)
    for number in range(300):
        store.put(line(number=number))
    store.close()
    assert stored() == [number for number in range(300) if number not in {17, 18, 170, 171}]
    assert sum(drops.dropped(since=NOW - timedelta(minutes=1)).values()) == 4


def test_what_a_batch_has_left_when_the_database_goes_is_neither_lost_nor_written_twice(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad line splits its batch; the server goes away between the parts."""
    bad: list[rows.Row] = []
    made = [row_of(line(number=number), now=NOW) for number in range(8)]
    made[1] = made[1]._replace(rest="{")
    writing = writer.Writer(on_bad=bad.append)
    copied, real = [], writer.Writer._copy

    def goes_away(self: writer.Writer, chunk: list[rows.Row]) -> bool:
        copied.append(len(chunk))
        if len(copied) == 6:
            raise psycopg.OperationalError("the server closed the connection unexpectedly")
        return real(self, chunk)

    monkeypatch.setattr(writer.Writer, "_copy", goes_away)
    with pytest.raises(writer.Refused) as refused:
        writing.write(made)
    assert 0 < len(refused.value.left) < 8
    writing.write(refused.value.left)
    writing.close()
    assert stored() == [0, 2, 3, 4, 5, 6, 7]
    assert bad == [made[1]]


def test_nothing_is_kept_of_what_the_store_itself_logs(store: LogStore) -> None:
    thread_said: list[str] = []

    def from_the_thread(row: rows.Row) -> None:
        store.put(line(event="from the store's own thread"))
        thread_said.append("put")

    store._writer._on_bad = from_the_thread
    store.put(line(number=1))
    store.put(line(number=2) | {"level": "info"})
    store._writer.write, real = lambda left: (from_the_thread(left[0]), real(left))[1], store._writer.write
    store.close()
    assert thread_said
    assert stored() == [1, 2]


def test_after_its_end_a_store_takes_nothing_and_ending_twice_is_well(store: LogStore) -> None:
    store.put(line(number=1))
    store.close()
    store.close()
    store.put(line(number=2))
    assert store._queue.qsize() == 0
    assert stored() == [1]


def test_ending_while_the_database_refuses_takes_no_longer_than_it_may(
    store: LogStore, capfd: pytest.CaptureFixture[str]
) -> None:
    with refusing():
        for number in range(700):
            store.put(line(number=number))
        began = time.monotonic()
        store.close()
        assert time.monotonic() - began < 3
    assert "700 lines are in the stream only (UndefinedTable)" in capfd.readouterr().err
    assert stored() == []


def test_the_store_tells_stderr_at_most_once_a_minute(
    store: LogStore, capfd: pytest.CaptureFixture[str]
) -> None:
    store._say("first")
    store._say("second")
    store._told_at -= 61
    store._say("third")
    assert capfd.readouterr().err == "log store: first\nlog store: third\n"


def test_the_embedded_server_is_never_started_for_a_log_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "ENGINE", "trainu.embedded")
    monkeypatch.setitem(connection.settings_dict, "HOST", "")
    with pytest.raises(OSError, match="not running"):
        writer.parameters()


def test_the_store_connects_for_itself_with_short_limits_and_an_own_name(transactional_db: None) -> None:
    with psycopg.connect(**writer.parameters()) as own:
        asked = own.execute(
            "select current_setting('application_name'), current_setting('statement_timeout'),"
            " current_setting('synchronous_commit'), current_setting('lock_timeout')"
        )
        assert asked.fetchone() == ("trainu-command-logs", "5s", "off", "2s")


def test_many_threads_put_and_every_line_comes_once(store: LogStore) -> None:
    def talk(name: int) -> None:
        for number in range(200):
            store.put(line(number=name * 1_000 + number))

    threads = [threading.Thread(target=talk, args=[name]) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
    assert sorted(stored()) == [name * 1_000 + number for name in range(8) for number in range(200)]
    for name in range(8):
        mine = [number for number in stored() if number // 1_000 == name]
        assert mine == sorted(mine)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*rows._COLUMNS, "exception", "rest"]) | st.text(max_size=20),
        json_values | st.text(alphabet="\x00\ud800\udfff\U0001f600\\\"'\n\ta", max_size=9_000),
        max_size=12,
    )
)
def test_whatever_is_logged_fits_into_a_row(transactional_db: None, strange: dict[str, Any]) -> None:
    made = row_of(strange, now=NOW)
    assert len(made.rest.encode()) <= REST_BYTES
    assert isinstance(json.loads(made.rest), dict)
    bad: list[rows.Row] = []
    writing = writer.Writer(on_bad=bad.append)
    writing.write([made])
    writing.close()
    assert bad == []


def test_a_long_line_is_cut_where_it_matters_least_and_says_so() -> None:
    frames = "\n".join(f"  File frame_{number}" for number in range(4_000))
    made = row_of(line(exception=f"{frames}\nValueError: the end", number=1, event="e" * 5_000), now=NOW)
    rest = json.loads(made.rest)
    assert len(made.rest.encode()) <= REST_BYTES
    assert rest["number"] == 1
    assert rest["exception"].startswith("  File frame_0\n")
    assert rest["exception"].endswith("\nValueError: the end")
    assert "characters …" in rest["exception"]
    assert made.event.endswith("… 3,000 characters more")

    wide = row_of(line(**{f"value_{number}": "ü" * 3_000 for number in range(20)}, number=1), now=NOW)
    assert len(wide.rest.encode()) <= REST_BYTES
    assert json.loads(wide.rest)["number"] == 1
    assert "too long to keep" in wide.rest

    many = row_of(line(**{f"{'k' * 180}{number}": number for number in range(500)}), now=NOW)
    assert len(many.rest.encode()) <= REST_BYTES


def test_what_is_no_json_is_told_by_its_type_alone() -> None:
    """Its text was never redacted."""

    class Secret:
        def __str__(self) -> str:
            return "hunter2"

    made = row_of(line(client=Secret(), deep=[[[[[[[[1]]]]]]]], nan=float("nan"), huge=10**9_000), now=NOW)
    rest = json.loads(made.rest)
    assert rest["client"] == "<Secret>"
    assert "too deep" in made.rest
    assert (rest["nan"], rest["huge"]) == ("nan", "29898 bits")
    assert "hunter2" not in str(made)


def test_the_processor_keeps_finished_lines_of_ours_and_no_others(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    kept: list[dict[str, Any]] = []
    taking = LogStore()
    monkeypatch.setattr(taking, "put", kept.append)
    monkeypatch.setattr(keep, "store", taking)
    given_line = line()
    assert keep.keep_copy(None, "info", given_line) is given_line
    assert kept == [], "the setting is off"
    settings.LOG_STORE = True
    keep.keep_copy(None, "info", given_line)
    # The console's renderer empties the line that it renders.
    structlog.dev.ConsoleRenderer(colors=False)(None, "info", given_line)
    assert kept == [line(timestamp=kept[0]["timestamp"])]
    for other in (
        line(level="debug"),
        line(logger="psycopg.pool"),
        line(logger="django.db.backends"),
        line(logger="observability.logs.store"),
    ):
        keep.keep_copy(None, "info", other)
    assert len(kept) == 1
    keep.keep_copy(None, "info", line(logger="observability.logs.requests", level="error"))
    assert len(kept) == 2


def test_a_forked_child_begins_anew_and_leaves_the_connection_to_its_parent(transactional_db: None) -> None:
    """What a child does right after a fork, without one: tests/journeys forks for real."""
    mine, other = psycopg.connect(**writer.parameters(), autocommit=True), LogStore()
    other._writer.connection = mine
    queue, lock = other._queue, other._lock
    copy_of_socket = os.dup(mine.pgconn.socket)
    other.after_fork()
    assert other._writer.connection is None
    assert (other._queue is queue, other._lock is lock, other._thread) == (False, False, None)
    # The session goes on: nobody has said good-bye over it.
    assert len(sessions()) == 1
    os.close(copy_of_socket)
    assert eventually(lambda: sessions() == [], 5)
