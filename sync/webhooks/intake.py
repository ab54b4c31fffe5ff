"""Taking in a signed webhook: proof, bounds, whose it is, once each. Nothing is worked off here.

The rule: an answer of 200 means that it is stored, or that it is not for us; what cannot be stored now is
429, which GoHighLevel sends again by each of its known policies. No answer is a 5xx.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings

from sync.models import Location, Webhook
from sync.models.webhook import MAX_BYTES
from sync.webhooks import envelope, signature, store, troubles
from sync.webhooks.envelope import APP_TOPICS, Envelope
from sync.webhooks.signature import Proof
from sync.webhooks.store import Arrival
from trainu.faults import WebhookCode
from trainu.problem import Problem

log = structlog.get_logger(__name__)

# Their retries come late by design, so an old one is taken in; one from the future was not sent yet.
STALE_AFTER = timedelta(hours=24)
MOST_FUTURE = timedelta(minutes=5)
UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a webhook. reason: why it was not stored: duplicate, unknown_location, other_app."""

    stored: bool
    reason: str = ""


def accept(raw: bytes, headers: Mapping[str, str], *, now: datetime) -> Answer:
    """Take in what was posted to the app's address.

    raw: the body as received. Raises Problem 413, 401 and 400; django.db.OperationalError when it
    cannot be stored now.
    """
    started = time.perf_counter()
    check_size(raw)
    check_signature(raw, headers)
    document = envelope.document_of(raw)
    if document is None:
        return _keep_unreadable(raw, started, now=now)
    said = envelope.read(document)
    _check_age(said, now=now)
    if settings.GHL_APP_ID and said.app_id and said.app_id != settings.GHL_APP_ID:
        log.info("webhook_of_another_app", topic=said.topic)
        return Answer(stored=False, reason="other_app")
    is_known = bool(said.location_id) and Location.objects.filter(pk=said.location_id).exists()
    if not is_known and said.topic not in APP_TOPICS:
        return _not_ours(said)
    arrival = Arrival(
        kind=Webhook.Kind.MARKETPLACE,
        dedupe_key=said.webhook_id or envelope.digest(raw),
        topic=said.topic,
        body=raw,
        started=started,
        location_id=said.location_id if is_known else "",
        contact_id=said.contact_id,
        object_id=said.object_id,
        sent_at=said.sent_at,
    )
    return answer(store.keep(arrival, now=now))


def answer(is_new: bool) -> Answer:
    """Return the answer to a webhook that is stored now, or was already."""
    return Answer(stored=True) if is_new else Answer(stored=False, reason="duplicate")


def check_size(raw: bytes) -> None:
    """Raise Problem 413 for a body that is too large to be one of theirs."""
    if len(raw) > MAX_BYTES:
        raise too_large()


def too_large() -> Problem:
    """Return the refusal of a body over the limit."""
    return Problem(413, "body_too_large", f"A webhook has up to {MAX_BYTES // 1024} KiB.")


def check_signature(raw: bytes, headers: Mapping[str, str]) -> None:
    """Raise Problem 401 for a body that GoHighLevel has not signed."""
    match signature.check(raw, headers):
        case Proof.VALID:
            return
        case Proof.MISSING:
            raise Problem(401, "signature_missing", f"Sign the raw body, in the header {signature.HEADER}.")
        case Proof.WRONG:
            log.warning("webhook_signature_wrong")
            troubles.tell(
                WebhookCode.BAD_SIGNATURE,
                "",
                "A webhook came with a signature that none of our keys fits. Somebody may be trying, or"
                " GoHighLevel has a new key: compare GHL_WEBHOOK_KEYS with what it publishes.",
            )
            raise Problem(401, "signature_wrong", "The signature does not fit the body.")


def _check_age(said: Envelope, *, now: datetime) -> None:
    if said.sent_at is None:
        return
    if said.sent_at > now + MOST_FUTURE:
        raise Problem(400, "sent_in_the_future", "Its timestamp is more than five minutes ahead of us.")
    if said.sent_at < now - STALE_AFTER:
        log.warning("webhook_stale", topic=said.topic, hours=(now - said.sent_at) // timedelta(hours=1))


def _keep_unreadable(raw: bytes, started: float, *, now: datetime) -> Answer:
    """Keep what GoHighLevel has signed and nobody can read: an error would have it sent again and again."""
    troubles.tell(
        WebhookCode.BAD_PAYLOAD,
        "",
        "GoHighLevel has sent a webhook that is no JSON object. It is kept, as ignored. Tell the developers.",
    )
    arrival = Arrival(
        kind=Webhook.Kind.MARKETPLACE,
        dedupe_key=envelope.digest(raw),
        topic=UNREADABLE,
        body=raw,
        started=started,
        code=WebhookCode.BAD_PAYLOAD,
    )
    return answer(store.keep(arrival, now=now))


def _not_ours(said: Envelope) -> Answer:
    """Keep nothing of people who are none of ours. Reconciliation reads back what a new location missed."""
    log.info("webhook_of_unknown_location", topic=said.topic, location_id=said.location_id or None)
    troubles.tell(
        WebhookCode.UNKNOWN_LOCATION,
        said.location_id,
        "GoHighLevel sends webhooks of a location that is not set up here, and they are not kept. Add the"
        " location, or take the app out of it.",
    )
    return Answer(stored=False, reason="unknown_location")
