"""Mail, handed in to the server that EMAIL_URL names: one message, one try.

Kernel: imports no app. The rule: an answer says what the server has said; who repeats, and when, is the
caller's. What the server may have taken, although its answer got lost, is told apart from what it has not.
"""

import smtplib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parseaddr
from ssl import SSLError
from urllib.parse import parse_qs, unquote, urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend

TIMEOUT_S = 5
LONGEST_SUBJECT = 200
RECIPIENTS_REFUSED = "recipients_refused"


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


@dataclass(frozen=True, slots=True)
class Taken:
    """The server has taken it. code: recipients_refused where it was not for all of them."""

    code: str = ""


@dataclass(frozen=True, slots=True)
class NotNow:
    """It may work later. code: why not now. maybe_taken: whether only the answer may have been lost."""

    code: str
    maybe_taken: bool = False


@dataclass(frozen=True, slots=True)
class Never:
    """It will never work like this. code: why."""

    code: str


Answer = Taken | NotNow | Never


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


def configured() -> Server | Never:
    """Return the server that EMAIL_URL names, or why there is none."""
    if not settings.EMAIL_URL:
        return Never("email_url_missing")
    return server(settings.EMAIL_URL) or Never("email_url_wrong")


def host_of_ids() -> str:
    """Return what ids of messages end in."""
    return urlsplit(settings.PUBLIC_URL).hostname or "localhost"


def send(
    to: Server,
    wanted: Mail,
    recipients: Sequence[str],
    *,
    message_id: str,
    begins: Callable[[], None] | None = None,
) -> Answer:
    """Hand a mail in, once; return how that has ended.

    begins: called when the server is reached and nothing has been handed in yet; what it raises goes on.
    """
    backend = to.backend()
    message = EmailMultiAlternatives(
        " ".join(wanted.subject.split())[:LONGEST_SUBJECT],
        wanted.text,
        settings.EMAIL_FROM,
        list(recipients),
        headers={"Message-ID": message_id, "Auto-Submitted": "auto-generated"},
        connection=backend,
    )
    message.attach_alternative(wanted.html, "text/html")
    raw = message.message().as_bytes(linesep="\r\n")  # type: ignore[call-arg]
    try:
        try:
            backend.open()
        except (smtplib.SMTPException, OSError) as error:
            return _broken(error)
        if begins:
            begins()
        assert backend.connection
        try:
            # Not the backend's own way: it forgets whom the server has refused.
            refused = backend.connection.sendmail(parseaddr(settings.EMAIL_FROM)[1], recipients, raw)
        except (smtplib.SMTPException, OSError) as error:
            return _broken(error, has_begun=True)
        return Taken(RECIPIENTS_REFUSED if refused else "")
    finally:
        # It is taken or not by now: a farewell that fails changes nothing.
        with suppress(smtplib.SMTPException, OSError):
            backend.close()


def _broken(error: Exception, *, has_begun: bool = False) -> NotNow | Never:
    match error:
        case smtplib.SMTPRecipientsRefused(recipients=refused):
            # None of them has it, so it can be tried again while any of them may get it.
            is_over = all(500 <= status < 600 for status, _ in refused.values())
            return Never(RECIPIENTS_REFUSED) if is_over else NotNow(RECIPIENTS_REFUSED)
        case smtplib.SMTPResponseException(smtp_code=status) if 400 <= status < 600:
            code = f"smtp_{status}"
            return Never(code) if status >= 500 else NotNow(code)
        case smtplib.SMTPNotSupportedError():
            return Never("smtp_not_supported")
        case SSLError():
            return NotNow("tls", has_begun)
        case TimeoutError():
            return NotNow("timeout", has_begun)
        case _:
            return NotNow("connection", has_begun)
