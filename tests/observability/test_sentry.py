"""What leaves for Sentry: every error once, with its tags, and nothing of the people it happened to."""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sentry_sdk
import structlog
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.utils import timezone
from django_q.tasks import async_task
from hypothesis import given
from hypothesis import strategies as st

from observability import counters, health
from observability.counters import Counter
from observability.errors import counts, monitors, outgoing, reporting, sentry
from observability.errors.classification import Unit
from observability.errors.units import unit_of_work
from observability.health import Status
from observability.models import ErrorMinute
from tests import planted, servers
from tests.journeys.conftest import ROOT, python_cache
from tests.journeys.database import eventually
from tests.servers import Reply, SentryServer
from tests.wsgi import ask
from trainu import correlation, known_names, schedules
from trainu.faults import GHLWebhookFault, LLMFault, SyncFault, UIFault
from trainu.schedules import Entry

log = structlog.get_logger("tests.sentry")


@pytest.fixture
def server() -> Iterator[SentryServer]:
    with servers.sentry() as running:
        yield running


@pytest.fixture
def on(server: SentryServer, settings: Any) -> Iterator[SentryServer]:
    """Sentry set up for this process as the app's ready() does it."""
    yield from _configured(server.dsn, settings, server)


def _configured(dsn: str, settings: Any, server: Any) -> Iterator[Any]:
    settings.SENTRY_DSN = dsn
    settings.SENTRY_RELEASE = "trainu@1.2.3"
    sentry.configure()
    yield server
    sentry_sdk.get_client().close(timeout=2)
    sentry_sdk.get_global_scope().set_client(None)


def arrived(server: SentryServer) -> list[dict[str, Any]]:
    sentry_sdk.flush(timeout=5)
    return server.events


def only(server: SentryServer) -> dict[str, Any]:
    [event] = arrived(server)
    assert planted.found_in(server.text) == []
    return event


# --- web ---------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_of_a_request_nothing_personal_leaves(on: SentryServer, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.observability.failing"
    user = User.objects.create_user("jane", first_name="Jane Wilhelmina", last_name="Roe", is_staff=True)
    browser = Client()
    browser.force_login(user)
    status, _ = ask(
        f"/failing/{planted.EMAIL}/",
        query=f"email={planted.EMAIL}&q={planted.NAME.replace(' ', '+')}&token={planted.TOKEN}",
        body=f'{{"email": "{planted.EMAIL}", "phone": "{planted.PHONE}", "name": "{planted.NAME}"}}'.encode(),
        headers={
            "Cookie": f"sessionid={browser.cookies['sessionid'].value}; other={planted.COOKIE}",
            "Authorization": f"Bearer {planted.TOKEN}",
            "X-Api-Key": planted.TOKEN,
            "X-Forwarded-For": planted.PHONE,
            "Referer": f"http://localhost/?email={planted.EMAIL}",
            "User-Agent": f"Mozilla/5.0 ({planted.EMAIL})",
            "X-Correlation-ID": "from-the-outside-1",
        },
    )
    assert status.startswith("500")
    event = only(on)
    assert browser.cookies["sessionid"].value not in on.text
    assert event["tags"] == {
        "severity": "SEV3",
        "category": "unknown",
        "code": "ValueError",
        "runtime": "web",
        "service": settings.SERVICE,
        "correlation_id": "from-the-outside-1",
        "contact": event["tags"]["contact"],
        "unit": "/failing/<str:who>/",
    }
    assert (event["level"], event["transaction"]) == ("warning", "/failing/<str:who>/")
    assert "fingerprint" not in event
    assert (event["environment"], event["release"]) == ("production", "trainu@1.2.3")
    assert set(event["request"]["headers"]) == {"User-Agent", "Content-Type"}
    assert event["user"] == {"id": sentry.pseudonym(f"staff:{user.pk}")}
    assert event["exception"]["values"][-1]["type"] == "ValueError"
    frames = event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert frames[-1]["function"] == "view"
    assert not any("vars" in frame for frame in frames)
    assert "server_name" not in event
    assert "modules" not in event


@pytest.mark.django_db
def test_of_what_postgresql_says_the_rows_stay_here(on: SentryServer, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.observability.failing"
    assert ask("/failing-sql/")[0].startswith("500")
    values = only(on)["exception"]["values"]
    assert {one["type"] for one in values} == {"CheckViolation", "IntegrityError"}
    # What is to be repaired is there, the row that it happened to is not.
    assert "person_name_check" in values[-1]["value"]
    assert "DETAIL" not in on.text


@pytest.mark.django_db
def test_one_request_leaves_nothing_on_the_next(on: SentryServer, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.observability.failing"
    ask("/failing/x/")
    ask("/failing-sql/")
    first, second = arrived(on)
    assert "contact" in first["tags"]
    assert "contact" not in second["tags"]
    assert "breadcrumbs" in first
    assert "breadcrumbs" not in second


@pytest.mark.django_db
def test_an_api_that_breaks_is_sent_once(on: SentryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_args: object, **_named: object) -> None:
        raise LookupError(f"no key for '{planted.NAME}' {planted.EMAIL}")

    monkeypatch.setattr("observability.health.Monitor.report", breaks)
    status, body = ask("/api/health", headers={"X-Correlation-ID": "api-request-1"})
    assert status.startswith("500")
    assert planted.found_in(body.decode()) == []
    event = only(on)
    assert (event["tags"]["code"], event["tags"]["correlation_id"]) == ("LookupError", "api-request-1")


# --- tasks, commands, lines --------------------------------------------------------------------


@pytest.mark.django_db
def test_of_a_task_nothing_personal_leaves(on: SentryServer) -> None:
    with correlation.bound("task-number-1"), pytest.raises(SyncFault):
        async_task("tests.observability.failing.task", 7, True, planted.EMAIL, name=planted.NAME, sync=True)
    event = only(on)
    assert event["fingerprint"] == ["sync", "unavailable"]
    assert event["tags"]["runtime"] == "task"
    assert event["tags"]["correlation_id"] == "task-number-1"
    assert event["transaction"] == "tests.observability.failing.task"
    assert event["extra"] == {"job_id": "job-7"}


@pytest.mark.parametrize(
    "message",
    [
        f"no trainer for {planted.EMAIL}",
        f"call {planted.PHONE}",
        f"invalid literal: '{planted.NAME}'",
        f'"{planted.NAME}" is not a number',
        f"Authorization: Bearer {planted.TOKEN}",
        f"1 validation error\nname\n  Bad [type=bad, input_value='{planted.NAME}', input_type=str]",
        f"name={planted.NAME!r}",
        "https://h/?email=" + planted.EMAIL.replace("@", "%40"),
    ],
)
def test_an_exceptions_message_is_redacted(on: SentryServer, message: str) -> None:
    reporting.report(RuntimeError(message))
    assert only(on)["exception"]["values"][0]["type"] == "RuntimeError"


def test_the_names_of_who_is_at_hand_are_taken_out_of_any_text(on: SentryServer) -> None:
    with known_names.bound([planted.NAME]):
        reporting.report(RuntimeError(f"cannot greet {planted.NAME} today"))
    assert only(on)["exception"]["values"][0]["value"].startswith("cannot greet ")


def test_an_error_line_leaves_redacted_and_grouped_by_its_name(on: SentryServer) -> None:
    log.error("contact_lost", email=planted.EMAIL, contact_id="c-17", note=f"call {planted.PHONE}")
    logging.getLogger("some.library").error("Could not mail %s", planted.EMAIL)
    first, second = arrived(on)
    assert planted.found_in(on.text) == []
    assert first["logentry"]["message"] == "contact_lost"
    assert first["extra"]["contact_id"] == "c-17"
    assert second["logentry"]["message"] == "Could not mail %s"
    assert second["logger"] == "some.library"


def test_what_somebody_captures_by_hand_takes_the_same_way(on: SentryServer) -> None:
    error = LLMFault("openai", "timeout")
    sentry_sdk.capture_exception(error)
    reporting.report(error)
    sentry_sdk.capture_exception(error)
    sentry_sdk.capture_message(f"hello {planted.EMAIL}")
    first, second = arrived(on)
    assert planted.found_in(on.text) == []
    assert first["fingerprint"] == ["llm", "openai", "timeout"]
    assert second["tags"]["severity"] == "SEV2"


@pytest.mark.parametrize(
    ("fault", "level", "fingerprint"),
    [
        (
            GHLWebhookFault("Note", "bad_payload"),
            "error",
            ["ghl-webhook", "Note", "bad_payload"],
        ),
        (UIFault("browser_error"), "warning", ["ui", "browser_error"]),
    ],
)
def test_level_and_fingerprint_are_the_verdicts(
    on: SentryServer, fault: Exception, level: str, fingerprint: list[str]
) -> None:
    sentry_sdk.get_current_scope().set_level("debug")
    sentry_sdk.get_current_scope().fingerprint = ["something", "else"]
    try:
        reporting.report(fault)
    finally:
        sentry_sdk.get_current_scope().clear()
    event = only(on)
    assert (event["level"], event["fingerprint"]) == (level, fingerprint)


def test_a_command_that_breaks_arrives_before_its_process_ends(server: SentryServer) -> None:
    environment = python_cache() | {
        "PATH": os.environ["PATH"],
        "TRAINU_SECRET_KEY": os.environ["TRAINU_SECRET_KEY"],
        "DATABASE_URL": f"postgresql://u:{planted.TOKEN}@127.0.0.1:{servers.free_port()}/nowhere",
        "SENTRY_DSN": server.dsn,
    }
    command = [sys.executable, "manage.py", "create_api_key", planted.EMAIL, "--scopes", "events:write"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert eventually(lambda: len(server.events) == 1, 5), run.stderr[-500:]
    [event] = server.events
    assert planted.found_in(server.text + run.stdout + run.stderr) == []
    # Python's own traceback would be that of the log line, without redaction.
    assert "\nTraceback" not in f"\n{run.stderr}"
    [line] = [json.loads(line) for line in run.stderr.splitlines() if '"command_failed"' in line]
    assert line["correlation_id"] == event["tags"]["correlation_id"]
    assert event["fingerprint"] == ["db", "connection"]
    assert (event["tags"]["runtime"], event["transaction"]) == ("command", "create_api_key")
    assert len(event["tags"]["correlation_id"]) == 32


# --- fail-closed -------------------------------------------------------------------------------


def test_where_the_gate_breaks_a_bare_event_leaves_and_never_the_raw_one(
    on: SentryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_args: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(outgoing, "redact", breaks)
    reporting.report(RuntimeError(planted.NAME, planted.EMAIL), note=planted.PHONE)
    event = only(on)
    assert event["tags"] == {"severity": "SEV2", "category": "unknown", "code": "redaction_failed"}
    assert event["fingerprint"] == ["redaction_failed"]
    assert "exception" not in event


JSON = st.recursive(
    st.none() | st.integers() | st.sampled_from(planted.ALL) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


FIELDS = "tags extra user request contexts exception breadcrumbs logentry modules server_name spans"


@given(st.dictionaries(st.sampled_from(FIELDS.split()), JSON))
def test_whatever_an_event_looks_like_no_email_phone_or_token_passes(event: dict[str, Any]) -> None:
    hint = {outgoing.VERDICT: reporting.classify(KeyError("x"))}
    text = repr(outgoing.before_send({"event_id": "1" * 32, **event}, hint))
    assert planted.EMAIL not in text
    assert planted.TOKEN not in text
    assert planted.PHONE not in text


# --- lost --------------------------------------------------------------------------------------


def dropped() -> int:
    counters.flush()
    return counters.total(Counter.SENTRY_EVENT_DROPPED, since=timezone.now() - timedelta(minutes=5))


@pytest.mark.django_db
def test_a_sentry_that_is_down_holds_up_nothing_and_what_it_missed_is_counted(settings: Any) -> None:
    for _ in _configured(f"http://k@127.0.0.1:{servers.free_port()}/1", settings, None):
        started = time.monotonic()
        for number in range(150):
            reporting.report(SyncFault("timeout", job_id=number))
        assert time.monotonic() - started < 3
        sentry_sdk.flush(timeout=10)
        assert dropped() == 150
        finding = health.check_sentry()
        assert (finding.status, finding.detail) == (Status.WARN, {"state": "dropping", "dropped": 150})
    counts.flush()
    # A minute may have ended meanwhile.
    kinds = ErrorMinute.objects.values_list("severity", "category", "code", "errors")
    assert len({kind for *_, kind, _ in kinds}) == 1
    assert sum(errors for *_, errors in kinds) == 150


@pytest.mark.django_db
@pytest.mark.parametrize(
    "reply",
    [Reply(429, headers={"Retry-After": "60"}), Reply(500), Reply(413)],
    ids=lambda reply: str(reply.status),
)
def test_what_sentry_refuses_is_counted(on: SentryServer, reply: Reply) -> None:
    on.replies.append(reply)
    reporting.report(SyncFault("timeout"))
    sentry_sdk.flush(timeout=5)
    assert dropped() == 1
    reporting.report(SyncFault("timeout"))
    sentry_sdk.flush(timeout=5)
    # A rate limit is kept to here, without asking again.
    assert (len(on.events), dropped()) == ((0, 2) if reply.status == 429 else (1, 1))


@pytest.mark.django_db
def test_a_sentry_that_hangs_fills_its_queue_and_not_the_request(on: SentryServer) -> None:
    on.replies.append(Reply(hang_s=30))
    started = time.monotonic()
    for _ in range(150):
        reporting.report(SyncFault("timeout"))
    assert time.monotonic() - started < 3
    assert not sentry.is_well()
    assert dropped() >= 40
    on.closing.set()


@pytest.mark.django_db
def test_health_says_whether_it_is_on(settings: Any) -> None:
    assert health.check_sentry().detail["state"] == "off"
    with servers.sentry() as server:
        for _ in _configured(server.dsn, settings, server):
            assert health.check_sentry() == health.Finding(Status.PASS, {"state": "on", "dropped": 0})


def test_a_dsn_that_cannot_be_read_stops_the_process_and_is_not_repeated(settings: Any) -> None:
    settings.SENTRY_DSN = f"not-a-dsn-{planted.TOKEN}"
    with pytest.raises(ImproperlyConfigured, match="SENTRY_DSN") as told:
        sentry.configure()
    assert planted.found_in(str(told.value)) == []


# --- crons -------------------------------------------------------------------------------------


def run(name: str, **options: Any) -> None:
    """Run a schedule's task as django-q2's scheduler and worker would."""
    async_task(schedules.find(name).func, group=name, sync=True, **options)


@pytest.mark.django_db
def test_a_schedule_checks_in_and_out_and_says_how_it_went(on: SentryServer, monkeypatch: Any) -> None:
    run("partitions")
    late = Entry("partitions", "tests.observability.failing.late", minutes=5)
    monkeypatch.setitem(schedules._registered, "partitions", late)
    with pytest.raises(Exception, match="queue_late"):
        run("partitions")
    async_task("observability.tasks.keep_partitions", sync=True)
    events = arrived(on)
    begun, well, begun_again, badly = on.check_ins
    assert [one["status"] for one in on.check_ins] == ["in_progress", "ok", "in_progress", "error"]
    assert begun["check_in_id"] == well["check_in_id"] != badly["check_in_id"] == begun_again["check_in_id"]
    assert begun["monitor_slug"] == "partitions"
    assert begun["monitor_config"]["schedule"] == {"type": "interval", "value": 5, "unit": "minute"}
    assert events[0]["tags"]["runtime"] == "schedule"


def test_every_schedule_has_a_monitor_that_sentry_would_take() -> None:
    for entry in schedules.registered():
        config = monitors.monitor_config(entry)
        assert config["schedule"]["value"] >= 1
        assert config["checkin_margin"] >= 1
        assert config["max_runtime"] >= 1


# --- processes ---------------------------------------------------------------------------------


def test_a_forked_child_sends_on_a_connection_of_its_own_and_flushes_its_end(on: SentryServer) -> None:
    reporting.report(SyncFault("timeout", job_id="parent"))
    sentry_sdk.flush(timeout=5)
    before = sentry_sdk.get_client().transport
    child = os.fork()
    if child == 0:
        mine = sentry_sdk.get_client().transport
        reporting.report(SyncFault("unavailable", job_id="child"))
        sentry_sdk.flush(timeout=5)
        os._exit(0 if mine is not before else 1)
    assert os.waitpid(child, 0)[1] == 0
    reporting.report(SyncFault("connection", job_id="parent"))
    assert {event["extra"]["job_id"] for event in arrived(on)} == {"parent", "child"}
    assert len(on.events) == 3


def test_a_unit_neither_takes_marks_with_it_nor_leaves_any(on: SentryServer) -> None:
    with sentry_sdk.isolation_scope():
        sentry_sdk.set_tag("before", "outside")
        with unit_of_work(Unit.TASK, "one.unit"):
            sentry_sdk.set_tag("mark", "inside")
            reporting.report(SyncFault("timeout"))
        reporting.report(UIFault("page_failed"))
    inside, outside = arrived(on)
    assert ("before" in inside["tags"], inside["tags"]["mark"]) == (False, "inside")
    assert ("mark" in outside["tags"], outside["tags"]["before"]) == (False, "outside")


def test_units_side_by_side_in_threads_do_not_mix(on: SentryServer) -> None:
    gate = threading.Barrier(4)

    def work(number: int) -> None:
        with unit_of_work(Unit.TASK, f"unit.of.thread_{number}"):
            sentry_sdk.set_tag("mark", str(number))
            gate.wait(5)
            reporting.report(SyncFault("timeout", job_id=number))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = arrived(on)
    assert sorted(event["tags"]["mark"] for event in events) == ["0", "1", "2", "3"]
    assert all(event["tags"]["mark"] == event["extra"]["job_id"] for event in events)
    assert len({event["tags"]["correlation_id"] for event in events}) == 4
