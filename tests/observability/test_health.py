"""Health: what each address says, to whom, and that a hanging check hangs nobody."""

import threading
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from observability import api_keys, forwarder, health, rollups
from observability.health import Finding, Monitor, Status
from observability.models import Evaluation, Forwarder, Heartbeat
from trainu import lanes, schedules

pytestmark = pytest.mark.usefixtures("transactional_db")


def well() -> None:
    """Make everything look as it does while lanes run."""
    rollups.roll(now=timezone.now())
    Evaluation.objects.update_or_create(pk=1, defaults={"evaluated_at": timezone.now()})
    for name in schedules.lanes():
        lanes.beat(name, {})


def statuses(client: Client, path: str = "/api/health") -> dict[str, str]:
    _, key = api_keys.issue(f"uptime {uuid4()}", ["health:read"], limit_per_minute=0)
    answer = client.get(path, headers={"Authorization": f"Bearer {key}"}).json()
    return {name: checks[0]["status"] for name, checks in answer["checks"].items()}


def test_live_asks_nothing_of_the_database(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = client.get("/api/health/live")
    assert (answer.status_code, answer.json()["status"]) == (200, "pass")
    assert answer["Content-Type"] == "application/health+json"
    assert answer["Cache-Control"] == "no-store"


def test_when_all_is_well_everything_passes(client: Client) -> None:
    well()
    assert set(statuses(client).values()) == {"pass"}
    assert set(statuses(client, "/api/health/ready")) == {"database", "migrations", "partitions"}


def test_everybody_sees_the_state_and_only_a_key_the_details(client: Client) -> None:
    _, key = api_keys.issue("uptime", ["health:read"])
    _, wrong = api_keys.issue("app", ["events:write"])
    assert set(client.get("/api/health").json()) == set(client.get("/api/health/ready").json()) == {"status"}
    detailed = client.get("/api/health", headers={"Authorization": f"Bearer {key}"}).json()
    assert "latency_ms" in detailed["checks"]["database"][0]
    assert client.get("/api/health", headers={"Authorization": f"Bearer {wrong}"}).status_code == 403
    assert client.get("/api/health", headers={"Authorization": "Bearer no"}).status_code == 401


def test_silent_workers_warn_and_the_service_still_serves(client: Client) -> None:
    well()
    Heartbeat.objects.filter(name="forward").update(beat_at=timezone.now() - timedelta(minutes=3))
    answer = client.get("/api/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "warn")
    assert statuses(client)["workers"] == "warn"


def test_a_forwarder_that_lags_fails_or_is_paused_warns(client: Client, settings: Any) -> None:
    well()
    settings.POSTHOG_API_KEY = "phc_tests"
    forwarder.load()
    for trouble in (
        {"oldest_waiting_at": timezone.now() - timedelta(minutes=6)},
        {"failures": 1},
        {"paused_at": timezone.now()},
    ):
        Forwarder.objects.update(oldest_waiting_at=None, failures=0, paused_at=None)
        health.monitor.forget()
        assert statuses(client)["posthog"] == "pass"
        Forwarder.objects.update(**trouble)
        health.monitor.forget()
        assert statuses(client)["posthog"] == "warn"


def test_a_missing_migration_is_503(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from django_migrations where app = 'observability' returning app, name, applied"
        )
        rows = cursor.fetchall()
    try:
        answer = client.get("/api/health/ready")
        assert (answer.status_code, answer.json()["status"]) == (503, "fail")
    finally:
        with connection.cursor() as cursor:
            cursor.executemany("insert into django_migrations (app, name, applied) values (%s, %s, %s)", rows)


def test_a_check_that_hangs_costs_one_time_limit_and_runs_once() -> None:
    started = []
    release = threading.Event()

    def hang() -> Finding:
        started.append(1)
        release.wait(10)
        return Finding(Status.PASS)

    monitor = Monitor(time_limit_s=0.2)
    begun = time.monotonic()
    report = monitor.report({"posthog": hang, "quick": lambda: Finding(Status.PASS)})
    assert time.monotonic() - begun < 1
    assert report.findings["posthog"].detail == {"error": "no answer in 0.2 s"}
    assert report.findings["quick"].status is Status.PASS
    begun = time.monotonic()
    for _ in range(50):
        assert monitor.report({"posthog": hang}).status is Status.WARN
    assert time.monotonic() - begun < 0.2
    assert len(started) == 1
    release.set()


def test_whichever_check_hangs_thirty_callers_are_answered_in_time_and_make_one_call() -> None:
    """Also where the check had passed before, and that was held."""
    for hanging in health.ALL:
        limit_s, calls, release = 0.15, [], threading.Event()

        def hang(calls: list[int] = calls, release: threading.Event = release) -> Finding:
            calls.append(1)
            release.wait(10)
            return Finding(Status.PASS)

        monitor = Monitor(time_limit_s=limit_s)
        checks = dict.fromkeys(health.ALL, lambda: Finding(Status.PASS)) | {hanging: hang}
        monitor._held[hanging] = (time.monotonic() - 1, Finding(Status.PASS))
        took, states = [], []

        def ask(
            monitor: Monitor = monitor, checks: Any = checks, took: Any = took, states: Any = states
        ) -> None:
            begun = time.monotonic()
            report = monitor.report(checks)
            took.append(time.monotonic() - begun)
            states.append({name: finding.status for name, finding in report.findings.items()})

        callers = [threading.Thread(target=ask) for _ in range(30)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(10)
        expected = Status.FAIL if hanging in health.CRITICAL else Status.WARN
        assert len(took) == 30
        assert max(took) < limit_s + 1, hanging
        assert len(calls) == 1, hanging
        for state in states:
            assert state == dict.fromkeys(health.ALL, Status.PASS) | {hanging: expected}
        begun = time.monotonic()
        monitor.report(checks)  # it hangs still, and nobody waits for it a second time
        assert time.monotonic() - begun < limit_s, hanging
        release.set()


def test_a_table_that_somebody_has_locked_costs_health_its_time_limit_and_no_more(client: Client) -> None:
    well()
    ready, release = threading.Event(), threading.Event()

    def lock() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("lock table observability_evaluation, observability_channel")
                ready.set()
                release.wait(30)
        finally:
            connection.close()

    holder = threading.Thread(target=lock)
    holder.start()
    assert ready.wait(10)
    try:
        begun = time.monotonic()
        answer = client.get("/api/health")
        assert time.monotonic() - begun < health.TIME_LIMIT_S + 1
        assert (answer.status_code, statuses(client)["alerts"], statuses(client)["channels"]) == (
            503,
            "fail",
            "warn",
        )
        assert statuses(client)["database"] == "pass"
        assert client.get("/api/health/ready").status_code == 200
        begun = time.monotonic()
        for _ in range(20):
            client.get("/api/health")
        assert time.monotonic() - begun < health.TIME_LIMIT_S
    finally:
        release.set()
        holder.join()
    # Until the checks that hung have closed their connections.
    for run in list(health.monitor._running.values()):
        run.future.result(10)


def test_a_check_that_breaks_tells_the_kind_of_error_and_no_more() -> None:
    def broken() -> Finding:
        raise ConnectionError("host=db.internal password=hunter2")

    report = Monitor().report({"database": broken})
    assert report.findings["database"] == Finding(Status.FAIL, {"error": "ConnectionError"})
