"""The demo's people on call take what alerts send, and its past is one that alerts could have had."""

import json
import smtplib
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User

from observability.alerts import replay, rules
from observability.alerts.course import around
from observability.models import AlertRule, Channel, ErrorMinute, Incident, MeasureMinute, Notification
from tests.journeys.database import eventually
from tests.servers import free_port
from tests.settings import BASE_DIR
from trainu.demo import incidents, measured, on_call, world
from trainu.encryption import open_sealed

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NOW = datetime(2026, 11, 29, 10, 30, 20, tzinfo=UTC)


@pytest.fixture
def desk() -> Iterator[tuple[str, int]]:
    port, mail = free_port(), free_port()
    command = [sys.executable, "-m", "trainu.demo.on_call", str(port), str(mail)]
    process = subprocess.Popen(command, cwd=BASE_DIR)
    try:
        assert eventually(lambda: asked(f"http://127.0.0.1:{port}/")[0] == 200, 20)
        yield f"http://127.0.0.1:{port}", mail
    finally:
        process.terminate()
        process.wait(10)


def asked(url: str, body: Any = None) -> tuple[int, str]:
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:
        return 0, ""


def test_whoever_is_on_call_shows_what_has_come_in(desk: tuple[str, int]) -> None:
    url, mail = desk
    assert asked(url + on_call.SLACK_PATH, {"text": "SEV2 <b>Much</b> goes wrong"}) == (200, "ok")
    assert asked(f"{url}/services/another", {"text": "lost"})[0] == 404
    event = {"routing_key": on_call.PAGERDUTY_KEY, "dedup_key": "k-1", "event_action": "trigger"}
    for act in ("trigger", "trigger", "acknowledge", "resolve", "acknowledge"):
        sent = event | {"event_action": act, "payload": {"summary": "Data lost"}}
        assert asked(f"{url}/v2/enqueue", sent)[0] == 202
    assert asked(f"{url}/v2/enqueue", event | {"routing_key": "another"})[0] == 400
    assert asked(url + on_call.HEARTBEAT_PATH)[0] == 200
    assert asked(f"{url}{on_call.HEARTBEAT_PATH}/fail", b"measure:error_rate")[0] == 200
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "All quiet", "a@example.org", "b@example.org"
    message.set_content("In words\n.with a dot in front\n")
    message.add_alternative("<h1>In HTML</h1>", subtype="html")
    with smtplib.SMTP("127.0.0.1", mail, timeout=10) as session:
        session.send_message(message)
    page = asked(url)[1]
    assert "<b>" not in page
    for words in (
        "SEV2 <b>Much</b>",
        "k-1</pre></td><td><pre>resolved",
        "not all is well (measure:error_rate)",
        "All quiet",
        "\n.with a dot in front",
    ):
        assert words in unescape(page), words
    assert "lost</pre>" not in page.replace("Data lost", "")
    link = page.split('<a href="/mail')[1].split('"')[0]
    assert "<h1>In HTML</h1>" in asked(f"{url}/mail{link}")[1]


@pytest.mark.django_db
def test_measures_and_incidents_of_the_past_are_made_once() -> None:
    spells = incidents.spells(NOW)
    made = measured.make(now=NOW, seed=7, spells=spells, days=4)
    assert made == MeasureMinute.objects.count() == len(measured.USUAL) * (4 * 1_440 + 10 * 60 + 30)
    drafts = MeasureMinute.objects.filter(measure="draft_failure_rate")
    [spell] = [
        one for one in spells if one.measure == "draft_failure_rate" and one.since < NOW - measured.DAY
    ]
    bad = drafts.filter(minute__gte=spell.since, minute__lt=spell.since + spell.minutes * measured.MINUTE)
    assert sum(one.bad or 0 for one in bad) / sum(one.total or 0 for one in bad) > 0.1
    assert incidents.make(now=NOW, staff=["staff:1", "staff:2"]) == 3, "what was measured"
    assert incidents.make(now=NOW, staff=["staff:1"]) == 0
    assert incidents.spells(NOW) == []
    later = NOW + timedelta(minutes=3)
    assert measured.make(now=later, seed=7, spells=[], days=4) == 3 * len(measured.USUAL)
    states = {one: Incident.objects.filter(state=one).count() for one in Incident.State.values}
    assert states == {"open": 1, "acknowledged": 1, "resolved": 1}
    assert {one.rule_id for one in Incident.objects.all()} <= {one.code for one in rules.SEEDS}
    waiting = Notification.objects.filter(state="waiting")
    assert {one.incident.state for one in waiting if one.incident} == {"open", "acknowledged"}


@pytest.mark.django_db
def test_incidents_say_what_the_minutes_below_them_say() -> None:
    # In the small hours, when hardly anything goes on.
    now = NOW.replace(hour=3, minute=2)
    spells = incidents.spells(now)
    for spell in spells:
        measured.make(now=min(spell.since + 6 * HOUR, now), seed=7, spells=spells, days=0)
    incidents.make(now=now, staff=["staff:1"])
    found = {}
    for rule in AlertRule.objects.filter(code__in={one.rule for one in incidents.PAST}):
        found[rule.code] = {one.began_at + MINUTE: one for one in replay.back_test(rule, now=now).firings}
    made = Incident.objects.order_by("opened_at")
    assert [one.rule_id for one in made] == [one.rule for one in incidents.PAST] + [
        "draft_failure_rate",
        "sync_failure_rate",
    ]
    for one in made:
        firing = found[one.rule_id].pop(one.opened_at)
        assert firing.ended_at == (one.resolved_at and one.resolved_at - MINUTE), one.rule_id
        course = around(one, now=now)
        assert course is not None, one.rule_id
        near = course.values[max(0, course.first - 1) : course.first + 2]
        # A point is the worst of some minutes.
        assert one.rule.threshold < (one.value or 0) <= max(value or 0 for value in near), one.rule_id
    assert not any(found.values()), "whatever fired has its incident"
    failed = ErrorMinute.objects.filter(category="llm", minute__gte=now - HOUR)
    drafts = MeasureMinute.objects.filter(measure="draft_failure_rate", minute__gte=now - HOUR, bad__gt=0)
    counted = dict(failed.values_list("minute", "errors"))
    assert sum(counted.values()) > 10
    assert counted == dict(drafts.values_list("minute", "bad"))


@pytest.mark.django_db
def test_whoever_saw_to_incidents_may() -> None:
    world._ensure_staff("a long password")
    users = {f"staff:{one.pk}": one for one in User.objects.all()}
    assert len(world._actors()) == 2
    for actor in world._actors():
        assert users[actor].has_perm("observability.work_incident"), users[actor].username


def test_the_page_may_reload_itself_and_a_mail_may_nothing(desk: tuple[str, int]) -> None:
    url, mail = desk
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "A", "a@example.org", "b@example.org"
    message.set_content("In words")
    message.add_alternative("<h1>In HTML</h1>", subtype="html")
    with smtplib.SMTP("127.0.0.1", mail, timeout=10) as session:
        session.send_message(message)
    link = asked(url)[1].split('href="/mail/')[1].split('"')[0]
    policies = []
    for path in ("/", f"/mail/{link}"):
        with urllib.request.urlopen(url + path, timeout=10) as answer:
            policies.append(answer.headers["Content-Security-Policy"])
    assert "sandbox" not in policies[0], "it forbids a page to reload"
    assert "default-src 'none'" in policies[0]
    assert "sandbox" in policies[1]


@pytest.mark.django_db
def test_the_simulated_channels_are_on_and_what_staff_have_entered_stays() -> None:
    Channel.objects.update_or_create(
        pk="email", defaults={"changed_by": "staff:1", "recipients": "x@y.example"}
    )
    settings = world.environment(seed=7)
    world.connect_channels(settings, now=NOW)
    world.connect_channels(settings | {"PAGERDUTY_URL": "http://127.0.0.1:9"}, now=NOW)
    on = {one.pk: one for one in Channel.objects.filter(is_enabled=True)}
    assert set(on) == {"slack", "pagerduty"}
    assert open_sealed(on["slack"].secret).get_secret_value() == f"http://127.0.0.1:9{on_call.SLACK_PATH}"
    assert open_sealed(on["pagerduty"].secret).get_secret_value() == on_call.PAGERDUTY_KEY
