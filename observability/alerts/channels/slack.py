"""Slack: one message to an incoming webhook, one try.

The rule: the webhook's address is a secret, and is in no log and no error. Slack refuses a message that is
too long as a whole, so it is cut before.
"""

import html
import logging
from http.client import HTTPException
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from slack_sdk.webhook import WebhookClient

from observability.alerts.channels import answers, secrets, wording
from observability.alerts.channels.wording import Told
from observability.alerts.outbox import Again, Delivered, Impossible, Outcome
from observability.models import Channel, Notification

TIMEOUT_S = 5
LONGEST_HEADER = 150
# A section takes 3,000 characters, a message about 13,000 in all: twice this, and links, stay below 10,000.
LONGEST_TEXT = 2_900
LONGEST_ADDRESS = 2_000
# What Slack says when it refuses; anything else is told as its status.
_WORDS = frozenset(
    {
        *("action_prohibited", "channel_is_archived", "channel_not_found", "invalid_blocks"),
        *("invalid_payload", "invalid_token", "msg_blocks_too_long", "no_active_hooks", "no_service"),
        *("no_service_id", "no_team", "no_text", "posting_to_general_channel_denied", "team_disabled"),
        *("token_revoked", "too_many_attachments", "user_not_found"),
    }
)
# The SDK logs addresses and errors by itself; what matters is the outcome, which the outbox keeps.
_silent = logging.getLogger("observability.alerts.slack")
_silent.setLevel(logging.CRITICAL + 1)


def deliver(notification: Notification, channel: Channel) -> Outcome:
    """Post a notification to the channel's webhook."""
    try:
        secret = secrets.opened(channel)
    except secrets.Unusable as error:
        return Impossible(error.code)
    address = secret.get_secret_value()
    if not is_address(address):
        return Impossible("bad_address")
    return post(address, message(wording.of(notification)))


def post(address: str, body: dict[str, Any]) -> Outcome:
    """Post a message, once; return how that has ended."""
    client = WebhookClient(address, timeout=TIMEOUT_S, retry_handlers=[], logger=_silent)
    # It would send everything by the environment's proxy, NO_PROXY or not; urllib minds it.
    client.proxy = None
    try:
        answer = client.send_dict(body)
    except (OSError, HTTPException, UnicodeDecodeError) as error:
        return answers.broken(error)
    if answer.status_code == 200:
        # A page that a redirect leads to is 200, too.
        return Delivered() if answer.body.strip().lower() == "ok" else Again("unexpected_answer")
    said = answer.body.strip()[:64]
    return answers.refused(
        answer.status_code, answer.headers.get("Retry-After"), word=said if said in _WORDS else ""
    )


def is_address(address: str) -> bool:
    """Whether something may be posted there: https, or http to this machine."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username or len(address) > LONGEST_ADDRESS or not address.isprintable():
        return False
    if " " in address or not address.isascii():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def message(told: Told) -> dict[str, Any]:
    """Return what is told as Slack's blocks, with a text for where blocks are not shown."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(told.title, LONGEST_HEADER)},
    ]
    if told.lines:
        blocks.append({"type": "section", "text": _plain("\n".join(told.lines), LONGEST_TEXT)})
    if told.links:
        links = " · ".join(f"<{_escaped(to, 900)}|{_escaped(words, 100)}>" for words, to in told.links[:2])
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": links}})
    blocks.append({"type": "context", "elements": [_plain(told.delivery, 100)]})
    return {"text": _escaped(told.text, LONGEST_TEXT), "blocks": blocks, "unfurl_links": False}


def _plain(text: str, longest: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": _escaped(text, longest), "emoji": False}


def _escaped(text: str, longest: int) -> str:
    """Return a text in which & < > are words, cut so that none of them is cut in two."""
    escaped = html.escape(text, quote=False)
    if len(escaped) <= longest:
        return escaped
    kept, length = [], 1
    for character in text:
        piece = html.escape(character, quote=False)
        length += len(piece)
        if length > longest:
            break
        kept.append(piece)
    return "".join(kept) + "…"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
