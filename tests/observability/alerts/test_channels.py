"""What staff can do with channels: enter, turn on, test, and send again what was given up on."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pydantic import SecretStr

from observability.alerts import channels, incidents, outbox, rules
from observability.alerts.channels import Refused, secrets
from observability.alerts.outbox import Delivered, Impossible
from observability.models import AlertRule, AuditEntry, Channel, Incident, Notification

pytestmark = pytest.mark.django_db
NOW = timezone.now()
SECOND = timedelta(seconds=1)
HOOK = SecretStr("https://hooks.slack.com/services/T0/B0/planted")
KEY = SecretStr("0123456789abcdef0123456789abcdef")


@pytest.fixture(autouse=True)
def _all_off() -> None:
    for kind in channels.KINDS:
        Channel.objects.update_or_create(kind=kind, defaults={"is_enabled": False})


def of(kind: str) -> Channel:
    return Channel.objects.get(pk=kind)


def change(kind: str, **wanted: Any) -> Channel:
    return channels.change(of(kind), by="staff:1", now=NOW, **wanted)


def turn_on() -> None:
    change("slack", secret=HOOK, is_enabled=True)
    change("pagerduty", secret=KEY, is_enabled=True)


def fire(code: str = "sev1_fault") -> Incident:
    rules.seed()
    rule = AlertRule.objects.get(pk=code)
    return incidents.fire(rule, "", title="Data lost", words="1", value=1, now=NOW)


def settle(one: Notification, outcome: outbox.Outcome, *, at: timedelta = timedelta(0)) -> Notification:
    """Let a notification end like this, whatever else is due."""
    Notification.objects.filter(pk=one.pk).update(fence=99, leased_until=NOW + at)
    assert outbox.settle(one.pk, 99, outcome, now=NOW + at)
    one.refresh_from_db()
    return one


def told(incident: Incident, channel: str, act: str) -> Notification:
    return incident.notifications.filter(channel=channel, act=act).latest("id")


def test_there_are_three_and_a_second_migration_changes_none() -> None:
    change("slack", secret=HOOK, is_enabled=True)
    channels.ensure_channels()
    assert set(Channel.objects.values_list("kind", "is_enabled")) == {
        ("slack", True),
        ("pagerduty", False),
        ("email", False),
    }
    Channel.objects.all().delete()
    channels.ensure_channels()
    assert not Channel.objects.filter(is_enabled=True).exists()


def test_what_was_entered_is_sealed_and_is_in_no_entry() -> None:
    turn_on()
    assert bytes(of("slack").secret) != b""
    assert b"planted" not in bytes(of("slack").secret)
    assert secrets.opened(of("slack")) == HOOK
    entry = AuditEntry.objects.filter(action="channel.change", target_id="slack").get()
    assert entry.actor_id == "staff:1"
    assert entry.changes == {"secret": None, "is_enabled": [False, True]}
    change("email", recipients="nora.planted@example.com")
    everything = str(list(AuditEntry.objects.values()))
    assert "planted" not in everything
    assert KEY.get_secret_value() not in everything


def test_a_channel_is_on_only_with_all_that_it_needs(settings: Any) -> None:
    settings.EMAIL_URL = ""
    for kind, what in (("slack", "webhook"), ("pagerduty", "integration key"), ("email", "EMAIL_URL")):
        with pytest.raises(Refused, match=what):
            change(kind, is_enabled=True)
        with pytest.raises(Refused, match=what):
            channels.send_test(of(kind), by="staff:1", now=NOW)
    settings.EMAIL_URL = "smtp://127.0.0.1:25"
    with pytest.raises(Refused, match="at least one address"):
        change("email", is_enabled=True)
    assert change("email", recipients="a@example.com", is_enabled=True).is_enabled
    with pytest.raises(Refused, match="at least one address"):
        change("email", recipients="")
    turn_on()
    with pytest.raises(Refused, match="webhook"):
        change("slack", secret=SecretStr(""))
    assert not secrets.has_one(change("slack", secret=SecretStr(""), is_enabled=False))


@pytest.mark.parametrize(
    ("kind", "wanted", "why"),
    [
        ("slack", {"secret": SecretStr("http://hooks.slack.com/planted")}, "begins with https"),
        ("pagerduty", {"secret": SecretStr("planted")}, "32 letters"),
        ("pagerduty", {"secret": SecretStr(f"{KEY.get_secret_value()}0")}, "32 letters"),
        ("email", {"secret": SecretStr("planted")}, "EMAIL_URL"),
        ("email", {"recipients": "a@example.com, planted"}, "number 2"),
        ("email", {"recipients": " ".join(f"a{n}@example.com" for n in range(21))}, "20 addresses"),
        ("slack", {"recipients": "a@example.com"}, "Only email"),
    ],
)
def test_what_cannot_be_is_refused_without_repeating_it(kind: str, wanted: Any, why: str) -> None:
    with pytest.raises(Refused, match=why) as refused:
        change(kind, **wanted)
    assert "planted" not in str(refused.value)
    assert not secrets.has_one(of(kind))


def test_recipients_are_kept_one_a_line_and_once() -> None:
    change("email", recipients="a@example.com, b@example.com;\n a@example.com")
    assert of("email").recipients == "a@example.com\nb@example.com"


def test_a_new_secret_begins_without_the_troubles_of_the_old_one() -> None:
    turn_on()
    Channel.objects.update(rests_until=NOW + timedelta(minutes=9), code="no_service")
    change("slack", secret=HOOK)
    assert (of("slack").rests_until, of("slack").code) == (None, "")
    assert of("pagerduty").code == "no_service"


def test_a_test_goes_out_also_before_a_channel_is_on_and_is_given_up_on_soon() -> None:
    change("slack", secret=HOOK)
    one = channels.send_test(of("slack"), by="staff:1", now=NOW)
    assert AuditEntry.objects.get(action="channel.test").target_id == "slack"
    assert [key for key, _ in outbox.claim(now=NOW)] == [one.pk]
    for turn in range(outbox.MOST_TRIES_OF_TEST):
        one.refresh_from_db()
        assert one.state == "waiting"
        settle(one, outbox.Again("timeout"), at=turn * timedelta(minutes=5))
    assert (one.state, one.code) == ("dead", "timeout")
    assert Notification.objects.count() == 1


def test_what_was_given_up_on_goes_out_again_when_somebody_says_so() -> None:
    turn_on()
    trigger = settle(told(fire(), "slack", "trigger"), Impossible("no_service"))
    channels.resend(trigger, by="staff:1", now=NOW + SECOND)
    trigger.refresh_from_db()
    assert (trigger.state, trigger.tries, trigger.code) == ("waiting", 0, "no_service")
    assert AuditEntry.objects.get(action="notification.resend").target_id == str(trigger.pk)
    assert trigger.pk in dict(outbox.claim(now=NOW + SECOND))
    with pytest.raises(Refused, match="given up on"):
        channels.resend(trigger, by="staff:1", now=NOW)


def test_what_is_sent_again_neither_turns_the_order_round_nor_calls_for_nothing() -> None:
    turn_on()
    incident = fire()
    triggers = [
        settle(told(incident, kind, "trigger"), Impossible("status_400")) for kind in ("slack", "pagerduty")
    ]
    incidents.recover(incident.rule, "", words="0", now=NOW)
    settle(told(incident, "slack", "resolve"), Delivered())
    with pytest.raises(Refused, match="out of order"):
        channels.resend(triggers[0], by="staff:1", now=NOW)
    with pytest.raises(Refused, match="is resolved"):
        channels.resend(triggers[1], by="staff:1", now=NOW)
    change("slack", is_enabled=False)
    with pytest.raises(Refused, match="Turn it on"):
        channels.resend(triggers[0], by="staff:1", now=NOW)


def test_keys_are_rotated_for_channels_too(settings: Any) -> None:
    settings.CREDENTIAL_KEYS = "old"
    turn_on()
    settings.CREDENTIAL_KEYS = "new,old"
    out = StringIO()
    call_command("rotate_credentials", stdout=out)
    assert "2 channels' secrets encrypted with the first key." in out.getvalue()
    settings.CREDENTIAL_KEYS = "new"
    assert secrets.opened(of("slack")) == HOOK
    settings.CREDENTIAL_KEYS = "lost"
    with pytest.raises(secrets.Unusable, match="secret_unreadable"):
        secrets.opened(of("slack"))
    with pytest.raises(CommandError, match="pagerduty, slack"):
        call_command("rotate_credentials", stdout=StringIO())
