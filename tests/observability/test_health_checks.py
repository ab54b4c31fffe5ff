"""What each check of health warns of, from which limit on, and what it tells nobody."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from uuid_utils.compat import uuid7

from observability import api_keys, health
from observability.admin import check_words
from observability.admin import health as health_page
from observability.health import Status, alerting
from observability.models import AlertRule, Channel, Evaluation, Notification
from sync.attempt_log import TABLE
from sync.models import Breaker, CauseGroup, Credential, DeadLetter, IdleProbe, Location, SyncAttempt
from tests.conftest import Staff
from tests.sync import dying

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def evaluated(ago: timedelta = SECOND, **overrides: Any) -> None:
    Evaluation.objects.update_or_create(pk=1, defaults={"evaluated_at": timezone.now() - ago} | overrides)


def notification(channel: str, ago: timedelta, state: str = "waiting") -> None:
    at = timezone.now() - ago
    Notification.objects.create(
        key=str(uuid7()), channel=channel, act="trigger", state=state, due_at=at, created_at=at
    )


def location(pk: str = "loc-1", *, token: bool = True) -> None:
    Location.objects.create(pk=pk, name="Studio", created_at=timezone.now())
    if token:
        Credential.objects.create(
            location_id=pk, kind="private", access_token=b"x", refreshed_at=timezone.now()
        )


def attempt(ago: timedelta, code: str = "ok", status: int | None = 200) -> None:
    at = timezone.now() - ago
    TABLE.ensure({at.date()})
    SyncAttempt.objects.create(
        started_at=at,
        job_id=uuid7(),
        fence=1,
        kind="send",
        outcome="ok" if code == "ok" else "transient",
        code=code,
        status=status,
        duration_ms=5,
    )


def asked(ago: timedelta, code: str = "") -> None:
    IdleProbe.objects.update_or_create(
        pk=1, defaults={"asked_at": timezone.now() - ago, "answers": not code, "code": code, "took_ms": 5}
    )


# --- alerts ------------------------------------------------------------------------------------


def test_an_evaluator_that_stands_still_fails_health_and_not_readiness(client: Client) -> None:
    evaluated(5 * MINUTE - 5 * SECOND)
    assert health.check_alerts().status is Status.PASS
    evaluated(5 * MINUTE + SECOND)
    assert health.check_alerts().status is Status.FAIL
    assert "alerts" in health.CRITICAL
    assert not set(health.READY) & {"alerts", "channels", "workers"}


def test_before_the_first_evaluation_workers_have_five_minutes_from_the_process_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for exists in (False, True):
        if exists:
            evaluated(evaluated_at=None)
        alerting.begin()
        assert health.check_alerts().status is Status.PASS
        monkeypatch.setattr(alerting, "_began", time.monotonic() - 301)
        assert health.check_alerts().status is Status.FAIL


def test_a_broken_rule_or_a_ping_that_fails_only_warns(settings: Any) -> None:
    evaluated(broken=["error_rate"])
    found = health.check_alerts()
    assert (found.status, found.detail["broken"]) == (Status.WARN, ["error_rate"])
    [wrong] = found.detail["wrong"]
    assert "rules broke" in wrong
    assert "error_rate" in wrong
    evaluated(broken=[], ping_code="timeout", pinged_at=timezone.now())
    assert health.check_alerts().status is Status.PASS  # nobody is pinged without an address
    settings.HEARTBEAT_URL = "https://hc.example/uuid"
    found = health.check_alerts()
    assert (found.status, found.detail["dead_man"]) == (Status.WARN, "failing")
    [wrong] = found.detail["wrong"]
    assert "heartbeat monitor cannot be reached" in wrong
    assert "hc.example" not in str(found.detail)
    evaluated(ping_code="", pinged_at=timezone.now() - 6 * MINUTE)
    assert health.check_alerts().status is Status.WARN
    evaluated(pinged_at=timezone.now() - MINUTE)
    assert health.check_alerts().status is Status.PASS


# --- channels ----------------------------------------------------------------------------------


def test_what_waits_for_over_ten_minutes_or_was_given_up_is_told_by_channel() -> None:
    Channel.objects.update_or_create(
        kind="slack", defaults={"is_enabled": True, "code": "status_500", "sent_at": timezone.now() - MINUTE}
    )
    Channel.objects.update_or_create(kind="pagerduty", defaults={"is_enabled": False})
    notification("slack", 9 * MINUTE)
    found = health.check_channels()
    assert found.status is Status.PASS
    assert found.detail["slack"]["state"] == "on"
    assert found.detail["slack"]["failed_code"] == "status_500"
    assert (found.detail["slack"]["waiting"], found.detail["pagerduty"]["state"]) == (1, "off")
    notification("pagerduty", 60 * MINUTE)  # somebody's choice: another channel is on
    assert health.check_channels().status is Status.PASS
    notification("slack", 11 * MINUTE)
    [wrong] = health.check_channels().detail["wrong"]
    assert "wait for slack" in wrong
    Notification.objects.all().delete()
    notification("slack", timedelta(days=8), "dead")
    assert health.check_channels().status is Status.PASS
    notification("slack", MINUTE, "dead")
    notification("slack", 11 * MINUTE)
    Notification.objects.update(act="test")  # only whoever has sent it waits for it
    assert health.check_channels().status is Status.PASS
    notification("slack", timedelta(days=6), "dead")
    [wrong] = health.check_channels().detail["wrong"]
    assert "given up" in wrong


def test_that_no_channel_is_on_is_told_once_there_is_something_to_tell() -> None:
    Channel.objects.update_or_create(kind="slack", defaults={"is_enabled": False})
    assert health.check_channels().status is Status.PASS
    notification("slack", SECOND)
    [wrong] = health.check_channels().detail["wrong"]
    assert "No channel is on" in wrong


# --- GoHighLevel -------------------------------------------------------------------------------


def ghl() -> tuple[Status, str]:
    found = health.check_ghl()
    return found.status, found.detail["state"]


def test_attempts_tell_whether_gohighlevel_answers_and_breakers_outweigh_them() -> None:
    assert ghl() == (Status.PASS, "off")
    location()
    attempt(MINUTE)
    assert ghl() == (Status.PASS, "answers")
    attempt(SECOND, "status_503", 503)  # one of two: it is tried again
    assert ghl() == (Status.PASS, "answers")
    attempt(SECOND, "timeout", None)
    assert ghl() == (Status.WARN, "fails")
    attempt(SECOND, "status_422", 422)  # a refusal is an answer
    assert ghl() == (Status.PASS, "answers")
    Breaker.objects.update(state="open", probe_at=timezone.now())
    assert ghl() == (Status.WARN, "does not answer for some locations")


def test_without_traffic_the_schedulers_question_tells() -> None:
    location()
    attempt(6 * MINUTE, "timeout", None)
    assert ghl() == (Status.PASS, "not asked yet")
    asked(MINUTE)
    assert ghl() == (Status.PASS, "answers")
    asked(MINUTE, "timeout")
    assert ghl() == (Status.WARN, "does not answer")
    asked(16 * MINUTE)
    assert ghl() == (Status.WARN, "not asked for too long")
    Credential.objects.all().delete()
    assert ghl() == (Status.PASS, "off")


# --- dead letters ------------------------------------------------------------------------------


def test_letters_that_wait_for_a_day_warn_unless_they_were_put_off() -> None:
    dying.location()
    [letter] = dying.dead_letters(1, at=timezone.now() - timedelta(hours=24) - MINUTE)
    [wrong] = health.check_dead_letters().detail["wrong"]
    assert "too long" in wrong
    later = timezone.now() + timedelta(hours=1)
    for table, put_off in (
        (DeadLetter, {"snoozed_until": later}),
        (CauseGroup, {"snoozed_until": later}),
        (CauseGroup, {"snoozed_to_count": 1}),
    ):
        table.objects.update(**put_off)
        assert health.check_dead_letters().status is Status.PASS, put_off
        table.objects.update(**dict.fromkeys(put_off))
        assert health.check_dead_letters().status is Status.WARN
    AlertRule.objects.update_or_create(
        code="dead_letter_age",
        defaults={
            "title": "x",
            "severity": "SEV3",
            "threshold": 2 * 86_400,
            "recovery": 86_400,
            "window_minutes": 1,
            "channels": [],
        },
    )
    assert health.check_dead_letters().status is Status.PASS  # as staff have set it
    assert DeadLetter.objects.get().pk == letter


def test_more_than_twenty_in_an_hour_warn() -> None:
    AlertRule.objects.all().delete()
    dying.location()
    dying.dead_letters(20, at=timezone.now() - 59 * MINUTE)
    dying.dead_letters(20, at=timezone.now() - 61 * MINUTE)
    assert health.check_dead_letters().status is Status.PASS
    dying.dead_letters(1, at=timezone.now() - MINUTE)
    found = health.check_dead_letters()
    assert (found.status, found.detail["open"], found.detail["grown_in_an_hour"]) == (Status.WARN, 41, "21")


# --- who sees what -----------------------------------------------------------------------------


def test_every_check_has_words_for_staff_and_a_page_that_exists(boss: Client) -> None:
    assert set(check_words.CHECKS) == set(health.ALL)
    for words in check_words.CHECKS.values():
        assert boss.get(words.url).status_code == 200, words


def test_staff_see_each_check_in_words_the_worst_first(staff: Staff, client: Client) -> None:
    assert client.get(reverse("admin:health")).status_code == 302
    shown = staff("view_event").get(reverse("admin:health")).content.decode()
    assert "No sign of life from the workers. Nothing is sent or worked off." in shown
    assert "Off: nothing is set up for it." in shown
    states = [shown.index(f">{check_words.of(name).title}</a></th>") for name in ("workers", "database")]
    assert states == sorted(states)
    for words in check_words.CHECKS.values():
        assert f">{words.title}</a></th>" in shown
    assert 'href="/admin/health/"' in shown  # in the sidebar


def test_the_public_body_holds_the_status_alone_and_a_key_sees_no_text_of_an_exception(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks() -> health.Finding:
        raise ConnectionError("host=db.internal password=hunter2")

    broken = dict.fromkeys(health.ALL, breaks)
    monkeypatch.setattr(health, "ALL", broken)
    _, key = api_keys.issue("uptime", ["health:read"])
    public = client.get("/api/health")
    assert public.status_code == 503
    assert public.json() == {"status": "fail"}
    detailed = client.get("/api/health", headers={"Authorization": f"Bearer {key}"})
    for name, (check,) in detailed.json()["checks"].items():
        assert check["status"] == ("fail" if name in health.CRITICAL else "warn")
    assert "hunter2" not in detailed.content.decode()
    assert "db.internal" not in detailed.content.decode()


def test_figures_are_written_for_people_and_nothing_is_said_twice() -> None:
    def shown(name: str, detail: dict[str, Any]) -> tuple[str, str]:
        row = health_page.row(name, health.Finding(health.Status.WARN, detail))
        return row.told, row.figures.replace("\xa0", " ")

    told, figures = shown(
        "dead_letters", {"wrong": ["Dead letters wait for somebody for too long."], "oldest_s": 137_180}
    )
    assert (told, figures) == ("Dead letters wait for somebody for too long.", "oldest: 38 h 6 min")
    assert (
        shown("workers", {"beat_age_s": {"alert lane": 4.0}})[1] == "last sign of life: alert lane: 4 s ago"
    )
    at = "2026-11-05T12:00:31.123456+00:00"
    assert shown("posthog", {"lag_s": 61.2, "acknowledged_at": at})[1] == (
        "oldest waits for: 1 min 1 s; acknowledged: 5 Nov, 12:00 UTC"
    )
    assert shown("retention", {"reasons": ["It is held."] * 3})[1] == "reasons: It is held."
    slack = {"state": "on", "sent_s": 30, "waiting": 0}
    assert shown("channels", {"slack": slack})[1] == "slack: on, last delivered: 30 s ago, waiting: 0"
