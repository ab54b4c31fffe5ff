"""Email: one message to the channel's recipients, one try.

The rule: what the mail server has taken for some is not sent again for the others: that is told by a code. A
repeat, after an answer that got lost, has the same Message-ID.
"""

import hashlib

from django.template.loader import render_to_string

from observability.alerts.channels import wording
from observability.alerts.outbox import Again, Delivered, Impossible, Outcome
from observability.models import Channel, Notification
from trainu import mail as door
from trainu.mail import Mail, Never, NotNow, Taken


def deliver(notification: Notification, channel: Channel) -> Outcome:
    """Mail a notification to the channel's recipients."""
    recipients = channel.recipients.split()
    if not recipients:
        return Impossible("recipients_missing")
    found = door.configured()
    if isinstance(found, Never):
        return Impossible(found.code)
    match door.send(found, mail(notification), recipients, message_id=message_id(notification)):
        case Taken(code):
            return Delivered(code)
        case NotNow(code):
            return Again(code)
        case Never(code):
            return Impossible(code)


def mail(notification: Notification) -> Mail:
    """Return what is mailed."""
    if notification.act == "digest" and "escalated" not in notification.body:
        from observability.alerts import digest

        return digest.mail(notification)
    told = wording.of(notification)
    context = {"told": told}
    return Mail(
        told.title,
        render_to_string("email/incident.txt", context),
        render_to_string("email/incident.html", context),
    )


def message_id(notification: Notification) -> str:
    """Return an id that is the same at every try of a notification."""
    digest = hashlib.sha256(notification.key.encode()).hexdigest()[:24]
    return f"<{notification.pk}.{digest}@{door.host_of_ids()}>"
