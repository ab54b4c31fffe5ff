"""Email: one message to the channel's recipients, one try.

The rule: what the mail server has taken for some is not sent again for the others: that is told by a code. A
repeat, after an answer that got lost, has the same Message-ID.
"""

import hashlib
import smtplib
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parseaddr
from ssl import SSLError
from urllib.parse import parse_qs, unquote, urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend
from django.template.loader import render_to_string

from observability.alerts.channels import answers, wording
from observability.alerts.outbox import Again, Delivered, Impossible, Outcome
from observability.models import Channel, Notification

TIMEOUT_S = 5
LONGEST_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class Mail:
    """What is mailed, the same in words and in HTML."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed in. tls: none, starttls or from the first byte."""

    host: str
    port: int
    user: str
    password: str
    tls: str

    def backend(self) -> EmailBackend:
        """Return a connection that is not open yet, whatever Django's own settings say."""
        return EmailBackend(
            host=self.host,
            port=self.port,
            username=self.user,
            password=self.password,
            use_tls=self.tls == "starttls",
            use_ssl=self.tls == "smtps",
            timeout=TIMEOUT_S,
        )


def server(address: str) -> Server | None:
    """Return what EMAIL_URL says; None where it is no such address."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    tls = parse_qs(parts.query, keep_blank_values=True).get("tls", [""])[-1]
    if not host or parts.scheme not in ("smtp", "smtps") or tls not in ("", "starttls"):
        return None
    if parts.scheme == "smtps":
        tls = "smtps"
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    # An empty name or host would make Django ask its own settings.
    return Server(host, port or {"smtps": 465, "starttls": 587}.get(tls, 25), user, password, tls)


def deliver(notification: Notification, channel: Channel) -> Outcome:
    """Mail a notification to the channel's recipients."""
    recipients = channel.recipients.split()
    if not recipients:
        return Impossible("recipients_missing")
    if not settings.EMAIL_URL:
        return Impossible("email_url_missing")
    found = server(settings.EMAIL_URL)
    if found is None:
        return Impossible("email_url_wrong")
    return send(found, mail(notification), recipients, message_id=message_id(notification))


def mail(notification: Notification) -> Mail:
    """Return what is mailed."""
    if notification.act == "digest" and "escalated" not in notification.body:
        from observability.alerts import digest  # type: ignore[attr-defined, unused-ignore]

        composed: Mail = digest.mail(notification)
        return composed
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
    host = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    return f"<{notification.pk}.{digest}@{host}>"


def send(to: Server, wanted: Mail, recipients: list[str], *, message_id: str) -> Outcome:
    """Hand a mail in, once; return how that has ended."""
    backend = to.backend()
    message = EmailMultiAlternatives(
        " ".join(wanted.subject.split())[:LONGEST_SUBJECT],
        wanted.text,
        settings.EMAIL_FROM,
        recipients,
        headers={"Message-ID": message_id, "Auto-Submitted": "auto-generated"},
        connection=backend,
    )
    message.attach_alternative(wanted.html, "text/html")
    raw = message.message().as_bytes(linesep="\r\n")  # type: ignore[call-arg]
    try:
        backend.open()
        assert backend.connection
        # Not the backend's own way: it forgets whom the server has refused.
        refused = backend.connection.sendmail(parseaddr(settings.EMAIL_FROM)[1], recipients, raw)
        return Delivered("recipients_refused" if refused else "")
    except (smtplib.SMTPException, OSError) as error:
        return _broken(error)
    finally:
        # It is taken or not by now: a farewell that fails changes nothing.
        with suppress(smtplib.SMTPException, OSError):
            backend.close()


def _broken(error: Exception) -> Again | Impossible:
    match error:
        case smtplib.SMTPRecipientsRefused(recipients=refused):
            # None of them has it, so it can be tried again while any of them may get it.
            is_over = all(500 <= status < 600 for status, _ in refused.values())
            return Impossible("recipients_refused") if is_over else Again("recipients_refused")
        case smtplib.SMTPResponseException(smtp_code=status) if 400 <= status < 600:
            code = f"smtp_{status}"
            return Impossible(code) if status >= 500 else Again(code)
        case smtplib.SMTPNotSupportedError():
            return Impossible("smtp_not_supported")
        case SSLError():
            return Again("tls")
        case TimeoutError():
            return Again("timeout")
        case _:
            return answers.broken(error)
