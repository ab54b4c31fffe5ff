"""Ways to tell people: what each needs, how it is tried, and what is sent again by hand.

The rule: a secret is entered and never read back, and no answer, text or entry holds one. A channel is on
only while it has all that it needs. Nothing is sent here: what is to go out is written into the outbox.
"""

import re
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from pydantic import SecretStr
from uuid_utils.compat import uuid7

from observability.alerts.channels import secrets, slack, wording
from observability.alerts.outbox import State
from observability.audit.actions import Action
from observability.audit.recording import record
from observability.models import Channel, Incident, Notification
from trainu.encryption import seal

KINDS = ("slack", "pagerduty", "email")
MOST_RECIPIENTS = 20
_KEY = re.compile(r"[0-9A-Za-z]{32}", re.ASCII)


class Refused(ValueError):
    """It cannot be done like this; str(): what to do."""


def ensure_channels(**_signal: Any) -> None:
    """Make the channels that are missing, all of them off; receiver of post_migrate."""
    Channel.objects.bulk_create([Channel(kind=kind) for kind in KINDS], ignore_conflicts=True)


@transaction.atomic
def change(
    channel: Channel,
    *,
    secret: SecretStr | None = None,
    recipients: str | None = None,
    is_enabled: bool | None = None,
    by: str,
    now: datetime,
) -> Channel:
    """Change what a channel has, and whether it is on; None leaves as it is. Raises Refused.

    secret: Slack's webhook or PagerDuty's key; empty takes the old one away. recipients: addresses of
    email, with blanks, commas or ends of lines between them.
    """
    found = Channel.objects.select_for_update().get(pk=channel.pk)
    changes: dict[str, Any] = {}
    if secret is not None:
        changes["secret"] = None
        value = secret.get_secret_value().strip()
        found.secret = seal(_checked(found.kind, value)) if value else b""
        # What the other side said was said of the old one.
        found.rests_until, found.code = None, ""
    if recipients is not None and (kept := _addresses(found.kind, recipients)) != found.recipients:
        changes["recipients"] = None
        found.recipients = kept
    if is_enabled is not None and is_enabled != found.is_enabled:
        changes["is_enabled"] = (found.is_enabled, is_enabled)
        found.is_enabled = is_enabled
    if found.is_enabled and (why := what_it_lacks(found)):
        raise Refused(why)
    if changes:
        found.changed_at, found.changed_by = now, by
        found.save()
        record(Action.CHANNEL_CHANGE, actor=by, target=found, changes=changes)
    return found


@transaction.atomic
def send_test(channel: Channel, *, by: str, now: datetime) -> Notification:
    """Let a test go out on a channel, whether it is on or off; its state is the answer. Raises Refused."""
    found = Channel.objects.get(pk=channel.pk)
    if why := what_it_lacks(found):
        raise Refused(why)
    record(Action.CHANNEL_TEST, actor=by, target=found)
    return Notification.objects.create(
        key=f"test/{found.kind}/{uuid7()}", channel=found.kind, act="test", due_at=now, created_at=now
    )


@transaction.atomic
def resend(notification: Notification, *, by: str, now: datetime) -> Notification:
    """Try again what was given up on. Raises Refused where that would tell things in the wrong order."""
    one = Notification.objects.select_for_update().get(pk=notification.pk)
    if one.state != State.DEAD:
        raise Refused("Only what was given up on can be sent again.")
    channel = Channel.objects.get(pk=one.channel)
    if not channel.is_enabled and one.act != "test":
        raise Refused(f"{wording.NAMES[one.channel]} is off: nothing would go out. Turn it on first.")
    if one.incident_id is not None:
        _check_order(one, one.incident_id)
    record(Action.NOTIFICATION_RESEND, actor=by, target=one)
    one.state, one.tries, one.due_at, one.leased_until = State.WAITING, 0, now, None
    one.save(update_fields=["state", "tries", "due_at", "leased_until"])
    return one


def _check_order(one: Notification, incident_id: int) -> None:
    later = Notification.objects.filter(
        incident_id=incident_id, channel=one.channel, pk__gt=one.pk, state=State.SENT
    )
    if later.exists():
        raise Refused("What came after it has arrived there: sent now, it would be out of order.")
    incident = Incident.objects.select_for_update(no_key=True).get(pk=incident_id)
    is_over = incident.state == Incident.State.RESOLVED
    if one.channel == "pagerduty" and is_over and one.act != "resolve":
        raise Refused("The incident is resolved: sent now, it would call somebody for nothing.")


def what_it_lacks(channel: Channel) -> str:
    """Return what must be entered before a channel can be used; empty: nothing."""
    match channel.kind:
        case "slack" if not secrets.has_one(channel):
            return "Enter the address of an incoming webhook of Slack first."
        case "pagerduty" if not secrets.has_one(channel):
            return "Enter the integration key of a service of PagerDuty first (Events API v2)."
        case "email" if not settings.EMAIL_URL:
            return "Set EMAIL_URL to a mail server and start the service again first."
        case "email" if not channel.recipients:
            return "Enter at least one address that emails go to first."
        case _:
            return ""


def _checked(kind: str, value: str) -> SecretStr:
    if kind == "slack" and not slack.is_address(value):
        raise Refused("A webhook's address begins with https://, such as https://hooks.slack.com/services/…")
    if kind == "pagerduty" and not _KEY.fullmatch(value):
        raise Refused("An integration key has 32 letters and digits. Copy it from the service in PagerDuty.")
    if kind == "email":
        raise Refused("Email has no secret here: its server and password are in EMAIL_URL.")
    return SecretStr(value)


def _addresses(kind: str, entered: str) -> str:
    found = list(dict.fromkeys(word for word in re.split(r"[\s,;]+", entered) if word))
    if found and kind != "email":
        raise Refused("Only email has recipients.")
    if len(found) > MOST_RECIPIENTS:
        raise Refused(f"Enter {MOST_RECIPIENTS} addresses at most; a mailing list takes more people.")
    for number, address in enumerate(found, 1):
        try:
            validate_email(address)
        except ValidationError:
            # By its number: nothing personal is in a message.
            raise Refused(f"Address number {number} is no email address. Correct it.") from None
    return "\n".join(found)
