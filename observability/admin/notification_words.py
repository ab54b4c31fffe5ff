"""What was told, and how that went, in words: for timelines, lists and the pages of channels.

The rule: codes are the channels' own vocabulary; one without words here is shown as it is, in plain letters.
"""

from django.utils import timezone

from observability.models import Notification
from trainu.admin_rendering import seen
from trainu.templatetags.time import in_words

STATES = {"waiting": "info", "sent": "ok", "dead": "bad", "silenced": "warn"}
CHANNELS = {"slack": "Slack", "pagerduty": "PagerDuty", "email": "Email"}
_ACTS = {
    "trigger": "That it began",
    "acknowledge": "That somebody sees to it",
    "resolve": "That it is over",
    "repeat": "That nobody has acknowledged it yet",
    "overdue": "That nobody has acknowledged it in time",
    "report": "That a report is due",
    "report_24h": "That its first report is due",
    "report_72h": "That its final report is due",
    "digest": "The daily digest",
    "test": "A test",
}
_CODES = {
    "timeout": "it did not answer in time",
    "connection": "it could not be reached",
    "tls": "its certificate is not trusted",
    "secret_missing": "its secret is missing",
    "secret_unreadable": "its secret cannot be decrypted; enter it again",
    "bad_address": "its address is none that we may write to",
    "no_service": "its webhook was removed there; enter a new one",
    "recipients_missing": "it has no recipients",
    "recipients_refused": "the mail server refused recipients",
    "email_url_missing": "EMAIL_URL is not set",
    "email_url_wrong": "EMAIL_URL cannot be read",
    "unexpected_answer": "it answered with something that we do not understand",
    "channel_off": "the channel was off",
    "overtaken": "it was no longer so",
}


def channel_in_words(kind: str) -> str:
    """Return what a channel is called."""
    return CHANNELS.get(kind, kind)


def act_in_words(one: Notification) -> str:
    """Return what a notification tells, as its name."""
    escalated = one.body.get("escalated") if isinstance(one.body, dict) else None
    about = _ACTS.get(one.act, one.act)
    instead = f", for {channel_in_words(str(escalated))} could not be told" if escalated else ""
    return f"{about}{instead}"


def code_in_words(code: str) -> str:
    """Return why something could not be delivered."""
    if code.startswith("status_"):
        return f"it answered with {seen(code.removeprefix('status_'))}"
    return _CODES.get(code, seen(code.replace("_", " ")))


def news(one: Notification) -> str:
    """Return how it went, in a line."""
    now = timezone.now()
    tries = f"{one.tries} tr{'y' if one.tries == 1 else 'ies'}"
    match one.state:
        case Notification.State.SENT:
            return f"Sent {in_words(one.sent_at, now)}" if one.sent_at else "Sent"
        case Notification.State.DEAD:
            return f"Given up after {tries}: {code_in_words(one.code) or 'no reason was kept'}"
        case Notification.State.SILENCED:
            why = f", for {code_in_words(one.code)}" if one.code else ""
            return f"Told to nobody{why}" if why else "Told to nobody: it was silenced"
    if one.code:
        return (
            f"Waiting, next {in_words(one.due_at, now)}; {tries}, the last failed: {code_in_words(one.code)}"
        )
    return "Waiting to be sent"
