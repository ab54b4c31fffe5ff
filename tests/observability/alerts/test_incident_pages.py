"""Incidents as staff work them: the list, one incident's page, its verbs, and where else they are told."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse_lazy
from django.utils import timezone
from pytest_django import Settings

from observability.alerts import incidents
from observability.models import AuditEntry, ErrorMinute, Incident, Notification, Silence
from tests.conftest import Staff
from tests.costs import asked_again
from tests.observability.alerts.standing import HOUR, fire, measured, member
from trainu.roles import LEAD, OPERATOR, VIEWER

pytestmark = pytest.mark.django_db
LIST = "/admin/observability/incident/"
HOSTILE = "<script>alert(1)</script>\u202egpj"


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return re.sub(r"\s+", " ", answer.content.decode())


def page(incident: Incident) -> str:
    return f"{LIST}{incident.pk}/change/"


def act(client: Client, incident: Incident, verb: str, **sent: Any) -> str:
    """Press a button; return the page that it leads back to."""
    answer = client.post(f"{LIST}{incident.pk}/{verb}/", sent)
    assert answer["Location"] == page(incident)
    return text(client, page(incident))


def test_the_list_shows_what_is_open_the_worst_first_and_the_rest_when_asked(boss: Client) -> None:
    assert "No incident is open" in text(boss, LIST)
    fire("log_drops", ago=5 * HOUR)
    fire("error_rate", ago=2 * HOUR)
    fire("sev1_fault", title=HOSTILE)
    over = fire("query_time", "db-1", ago=3 * HOUR)
    incidents.resolve(over, by="staff:1", reason="Index added", now=timezone.now())
    shown = text(boss, LIST)
    places = [shown.index(one) for one in ("SEV1</span>", "SEV2</span>", "SEV3</span>")]
    assert places == sorted(places)
    assert "<script>alert(1)" not in shown
    assert "\\u202egpj" in shown
    assert "db-1" not in shown
    assert "nobody" in shown
    resolved = text(boss, f"{LIST}?state=resolved")
    assert "<code>db-1</code>" in resolved
    assert "3 h" in resolved
    assert "Much goes wrong" not in resolved
    assert text(boss, f"{LIST}?state=all").count("<tr") == 5
    assert text(boss, f"{LIST}?severity=SEV2").count("<tr") == 2
    assert "No incidents match" in text(boss, f"{LIST}?severity=SEV2&state=acknowledged")


def test_the_list_costs_the_same_for_one_and_for_many_and_goes_on_where_it_ended(boss: Client) -> None:
    first = fire(group="g-0")
    few = [sql for sql in asked_again(lambda: boss.get(LIST)) if "_incident" in sql or "auth_user" in sql]
    Incident.objects.bulk_create(
        Incident(
            rule=first.rule,
            group=f"g-{number}",
            dedup_key=f"g-{number}",
            severity="SEV2",
            title="Much goes wrong",
            opened_at=first.opened_at,
            owner=f"staff:{number}",
        )
        for number in range(1, 55)
    )
    cache.clear()
    many = [sql for sql in asked_again(lambda: boss.get(LIST)) if "_incident" in sql or "auth_user" in sql]
    # Incidents with their rules; who looks; and who owns them, which nobody did at first.
    assert len(many) == len(few) + 1 <= 3
    begin = text(boss, LIST)
    [older] = re.findall(r'rel="next" href="([^"]+)"', begin)
    rest = text(boss, LIST + older.replace("&amp;", "&"))
    groups = re.compile(r"<code>(g-\d+)</code>")
    assert len(groups.findall(begin)) == 50
    assert sorted(groups.findall(begin) + groups.findall(rest)) == sorted(f"g-{n}" for n in range(55))
    assert "g-" in text(boss, f"{LIST}?older=nonsense")


def test_from_opened_to_resolved_by_the_buttons_of_its_page() -> None:
    operator = member(OPERATOR)
    somebody = User.objects.get(username="operator")
    incident = fire("sev1_fault")
    shown = text(operator, page(incident))
    assert "Nobody has acknowledged it" in shown
    assert "Acknowledge</button>" in shown
    assert "7 of 100" in shown

    shown = act(operator, incident, "acknowledge")
    assert "operator acknowledged it" in shown
    assert "operator sees to it" in shown
    assert "Acknowledge</button>" not in shown
    shown = act(operator, incident, "note", words="Call +49 170 1234567")
    assert "1234567" not in shown
    shown = act(operator, incident, "own", owner="")
    assert "Nobody sees to it" in shown
    shown = act(operator, incident, "own", owner="999999")
    assert "Choose somebody on the staff" in shown
    act(operator, incident, "own", owner="me")
    incident.refresh_from_db()
    assert incident.owner == f"staff:{somebody.pk}"

    shown = act(operator, incident, "resolve", reason=" ")
    assert "Say what was done about it" in shown
    shown = act(operator, incident, "resolve", reason="Rolled back")
    assert re.search(r"Resolved <time[^>]*>just now</time> by operator", shown)
    assert "Rolled back" in shown
    incident.refresh_from_db()
    assert incident.state == "resolved"
    done = AuditEntry.objects.filter(target_id=str(incident.pk), action__startswith="incident.")
    assert set(done.values_list("actor_id", flat=True)) == {f"staff:{somebody.pk}"}
    assert list(done.order_by("recorded_at").values_list("action", flat=True)) == [
        "incident.acknowledge",
        "incident.note",
        "incident.own",
        "incident.own",
        "incident.resolve",
    ]


def test_the_clocks_of_a_sev1_run_until_it_was_reported_in_full() -> None:
    operator = member(OPERATOR)
    incident = fire("sev1_fault", ago=timedelta(hours=5))
    shown = text(operator, page(incident))
    assert re.search(r"Acknowledgement</dt><dd><span class=\"pill pill-bad\">Overdue", shown)
    assert re.search(r"First report</dt><dd><span class=\"pill pill-info\">Due", shown)
    shown = act(operator, incident, "report", kind="first", words="A batch was lost; told the CTO")
    assert re.search(r"First report</dt><dd><span class=\"pill pill-ok\">Done", shown)
    assert "told the CTO" in shown
    assert 'value="first"' not in shown
    shown = act(operator, incident, "report", kind="final", words="Cause found")
    assert re.search(r"Final report</dt><dd><span class=\"pill pill-ok\">Done", shown)
    incident.refresh_from_db()
    assert incident.final_report_at
    assert "What is due of a SEV1" not in text(operator, page(fire("error_rate")))


def test_who_may_only_see_sees_it_all_and_is_offered_nothing() -> None:
    incident = fire("sev1_fault")
    viewer = member(VIEWER)
    shown = text(viewer, page(incident))
    main = shown[shown.index('id="content-main"') :]
    assert "<form" not in main
    assert "a permission that you do not have" in main
    for verb in ("acknowledge", "resolve", "note", "own", "report", "silence"):
        assert viewer.post(f"{LIST}{incident.pk}/{verb}/", {"reason": "x"}).status_code == 403
    assert viewer.post(page(incident)).status_code == 405
    incident.refresh_from_db()
    assert incident.state == "open"


def test_an_operator_works_and_a_lead_also_silences() -> None:
    lead = member(LEAD)
    incident = fire("error_rate", "loc-1")
    shown = act(lead, incident, "silence", hours="4", reason="")
    assert "Say why" in shown
    shown = act(lead, incident, "silence", hours="5", reason="Deploying")
    assert "Choose for how long" in shown
    shown = act(lead, incident, "silence", hours="4", reason="Deploying")
    assert re.search(r"Nobody is told of it until [^:]+:\d\d UTC: Deploying", shown)
    silence = Silence.objects.get()
    assert (silence.rule_id, silence.group) == ("error_rate", "loc-1")
    assert silence.ends_at - silence.begins_at == timedelta(hours=4)


def test_the_timeline_says_how_each_telling_went(boss: Client) -> None:
    incident = fire("sev1_fault")
    told = {one.channel: one for one in incident.notifications.all()}
    Notification.objects.filter(pk=told["slack"].pk).update(state="dead", code="channel_is_archived", tries=3)
    Notification.objects.filter(pk=told["pagerduty"].pk).update(state="sent", sent_at=timezone.now())
    Notification.objects.filter(pk=told["email"].pk).update(code="timeout", tries=1)
    shown = text(boss, page(incident))
    assert "Given up after 3 tries: channel is archived" in shown
    assert "Sent just now" in shown
    assert "1 try, the last failed: it did not answer in time" in shown


def test_the_picture_has_threshold_incident_and_a_table_of_the_same(boss: Client) -> None:
    incident = fire("error_rate", ago=HOUR)
    now = timezone.now()
    measured("error_rate", [1.0] * 300 + [20.0] * 60, until=now)
    shown = text(boss, page(incident))
    assert 'class="span"' in shown
    assert "Threshold: 5" in shown
    assert "Each point looks at the 15 minutes before it." in shown
    assert "Of every 3 minutes the worst is shown." in shown
    rows = re.findall(r'<tr><th scope="row">([^<]+)</th><td class="num">([^<]+)</td></tr>', shown)
    assert rows[-1][1].startswith("20")
    assert any(value.startswith("1") for _, value in rows[:100])
    assert "Nothing was kept of this measure" in text(boss, page(fire("query_time")))


def test_it_leads_to_the_cause_and_only_where_the_reader_may_go(
    boss: Client, staff: Staff, settings: Settings
) -> None:
    settings.SENTRY_ISSUES_URL = "https://sentry.test/issues/"
    incident = fire("sev1_fault", "rate_exceeded")
    # Another fault of that time is another incident's.
    ErrorMinute.objects.create(
        minute=incident.opened_at, severity="SEV1", category="data-loss", code="event_lost", errors=3
    )
    shown = text(boss, page(incident))
    assert 'href="https://sentry.test/issues/?query=code%3Arate_exceeded"' in shown
    assert "event_lost" not in shown
    other = text(boss, page(fire("error_rate")))
    assert 'href="https://sentry.test/issues/?query=severity%3ASEV2"' in other
    assert "event_lost" not in other
    assert "Traces: log lines of its time" in shown
    assert 'href="/admin/sync/causegroup/"' in shown
    assert re.search(r'href="/admin/logs/\?level=warn-up&amp;range=24h&amp;until=[^"]+"', shown)
    settings.SENTRY_ISSUES_URL = ""
    assert "sentry" not in text(boss, page(incident)).lower()
    shown = text(staff("view_incident"), page(incident))
    main = shown[shown.index('id="content-main"') :]
    for place in ("/admin/logs/", "/admin/sync/", "/admin/errors/", "/admin/observability/alertrule/"):
        assert place not in main


def test_home_overview_menu_and_banner_tell_of_it_until_somebody_has_acknowledged(
    boss: Client, staff: Staff
) -> None:
    cache.clear()
    fire("error_rate", title="Much goes wrong")
    worst = fire("sev1_fault", title="A batch was lost")
    home = text(boss, "/admin/")
    assert home.index("SEV1: A batch was lost") < home.index("SEV2: Much goes wrong")
    assert "need-1" in home
    assert "SEV1 that nobody has acknowledged: A batch was lost" in text(boss, "/admin/logs/")
    [counted] = re.findall(r"Incidents <span class=\"badge\"[^>]*>(.*?)</span>", home)
    assert "2" in counted
    overview = text(boss, "/admin/overview/")
    assert "1 SEV1, 1 SEV2" in overview
    act(boss, worst, "acknowledge")
    assert "SEV1 that nobody has acknowledged" not in text(boss, "/admin/logs/")
    assert "SEV1: A batch was lost" not in text(boss, "/admin/")
    nobody = staff("view_logline")
    assert "incident" not in text(nobody, "/admin/logs/").lower()


def test_the_banner_costs_one_statement_in_ten_seconds(boss: Client) -> None:
    fire("sev1_fault")
    asked = asked_again(lambda: boss.get("/admin/observability/silence/"))
    assert [sql for sql in asked if "_incident" in sql] == []


def test_a_late_report_is_asked_for_at_home(boss: Client) -> None:
    incident = fire("sev1_fault", ago=timedelta(hours=13))
    incidents.acknowledge(incident, by="staff:1", now=timezone.now())
    home = text(boss, "/admin/")
    assert "First report of an incident is due" in home
    incidents.report(incident, is_final=False, words="Told", by="staff:1", now=timezone.now())
    assert "report of an incident" not in text(boss, "/admin/")


@pytest.mark.parametrize(
    ("code", "places", "others"),
    [
        (
            "rate_exceeded",
            [
                "/admin/runbooks/mass_send/",
                "/admin/sync/kill-switch/",
                reverse_lazy("admin:sync_held_messages"),
            ],
            ["/admin/runbooks/data_loss/"],
        ),
        (
            "event_lost",
            ["/admin/runbooks/data_loss/", "/admin/sync/ledgercheck/", "/admin/audit/"],
            ["/admin/runbooks/mass_send/"],
        ),
        (
            "audit_tampered",
            ["/admin/runbooks/audit_broken/", "/admin/audit/"],
            ["/admin/runbooks/data_loss/"],
        ),
    ],
)
def test_a_fault_of_the_worst_sort_leads_to_where_that_sort_is_dealt_with(
    boss: Client, staff: Staff, code: str, places: list[str], others: list[str]
) -> None:
    incident = fire("sev1_fault", code)
    shown = links(text(boss, page(incident)))
    assert [place for place in places if f'href="{place}"' not in shown] == []
    assert [place for place in others if f'href="{place}"' in shown] == []
    narrow = links(text(staff("view_incident"), page(incident)))
    assert "/admin/runbooks/sev1_fault/" in narrow
    assert "/admin/sync/" not in narrow
    assert "/admin/audit/" not in narrow


def links(shown: str) -> str:
    """Return the part of a page that says where to look."""
    return shown[shown.index('id="look"') : shown.index('id="facts"')]


def test_what_is_long_over_leads_to_no_errors_of_today(boss: Client) -> None:
    incident = fire("error_rate", ago=60 * HOUR)
    assert "/admin/errors/" in links(text(boss, page(incident)))
    incidents.resolve(incident, by="staff:1", reason="x", now=timezone.now() - 25 * HOUR)
    shown = links(text(boss, page(incident)))
    assert "/admin/errors/" not in shown
    assert "/admin/logs/" in shown


def test_who_acknowledges_second_is_told_who_was_first() -> None:
    operator, lead = member(OPERATOR), member(LEAD)
    incident = fire("error_rate")
    assert "Acknowledged. It is told again" in act(operator, incident, "acknowledge")
    shown = act(lead, incident, "acknowledge")
    assert 'class="warning">Operator sees to it already.' in shown
    assert "Acknowledged. It is told again" not in shown
    assert "You see to it already." in act(operator, incident, "acknowledge")
    assert incident.moments.filter(kind="acknowledged").count() == 1


def test_whoever_resolves_by_hand_is_told_that_it_opens_again_in_an_hour() -> None:
    operator = member(OPERATOR)
    incident = fire("error_rate")
    said = "If it still holds in an hour, it opens again."
    assert said in text(operator, page(incident))
    shown = act(operator, incident, "resolve", reason="Rolled back")
    assert f"Resolved. {said}" in shown
    assert "if it still holds then, it opens again" in shown
    other = fire("query_time")
    incidents.recover(other.rule, "", words="0", now=timezone.now())
    assert "if it still holds then" not in text(operator, page(other))
