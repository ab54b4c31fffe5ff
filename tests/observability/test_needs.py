"""Home: what needs a person, the most urgent first, for who can do something about it; and nothing else."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from observability import forwarder, health
from observability.admin import needs
from observability.alerts import incidents
from observability.models import AuditVerification, ErrorMinute, QuarantineGroup
from tests.conftest import Staff
from tests.observability.alerts.standing import fire
from trainu import navigation
from trainu.admin_site import Need, site

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody but these tests needs anything."""
    monkeypatch.setattr(site._wrapped, "_needs", [])


def faults(severity: str, hours_ago: float, code: str = "mass_send") -> None:
    minute = NOW - timedelta(hours=hours_ago)
    ErrorMinute.objects.create(minute=minute, severity=severity, category="sync", code=code, errors=3)


def refused(event: str = "nope") -> QuarantineGroup:
    return QuarantineGroup.objects.create(
        event=event, code="unknown_event", message="", first_seen_at=NOW, last_seen_at=NOW
    )


def test_the_most_urgent_comes_first_and_of_these_the_oldest(boss: Client, only: None) -> None:
    later = [
        Need("Sometime", "/admin/logs/", urgency=3),
        Need("Today, new", "/admin/logs/", since=NOW, urgency=2),
        Need("Today, old", "/admin/logs/", since=NOW - timedelta(days=2), urgency=2),
        Need("Now <b>!</b>", "/admin/logs/", "Turn the <i>switch</i>.", urgency=1),
    ]
    site.register_need(lambda request: later, permission="observability.view_logline")
    shown = boss.get("/admin/").content.decode()
    places = [shown.index(title) for title in ("Now &lt;b&gt;", "Today, old", "Today, new", "Sometime")]
    assert places == sorted(places)
    assert "Turn the &lt;i&gt;switch&lt;/i&gt;." in shown
    assert "began <time" in shown
    for words in ("Right now", "Today", "When there is time"):
        assert f"{words}</span>" in shown


def test_nothing_else_is_on_the_home_page(boss: Client) -> None:
    shown = boss.get("/admin/").content.decode()
    assert "card-value" not in shown
    assert "Your last changes" not in shown
    overview = boss.get("/admin/overview/").content.decode()
    assert "card-value" in overview
    assert "Your last changes" in overview


def test_when_nothing_is_needed_it_says_so_to_who_would_be_told(staff: Staff, only: None) -> None:
    site.register_need(lambda request: [], permission="observability.view_logline")
    assert b"Nothing needs you now" in staff("view_logline").get("/admin/").content


def test_who_may_nothing_is_told_that_a_role_is_missing(staff: Staff, only: None) -> None:
    site.register_need(lambda request: [Need("x", "/")], permission="observability.view_logline")
    shown = staff().get("/admin/").content
    assert b"Nothing to see with this account" in shown
    assert b"Nothing needs you now" not in shown


def test_who_only_keeps_groups_is_not_told_that_all_is_well(staff: Staff) -> None:
    shown = staff("view_group").get("/admin/").content
    assert b"Nothing is yours to watch" in shown


def test_faults_of_the_worst_sort_need_somebody_now_for_a_day(boss: Client) -> None:
    faults("SEV1", 25)
    faults("SEV2", 1)
    assert needs.worst_faults(boss.get("/admin/").wsgi_request) == []
    faults("SEV1", 23)
    [need] = needs.worst_faults(boss.get("/admin/").wsgi_request)
    assert (need.urgency, need.url, need.since) == (1, "/admin/errors/", NOW - timedelta(hours=23))
    assert need.detail.startswith("mass send. ")


def test_an_incident_says_it_and_the_need_does_not_say_it_again(boss: Client, staff: Staff) -> None:
    faults("SEV1", 1, "rate_exceeded")
    incident = fire("sev1_fault", "rate_exceeded")
    request = boss.get("/admin/").wsgi_request
    assert needs.worst_faults(request) == []
    # Who may not see incidents is told all the same.
    narrow = staff("view_errorminute").get("/admin/").wsgi_request
    assert len(needs.worst_faults(narrow)) == 1
    incidents.resolve(incident, by="staff:1", reason="x", now=NOW)
    assert len(needs.worst_faults(request)) == 1


def test_refused_events_can_wait(boss: Client) -> None:
    request = boss.get("/admin/").wsgi_request
    assert needs.refused_events(request) == []
    refused()
    assert [one.title for one in needs.refused_events(request)] == ["Refused events wait: 1 kind of mistake"]
    refused("nada")
    [need] = needs.refused_events(request)
    assert (need.title, need.urgency) == ("Refused events wait: 2 kinds of mistake", 3)


def test_a_pause_of_the_forwarder_is_told_while_there_is_something_to_forward(
    boss: Client, settings: Any
) -> None:
    request = boss.get("/admin/").wsgi_request
    forwarder.pause(reason="They move house.", now=NOW)
    settings.POSTHOG_API_KEY = ""
    assert needs.paused_forwarding(request) == []
    settings.POSTHOG_API_KEY = "phc_x"
    [need] = needs.paused_forwarding(request)
    assert (need.urgency, need.since) == (2, NOW)
    assert need.detail == "They move house. Events wait until somebody resumes it."
    report = health.Report({"posthog": health.check_posthog(), "audit": health.check_audit()})
    assert report.status is health.Status.WARN
    assert needs.of_report(report) == []
    forwarder.resume()
    assert needs.paused_forwarding(request) == []


def test_each_check_that_fails_is_told_once_in_words_with_where_to_go(boss: Client) -> None:
    found = dict.fromkeys(health.ALL, health.Finding(health.Status.PASS))
    found |= {
        "workers": health.Finding(health.Status.WARN),
        "database": health.Finding(health.Status.FAIL),
        "audit": health.Finding(health.Status.WARN, {"findings": 2}),
        "sync": health.Finding(health.Status.WARN, {"wrong": ["Jobs wait.", "GoHighLevel is silent."]}),
    }
    told = needs.of_report(health.Report(found))
    assert {(one.title, one.urgency) for one in told} == {
        ("Somebody tampered with the audit log", 1),
        ("The database does not answer", 1),
        ("No sign of life from the workers", 2),
        ("Jobs for GoHighLevel or its webhooks wait", 2),
    }
    assert "Jobs wait. GoHighLevel is silent." in {one.detail for one in told}
    for one in told:
        assert one.detail
        assert boss.get(one.url).status_code == 200, one.url


def test_a_log_that_was_tampered_with_needs_somebody_now(db: None) -> None:
    AuditVerification.objects.create(
        verified_at=NOW, seconds=1, entries=5, head_seq=5, findings=1, first_findings=[]
    )
    [need] = needs.of_report(health.Report({"audit": health.check_audit()}))
    assert (need.title, need.urgency) == ("Somebody tampered with the audit log", 1)


def test_a_count_of_more_than_999_is_told_as_that(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for count, words in ((0, None), (999, "999"), (1_000, "999+"), (50_000, "999+")):
        cache.clear()
        monkeypatch.setattr(site._wrapped, "_badges", {"admin:logs": lambda count=count: count})
        shown = boss.get("/admin/logs/").content.decode()
        badge = f'<span class="badge">{words}<'
        assert (badge in shown) == (words is not None)
        assert words or '<span class="badge">' not in shown
    assert navigation.Link("x", "/", False, None).badge_words == ""
