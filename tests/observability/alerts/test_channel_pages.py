"""Channels and notifications as staff see them: secrets that never come out, tests, what was given up."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from observability.models import AuditEntry, Channel, Notification
from tests.conftest import Staff
from tests.costs import asked_again
from tests.observability.alerts.standing import channel, fire, member
from trainu.encryption import open_sealed
from trainu.roles import ADMIN, LEAD, OPERATOR

pytestmark = pytest.mark.django_db
CHANNELS = "/admin/observability/channel/"
SLACK = f"{CHANNELS}slack/change/"
LIST = "/admin/observability/notification/"
SECRET = "https://hooks.slack.test/services/T0/B0/verysecretindeed"


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return re.sub(r"\s+", " ", answer.content.decode())


@pytest.fixture(autouse=True)
def _channels(db: None) -> None:
    for kind in ("slack", "pagerduty", "email"):
        channel(kind)


def test_a_secret_goes_in_and_never_comes_out() -> None:
    admin = member(ADMIN)
    shown = text(admin, CHANNELS)
    assert shown.count("Not set up") == 3
    shown = text(admin, SLACK)
    [field] = re.findall(r'<input[^>]*name="secret"[^>]*>', shown)
    assert 'type="password"' in field
    assert 'autocomplete="off"' in field
    answer = admin.post(SLACK, {"secret": SECRET, "is_enabled": "on"})
    assert answer["Location"] == SLACK
    kept = Channel.objects.get(pk="slack")
    assert open_sealed(kept.secret).get_secret_value() == SECRET
    assert kept.is_enabled
    admin.post(SLACK, {"secret": "", "is_enabled": "on"})
    kept.refresh_from_db()
    assert open_sealed(kept.secret).get_secret_value() == SECRET
    for path in (SLACK, CHANNELS, f"{CHANNELS}slack/history/"):
        shown = text(admin, path)
        assert "verysecretindeed" not in shown
    assert "is set, and not shown" in text(admin, SLACK)
    for entry in AuditEntry.objects.all():
        assert "verysecret" not in f"{entry.reason} {entry.changes}"
    assert AuditEntry.objects.filter(action="channel.change").exists()


def test_what_was_typed_is_not_shown_again_where_it_does_not_fit(settings: Settings) -> None:
    settings.EMAIL_URL = "smtp://127.0.0.1:1"
    admin = member(ADMIN)
    answer = admin.post(f"{CHANNELS}email/change/", {"recipients": "nobody at all", "is_enabled": "on"})
    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()
    assert Channel.objects.get(pk="email").recipients == ""
    answer = admin.post(f"{CHANNELS}email/change/", {"recipients": "ops@trainu.test", "is_enabled": "on"})
    assert answer.status_code == 302
    assert "ops@trainu.test" in text(admin, f"{CHANNELS}email/change/")
    answer = admin.post(SLACK, {"secret": "x" * 501})
    assert answer.status_code == 200
    assert "x" * 20 not in answer.content.decode()


def test_a_test_is_sent_by_a_button_and_its_page_tells_what_became_of_it() -> None:
    admin = member(ADMIN)
    admin.post(SLACK, {"secret": SECRET, "is_enabled": "on"})
    answer = admin.post(f"{CHANNELS}slack/test/")
    assert answer.status_code == 302
    one = Notification.objects.get(act="test")
    assert (one.channel, one.incident, one.state) == ("slack", None, "waiting")
    shown = text(admin, SLACK)
    assert 'hx-get="/admin/alerts/channel-tests/slack/"' in shown
    assert "Waiting to be sent" in shown
    assert "Nothing was delivered yet" in shown
    assert "A test</a>" in text(admin, LIST)
    Notification.objects.filter(pk=one.pk).update(state="sent", sent_at=timezone.now())
    Channel.objects.filter(pk="slack").update(sent_at=timezone.now())
    part = text(admin, "/admin/alerts/channel-tests/slack/")
    assert "Sent" in part
    # Where the channel stands comes along.
    assert '<div id="channel-stands" hx-swap-oob="true">' in part
    assert "The last try was delivered." in part
    # It asks no more.
    assert "hx-get" not in part
    assert AuditEntry.objects.filter(action="channel.test").count() == 1


def test_the_part_sends_nobody_to_sign_in_and_wants_the_permission(client: Client, staff: Staff) -> None:
    part = "/admin/alerts/channel-tests/slack/"
    answer = client.get(part)
    assert (answer.status_code, answer["HX-Refresh"]) == (286, "true")
    assert staff("view_logline").get(part).status_code == 403


def test_who_keeps_no_channels_sees_them_and_changes_nothing() -> None:
    lead = member(LEAD)
    Channel.objects.filter(pk="slack").update(
        code="timeout", failed_at=timezone.now(), secret=b"x", is_enabled=True
    )
    assert "The last try failed: it did not answer in time." in text(lead, CHANNELS)
    shown = text(lead, SLACK)
    assert "a permission that you do not have" in shown
    assert "Send test" not in shown
    assert lead.post(SLACK, {"is_enabled": ""}).status_code == 403
    assert lead.post(f"{CHANNELS}slack/test/").status_code == 403
    assert Channel.objects.get(pk="slack").is_enabled


def test_what_was_given_up_comes_first_and_is_sent_again() -> None:
    lead = member(LEAD)
    channel("slack", is_enabled=True, secret=b"x")
    assert "Nobody was told of anything yet" in text(lead, LIST)
    dead = fire("error_rate").notifications.get()
    Notification.objects.filter(pk=dead.pk).update(state="dead", code="no_service", tries=1)
    fire("query_time")
    shown = text(lead, LIST)
    assert shown.index("Given up: nobody was told") < shown.index(
        "Given up after 1 try: its webhook was removed"
    )
    assert text(lead, f"{LIST}?state=waiting").count("<tr") == 2
    assert "1 notification could not be delivered" in text(lead, "/admin/")
    answer = lead.post(f"{LIST}{dead.pk}/resend/")
    assert answer.status_code == 302
    assert "1 notification could not be delivered" not in text(lead, "/admin/")
    assert AuditEntry.objects.filter(action="notification.resend").count() == 1
    lead.post(f"{LIST}{dead.pk}/resend/")
    assert AuditEntry.objects.filter(action="notification.resend").count() == 1


def test_who_may_not_resend_sees_it_and_is_refused() -> None:
    operator = member(OPERATOR)
    dead = fire("error_rate").notifications.get()
    Notification.objects.filter(pk=dead.pk).update(state="dead")
    assert "Send again" not in text(operator, LIST)
    assert "a permission that you do not have" in text(operator, f"{LIST}{dead.pk}/change/")
    assert operator.post(f"{LIST}{dead.pk}/resend/").status_code == 403
    dead.refresh_from_db()
    assert dead.state == "dead"


def test_the_list_of_notifications_goes_on_where_it_ended_at_one_cost(boss: Client) -> None:
    incident, now = fire("log_drops"), timezone.now()
    Notification.objects.bulk_create(
        Notification(
            key=f"k/{number}",
            incident=incident,
            channel="email",
            act="repeat",
            state="sent",
            due_at=now,
            created_at=now - timedelta(minutes=number),
            sent_at=now,
        )
        for number in range(60)
    )
    asked = [sql for sql in asked_again(lambda: boss.get(LIST)) if "_notification" in sql]
    assert len(asked) == 2
    first = text(boss, LIST)
    [older] = re.findall(r'rel="next" href="([^"]+)"', first)
    found = re.compile(r"/notification/(\d+)/change/")
    assert len({*found.findall(first), *found.findall(text(boss, LIST + older.replace("&amp;", "&")))}) == 60
