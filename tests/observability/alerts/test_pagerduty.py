"""What is sent to PagerDuty, and what its answers mean: over real HTTP, with faults by script."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from observability.alerts.channels import pagerduty
from observability.alerts.outbox import Again, Delivered, Impossible, Outcome
from tests.alert_servers import PagerDutyServer
from tests.observability.alerts import made
from tests.servers import Reply, free_port

urlpatterns: list[Any] = []
KEY = PagerDutyServer.KEY


@pytest.fixture
def server(settings: Any) -> Iterator[PagerDutyServer]:
    with PagerDutyServer() as running:
        settings.PAGERDUTY_URL = running.url
        yield running


def send(act: str = "trigger", **about: Any) -> Outcome:
    of = made.incident(**about) if about else None
    one = made.notification(act, channel="pagerduty", about=of)
    return pagerduty.deliver(one, made.channel("pagerduty", KEY))


def test_an_incident_is_one_alert_from_beginning_to_end(server: PagerDutyServer) -> None:
    key = made.incident().dedup_key
    for act, state in (
        ("trigger", "triggered"),
        ("trigger", "triggered"),
        ("overdue", "triggered"),
        ("acknowledge", "acknowledged"),
        ("resolve", "resolved"),
    ):
        assert send(act) == Delivered()
        assert server.state == {key: state}
    assert server.opened == {key: 1}


def test_it_carries_ids_and_numbers_and_nothing_else(server: PagerDutyServer) -> None:
    send()
    [body] = server.taken
    assert body["payload"]["severity"] == "critical"
    assert body["payload"]["summary"] == "SEV1 Data lost: loc-1"
    assert body["payload"]["custom_details"] == {
        "delivery": 7,
        "incident": 41,
        "rule": "sev1_fault",
        "group": "loc-1",
        "value": 3.0,
        "threshold": 0.0,
        "episode": 1,
    }


@pytest.mark.parametrize(("severity", "told"), [("SEV1", "critical"), ("SEV2", "error"), ("SEV3", "warning")])
def test_severities_are_pagerdutys(server: PagerDutyServer, severity: str, told: str) -> None:
    send(severity=severity, title="x" * 160, dedup_key="k" * 120)
    assert server.taken[0]["payload"]["severity"] == told


def test_a_database_that_is_away_is_one_alert_whoever_tells(server: PagerDutyServer) -> None:
    event = {
        "event_action": "trigger",
        "dedup_key": pagerduty.DATABASE_KEY,
        "payload": {"summary": "PostgreSQL does not answer", "severity": "critical", "source": "worker"},
    }
    assert pagerduty.send(KEY, event, timeout_s=3) == Delivered()
    send("trigger", rule=made.rule("database_down"))
    send("resolve", rule=made.rule("database_down"))
    assert server.state == {pagerduty.DATABASE_KEY: "resolved"}
    assert server.opened == {pagerduty.DATABASE_KEY: 1}


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(429, {"Retry-After": "60"}), Again("status_429", timedelta(seconds=60))),
        (Reply(500), Again("status_500")),
        (Reply(400), Impossible("status_400")),
        (Reply(302, {"Location": "/elsewhere"}), Again("status_302")),
        (Reply(200), Again("status_200")),
        (Reply(drop=True, stores=True), Again("connection")),
    ],
)
def test_each_answer_has_its_meaning_and_there_is_one_try(
    server: PagerDutyServer, reply: Reply, outcome: Outcome
) -> None:
    server.script(reply)
    assert send() == outcome
    assert len(server.asked) == 1


def test_one_that_hangs_or_is_away_is_tried_again(
    server: PagerDutyServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pagerduty, "TIMEOUT_S", 0.1)
    server.script(Reply(hang_s=5))
    assert send() == Again("timeout")
    settings.PAGERDUTY_URL = f"http://127.0.0.1:{free_port()}"
    assert send() == Again("connection")


def test_a_wrong_key_and_what_is_not_for_it_are_impossible(server: PagerDutyServer) -> None:
    one = made.notification(channel="pagerduty")
    assert pagerduty.deliver(one, made.channel("pagerduty", "f" * 32)) == Impossible("status_400")
    assert pagerduty.deliver(one, made.channel("pagerduty")) == Impossible("secret_missing")
    assert send("digest") == Impossible("not_for_pagerduty")
    assert server.taken == []


def test_a_test_is_an_alert_of_its_own_that_alarms_nobody(server: PagerDutyServer) -> None:
    assert send("test") == Delivered()
    body, end = server.taken
    assert (body["dedup_key"], body["payload"]["severity"]) == ("trainu/test/7", "info")
    assert end["event_action"] == "resolve"
    # It does not stay open there, and is not done before it is resolved.
    assert server.state == {"trainu/test/7": "resolved"}
    server.script(Reply(202), Reply(500))
    assert send("test") == Again("status_500")
