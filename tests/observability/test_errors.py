"""Errors: told apart by what PostgreSQL really says, counted exactly, reported once, never in the way."""

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import psycopg_pool
import pytest
import sentry_sdk
import structlog
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.utils import timezone
from django_q.exceptions import TimeoutException
from hypothesis import given
from hypothesis import strategies as st

from observability import carrier
from observability.errors import counts, figures, reporting, units
from observability.errors.classification import Unit, Verdict, chain, classify
from observability.errors.units import unit_of_work
from observability.models import ErrorMinute
from observability.task_context import TaskErrors
from tests import servers
from tests.observability.conftest import Staff
from trainu import correlation
from trainu.faults import (
    DataLossFault,
    GHLWebhookFault,
    LLMFault,
    MassSendFault,
    Severity,
    SyncFault,
    UIFault,
)

log = structlog.get_logger("tests.errors")


def counted() -> dict[tuple[str, str, str], int]:
    """Return what stands in the database, with what this process still held."""
    counts.flush()
    return {(row.severity, row.category, row.code): row.errors for row in ErrorMinute.objects.all()}


class Lines(logging.Handler):
    """What the root logger got, beside the handlers of the service."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.events: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.events.append(record.msg["event"] if isinstance(record.msg, dict) else record.getMessage())


@pytest.fixture
def lines() -> Iterator[list[str]]:
    handler = Lines()
    logging.getLogger().addHandler(handler)
    yield handler.events
    logging.getLogger().removeHandler(handler)


# --- told apart --------------------------------------------------------------------------------


def parameters() -> dict[str, Any]:
    """Return how psycopg reaches the test database."""
    connection.ensure_connection()
    given = connection.get_connection_params()
    return {key: given[key] for key in ("dbname", "user", "host", "password", "port") if given.get(key)}


def raised(act: Callable[[], Any]) -> BaseException:
    try:
        act()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
        return error
    raise AssertionError("Nothing was raised.")


def statement_timeout() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local statement_timeout = 5")
        cursor.execute("select pg_sleep(5)")


def lock_timeout() -> None:
    with psycopg.connect(**parameters()) as holder, psycopg.connect(**parameters()) as waiter:
        holder.execute("select pg_advisory_xact_lock(815)")
        waiter.execute("set local lock_timeout = 5")
        waiter.execute("select pg_advisory_xact_lock(815)")


def deadlock() -> None:
    with psycopg.connect(**parameters()) as one, psycopg.connect(**parameters()) as other:
        for each, first in ((one, 1), (other, 2)):
            each.execute("set local deadlock_timeout = '10ms'")
            each.execute("select pg_advisory_xact_lock(%s)", [first])
        failed = []

        def wait() -> None:
            try:
                one.execute("select pg_advisory_xact_lock(2)")
            except psycopg.Error as error:
                failed.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        try:
            other.execute("select pg_advisory_xact_lock(1)")
        except psycopg.Error as error:
            failed.append(error)
        other.rollback()
        thread.join()
        raise failed[0]


def serialization() -> None:
    with psycopg.connect(**parameters()) as one, psycopg.connect(**parameters()) as other:
        for each in (one, other):
            each.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            each.execute("select * from observability_heartbeat where name = 'race'").fetchall()
        sql = "insert into observability_heartbeat (name, beat_at, detail) values ('race', now(), '{}')"
        one.execute(f"{sql} on conflict (name) do update set beat_at = now()")
        one.commit()
        try:
            other.execute(f"{sql} on conflict (name) do update set beat_at = now()")
        finally:
            one.execute("delete from observability_heartbeat where name = 'race'")
            one.commit()


def idle_timeout() -> None:
    with psycopg.connect(**parameters()) as idle:
        idle.execute("set idle_in_transaction_session_timeout = '10ms'")
        time.sleep(0.05)
        idle.execute("select 1")


def shutdown() -> None:
    with psycopg.connect(**parameters()) as gone:
        gone.execute("select pg_terminate_backend(pg_backend_pid())")


def refused() -> None:
    psycopg.connect(host="127.0.0.1", port=servers.free_port(), connect_timeout=2)


def closed() -> None:
    gone = psycopg.connect(**parameters())
    gone.close()
    gone.execute("select 1")


def pool_timeout() -> None:
    pool = psycopg_pool.ConnectionPool(kwargs=parameters(), min_size=0, max_size=1, open=True, timeout=0.01)
    try:
        with pool.connection(), pool.connection():
            pass
    finally:
        pool.close()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("act", "code"),
    [
        (statement_timeout, "statement_timeout"),
        (lock_timeout, "lock_timeout"),
        (deadlock, "deadlock"),
        (serialization, "serialization"),
        (idle_timeout, "idle_timeout"),
        (shutdown, "shutdown"),
        (refused, "connection"),
        (closed, "connection"),
        (pool_timeout, "connection"),
    ],
)
def test_what_postgresql_really_raises_is_told_apart(act: Callable[[], Any], code: str) -> None:
    verdict = classify(raised(act))
    assert verdict == Verdict(Severity.SEV2, "db", code, ("db", code))
    assert verdict.level == "error"


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        (psycopg.errors.DiskFull, ("SEV2", "db", "resources")),
        (psycopg.errors.TooManyConnections, ("SEV2", "db", "resources")),
        (psycopg.errors.ConnectionFailure, ("SEV2", "db", "connection")),
        (psycopg.errors.InvalidPassword, ("SEV2", "db", "connection")),
        (psycopg.errors.InFailedSqlTransaction, ("SEV2", "db", "operational")),
        (psycopg.errors.DataCorrupted, ("SEV1", "data-loss", "database_corrupted")),
        # A query that is wrong is a bug, and no trouble of the database.
        (psycopg.errors.UndefinedTable, ("SEV3", "unknown", "UndefinedTable")),
    ],
)
def test_what_a_test_cannot_force_is_told_by_its_sqlstate(
    kind: type[Exception], verdict: tuple[str, str, str]
) -> None:
    found = classify(kind())
    assert (found.severity, found.category, found.code) == verdict


def provider_error(module: str, name: str, **attributes: object) -> Exception:
    """Return an exception as an SDK that is not installed here would raise it."""
    return type(name, (Exception,), {"__module__": module} | attributes)()


@pytest.mark.parametrize(
    ("error", "fingerprint"),
    [
        (("openai", "RateLimitError"), ("openai", "rate_limited")),
        (("openai._exceptions", "APITimeoutError"), ("openai", "timeout")),
        (("openai", "APIConnectionError"), ("openai", "connection")),
        (("anthropic", "AuthenticationError"), ("anthropic", "auth")),
        (("anthropic._exceptions", "OverloadedError"), ("anthropic", "overloaded")),
        (("anthropic", "InternalServerError"), ("anthropic", "provider_5xx")),
        (("litellm.exceptions", "Timeout"), ("litellm", "timeout")),
        (("litellm.exceptions", "BadRequestError"), ("litellm", "bad_request")),
    ],
)
def test_what_a_provider_raises_is_told_by_its_package(
    error: tuple[str, str], fingerprint: tuple[str, str]
) -> None:
    assert classify(provider_error(*error)).fingerprint == ("llm", *fingerprint)


@pytest.mark.parametrize(
    ("status", "code"), [(429, "rate_limited"), (503, "overloaded"), (502, "provider_5xx")]
)
def test_google_tells_by_the_status(status: int, code: str) -> None:
    error = provider_error("google.genai.errors", "APIError", code=status)
    assert classify(error).fingerprint == ("llm", "google", code)


def test_a_package_that_only_begins_like_a_provider_is_none() -> None:
    assert classify(provider_error("openaiish", "RateLimitError")).category == "unknown"


def test_the_outermost_that_is_known_wins_however_deep_the_cause() -> None:
    inner = raised(refused)
    try:
        try:
            raise RuntimeError from inner
        except RuntimeError as middle:
            raise KeyError("x") from middle
    except KeyError as outer:
        assert classify(outer).code == "connection"
    try:
        raise SyncFault("unavailable") from inner
    except SyncFault as fault:
        assert classify(fault).fingerprint == ("sync", "unavailable")
    hidden = ValueError()
    hidden.__context__, hidden.__suppress_context__ = inner, True
    assert classify(hidden).category == "unknown"
    assert classify(ExceptionGroup("two", [ValueError(), LLMFault("openai", "timeout")])).category == "llm"


def test_a_circle_of_causes_and_a_very_long_chain_end() -> None:
    one, other = ValueError(), KeyError()
    one.__cause__, other.__cause__ = other, one
    assert list(chain(one)) == [one, other]
    last = long = ValueError()
    for _ in range(5_000):
        last.__cause__ = ValueError()
        last = last.__cause__
    assert len(list(chain(long))) == 12


@pytest.mark.parametrize("unit", list(Unit))
def test_the_unknown_is_worse_where_nobody_sees_it(unit: Unit) -> None:
    verdict = classify(KeyError("x"), unit=unit)
    assert verdict.severity is (Severity.SEV3 if unit is Unit.WEB else Severity.SEV2)
    assert (verdict.category, verdict.code, verdict.fingerprint) == ("unknown", "KeyError", None)


@pytest.mark.parametrize(
    ("logger_name", "event", "expected"),
    [
        ("django.security.SuspiciousOperation", "x", ("auth", "suspicious_request")),
        ("django-q", "reincarnated worker Process-1 after death", ("degraded", "worker_died")),
        ("django-q", "something else 4711", ("log", "line")),
        ("sync.webhooks", "webhook_lost", ("sync", "webhook_lost")),
        ("observability.receivers", "receiver_failed", ("log", "receiver_failed")),
        ("some.library", "Could not reach jane@mail.example", ("log", "line")),
    ],
)
def test_a_line_without_an_exception_is_told_by_its_logger(
    logger_name: str, event: str, expected: tuple[str, str]
) -> None:
    verdict = classify(logger_name=logger_name, event=event, unit=Unit.TASK)
    assert (verdict.category, verdict.code) == expected
    assert verdict.severity is Severity.SEV2


def test_a_worker_that_was_ended_after_a_timeout_is_seen_but_weighs_less() -> None:
    verdict = classify(logger_name="django-q", event="reincarnated worker Process-1 after timeout")
    assert (verdict.severity, verdict.code) == (Severity.SEV3, "worker_restarted")


def test_a_timeout_of_django_q_is_grouped_by_its_task() -> None:
    verdict = classify(TimeoutException("110 seconds"), unit=Unit.TASK, unit_name="sync.tasks.lane")
    assert verdict.fingerprint == ("degraded", "task_timeout", "sync.tasks.lane")
    assert classify(SystemExit(1), unit=Unit.TASK).category == "unknown"


@given(st.text(), st.text(), st.text())
def test_no_verdict_holds_anything_that_an_error_says(message: str, logger_name: str, event: str) -> None:
    for verdict in (
        classify(ValueError(message)),
        classify(type("ValueError", (Exception,), {"__module__": "openai"})(message)),
        classify(GHLWebhookFault("ContactUpdate", "bad_payload", webhook_id=message)),
        classify(TimeoutException(message), unit_name="sync.tasks.lane"),
    ):
        words = {verdict.category, verdict.code, *(verdict.fingerprint or ())}
        plain = {"unknown", "ValueError", "llm", "openai", "bad_request", "ghl-webhook", "ContactUpdate"}
        plain |= {"bad_payload", "degraded", "task_timeout", "sync.tasks.lane"}
        assert words <= plain
    assert classify(logger_name=logger_name, event=event).fingerprint is None or "django" in logger_name


# --- counted -----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_threads_count_side_by_side_and_nothing_is_lost() -> None:
    def fail() -> None:
        for _ in range(100):
            reporting.report(SyncFault("timeout"))
            reporting.report(UIFault("page_failed"))

    threads = [threading.Thread(target=fail) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    carrier.carry()
    carrier.carry()
    assert counted() == {("SEV2", "sync", "timeout"): 400, ("SEV3", "ui", "page_failed"): 400}


def test_a_timeout_in_the_middle_of_a_query_is_counted_before_the_worker_is_killed(
    transactional_db: None,
) -> None:
    def out_of_time(*_signal: Any) -> None:
        raise TimeoutException

    before = signal.signal(signal.SIGALRM, out_of_time)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with connection.cursor() as cursor:
            cursor.execute("select pg_sleep(5)")
    except TimeoutException:
        TaskErrors().report()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert list(ErrorMinute.objects.values_list("code", "errors")) == [("task_timeout", 1)]


def test_sev1_stands_at_once_where_the_failing_work_rolls_back(transactional_db: None) -> None:
    with pytest.raises(DataLossFault), transaction.atomic():
        fault = DataLossFault("outbox_gap", event_id="e-1")
        reporting.report(fault)
        # Another connection sees it already, and nothing is held in memory.
        with psycopg.connect(**parameters()) as other:
            [[errors]] = other.execute("select sum(errors) from observability_errorminute").fetchall()
        assert errors == 1
        raise fault
    counts.forget()
    assert counted() == {("SEV1", "data-loss", "outbox_gap"): 1}


def test_sev1_is_kept_in_memory_while_the_database_is_away(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setitem(connection.settings_dict, "HOST", "127.0.0.1")
        patched.setitem(connection.settings_dict, "PORT", str(servers.free_port()))
        started = time.monotonic()
        for _ in range(50):
            reporting.report(MassSendFault("sent_twice"))
        assert time.monotonic() - started < 2
    assert ErrorMinute.objects.count() == 0
    assert counted() == {("SEV1", "mass-send", "sent_twice"): 50}


@pytest.mark.django_db
def test_counts_that_could_not_be_carried_are_carried_later() -> None:
    reporting.report(SyncFault("timeout"))
    with psycopg.connect(**parameters()) as holder:
        holder.execute("lock table observability_errorminute in access exclusive mode")
        with pytest.raises(OperationalError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("set local lock_timeout = 5")
            counts.flush()
    assert counted() == {("SEV2", "sync", "timeout"): 1}


# --- reported once -----------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_exception_is_counted_and_logged_once_however_often_it_is_met(lines: list[str]) -> None:
    try:
        with unit_of_work(Unit.TASK, "outer"), unit_of_work(Unit.TASK, "inner"):
            try:
                raise SyncFault("timeout", job_id=7)
            except SyncFault as fault:
                reporting.report(fault, event="job_failed")
                log.exception("said_again")
                raise RuntimeError("wrapped") from fault
    except RuntimeError as error:
        reporting.report(error)
    assert counted() == {("SEV2", "sync", "timeout"): 1}
    assert lines == ["job_failed", "said_again"]


@pytest.mark.django_db
def test_what_fails_while_another_failure_is_handled_counts_for_itself() -> None:
    try:
        raise SyncFault("timeout")
    except SyncFault as fault:
        reporting.report(fault)
        try:
            raise LLMFault("openai", "timeout")
        except LLMFault as other:
            reporting.report(other)
    assert counted() == {("SEV2", "sync", "timeout"): 1, ("SEV2", "llm", "timeout"): 1}


@pytest.mark.django_db
def test_error_lines_count_ours_and_foreign_ones_and_warnings_do_not(lines: list[str]) -> None:
    log.error("lane_stuck", lane="forward")
    log.warning("lane_late")
    logging.getLogger("some.library").error("Could not reach %s", "host")
    logging.getLogger("some.library").warning("slow")
    try:
        raise LLMFault("anthropic", "overloaded")
    except LLMFault:
        log.exception("draft_failed")
    try:
        raise KeyError("x")
    except KeyError:
        logging.getLogger("some.library").exception("Broken")
    assert counted() == {
        ("SEV2", "log", "lane_stuck"): 1,
        ("SEV2", "log", "line"): 1,
        ("SEV2", "llm", "overloaded"): 1,
        ("SEV2", "unknown", "KeyError"): 1,
    }
    assert lines == ["lane_stuck", "Could not reach host", "draft_failed", "Broken"]


@pytest.mark.django_db
def test_what_only_repeats_an_error_is_not_counted() -> None:
    record = logging.LogRecord(
        "django-q", logging.ERROR, "/x/monitor.py", 1, "Failed 'x'", (), None, "monitor"
    )
    logging.getLogger().handle(record)
    logging.getLogger("sentry_sdk.errors").error("Unexpected status code: 500")
    logging.getLogger("observability.errors.reporting").error("again")
    assert counted() == {}


def test_reporting_never_raises_and_never_reports_itself(
    monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    class Stubborn(Exception):
        __slots__ = ()

        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(name)

        def __str__(self) -> str:
            raise ValueError("no text")

    reporting.report(Stubborn())
    # Whatever breaks below logs an error itself, and that must not start over.
    monkeypatch.setattr(counts, "add", lambda *args, **named: log.error("counting_failed") or 1 / 0)
    assert reporting.report(KeyError("x")) is None
    log.error("by_a_line")
    assert lines.count("counting_failed") == 2
    assert not reporting.is_busy()


def test_a_unit_lets_pass_what_is_no_failure_and_says_what_is(lines: list[str]) -> None:
    for passing in (SystemExit(2), KeyboardInterrupt(), GeneratorExit()):
        with pytest.raises(type(passing)), unit_of_work(Unit.COMMAND, "x"):
            raise passing
    assert lines == []
    for failing in (ValueError("x"), TimeoutException("110 s"), ExceptionGroup("g", [KeyError()])):
        with pytest.raises(type(failing)), unit_of_work(Unit.TASK, "x"):
            raise failing
    assert lines == ["task_failed"] * 3


def test_a_unit_has_an_id_and_a_kind_and_gives_both_back() -> None:
    before = units.in_hand()
    with correlation.bound("outside-0001"):
        with unit_of_work(Unit.WEBHOOK, "contact", "inside-00001"):
            assert (units.in_hand(), correlation.current()) == ((Unit.WEBHOOK, "contact"), "inside-00001")
        assert correlation.current() == "outside-0001"
    assert units.in_hand() == before
    with units.command(["manage.py", "--verbosity", "qcluster"]):
        # Its children would all inherit an id.
        assert correlation.current() == ""
    with units.command(["manage.py", "purge"]):
        assert (units.in_hand(), len(correlation.current())) == ((Unit.COMMAND, "purge"), 32)


@pytest.mark.django_db
def test_a_request_that_breaks_is_counted_as_one_of_the_web(settings: Any, lines: list[str]) -> None:
    settings.ROOT_URLCONF = "tests.observability.failing"
    client = Client(raise_request_exception=False)
    assert client.get("/failing/x/").status_code == 500
    assert counted() == {("SEV3", "unknown", "ValueError"): 1}
    assert lines == ["request_failed"]


def test_without_a_dsn_nothing_is_set_up_and_no_thread_is_started() -> None:
    assert not sentry_sdk.get_client().is_active()
    before = threading.active_count()
    reporting.report(KeyError("x"))
    assert not [one for one in threading.enumerate() if one.name.startswith("sentry")]
    assert threading.active_count() <= before
    # Nor has it laid hands on Django.
    assert WSGIHandler.__call__.__module__ == "django.core.handlers.wsgi"
    assert "sentry_sdk.integrations.django" not in sys.modules


# --- shown -------------------------------------------------------------------------------------


def minute_row(ago: timedelta, severity: str, code: str, errors: int, category: str = "sync") -> None:
    minute = (timezone.now() - ago).replace(second=0, microsecond=0)
    ErrorMinute.objects.create(minute=minute, severity=severity, category=category, code=code, errors=errors)


@pytest.mark.django_db
def test_the_page_shows_the_last_day_by_kind_and_hour_at_the_same_cost_whatever_there_is(
    boss: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(250):
        minute_row(timedelta(minutes=number % 50), "SEV2", f"kind_{number}", number + 1)
    minute_row(timedelta(minutes=1), "SEV1", "outbox_gap", 1, "data-loss")
    minute_row(timedelta(hours=30), "SEV2", "yesterday", 4)
    kinds = figures.last_day(timezone.now())
    assert (len(kinds), kinds[0].code, kinds[1].code, kinds[1].total) == (200, "outbox_gap", "kind_249", 250)
    assert all(sum(kind.by_hour) == kind.total and len(kind.by_hour) == 24 for kind in kinds)
    boss.get("/admin/errors/")
    with django_assert_max_num_queries(5):
        page = boss.get("/admin/errors/").content.decode()
    assert "/admin/logs/?level=warn-up&amp;text=outbox_gap" in page
    heads = [f'<th scope="col">{hour:%H}h</th>' for hour in reversed(figures.hours(timezone.now()))]
    assert "".join(heads) in page, "the present hour comes first"
    assert "yesterday" not in page
    assert "More kinds than fit" in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("rows", "value", "tone"),
    [
        ([], "0", "ok"),
        ([("SEV3", 2)], "2", "info"),
        ([("SEV3", 2), ("SEV2", 3)], "5", "warn"),
        ([("SEV1", 1)], "1", "bad"),
    ],
)
def test_the_card_has_the_tone_of_the_worst(
    boss: Client, rows: list[tuple[str, int]], value: str, tone: str
) -> None:
    for severity, errors in rows:
        minute_row(timedelta(minutes=5), severity, "x", errors)
    minute_row(timedelta(minutes=70), "SEV1", "x", 9)
    [card] = [
        card for card in boss.get("/admin/overview/").context["cards"] if card.title == "Errors, last hour"
    ]
    assert (card.value, card.tone) == (value, tone)


@pytest.mark.django_db
def test_errors_are_for_who_may_view_them(staff: Staff, client: Client) -> None:
    assert client.get("/admin/errors/").status_code == 302
    nora = staff("view_errorminute")
    assert nora.get("/admin/errors/").status_code == 200
    client.force_login(User.objects.create_user("otto", is_staff=True))
    assert client.get("/admin/errors/").status_code == 403
