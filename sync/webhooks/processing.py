"""Working off stored webhooks: each in a transaction of its own, in which its effect and its end commit.

The rule: a webhook that fails takes no other with it, is tried six times on the ladder of jobs, and is a
dead letter then. Killed at any line, it is still in the table, and tried again.
"""

from dataclasses import dataclass
from datetime import datetime

import structlog

from sync import backoff, locations, signals
from sync.dead_letters import letters
from sync.dead_letters.death import Death
from sync.drafts import consent, conversation
from sync.mirror import appointments, contacts
from sync.models import Credential, Webhook
from sync.signals import Trouble
from sync.transitions import Cause
from sync.webhooks import envelope, queue, reading
from sync.webhooks.fields import Document
from sync.webhooks.queue import Claimed
from sync.webhooks.reading import Unreadable
from trainu import correlation
from trainu.faults import GHLWebhookFault, SyncCode, WebhookCode
from trainu.transactions import atomic_retry

log = structlog.get_logger(__name__)

BATCH = 50

# Why a webhook was ignored.
NOT_USED = "not_used"
OVERTAKEN = "overtaken"
NO_LOCATION = "no_location"
ERASED = "erased"
# Why it is dead beside the codes of faults: its process died with it.
LOST = "worker_lost"


@dataclass(frozen=True, slots=True)
class Done:
    """How a webhook ended well. code: why it had no effect, if it had none."""

    code: str = ""

    @property
    def state(self) -> Webhook.State:
        return Webhook.State.IGNORED if self.code else Webhook.State.DONE


@dataclass(frozen=True, slots=True)
class Failure:
    """How a try failed. cause: why no other is worth while; None: it is tried again while there are tries."""

    code: str
    words: str
    cause: Cause | None = None


def work(*, now: datetime, most: int = BATCH) -> bool:
    """Work off what is due; return whether more is waiting.

    Raises django.db.Error when the database is away: what was in hand is tried again later.
    """
    claimed = queue.claim(now=now, most=most)
    lost = queue.claim_lost(now=now)
    for one in claimed + ([lost] if lost else []):
        settle(one, now=now)
    return len(claimed) == most or lost is not None


def settle(claimed: Claimed, *, now: datetime) -> None:
    """Process one claimed webhook, and write down how it ended; whoever else has claimed it since has it."""
    with correlation.bound(claimed.correlation_id):
        if claimed.is_lost and _is_given_up(claimed, now=now):
            return
        try:
            _process(claimed, now=now)
        except Unreadable:
            words = "The body does not say which contact or appointment it is about."
            _fail(claimed, Failure(WebhookCode.BAD_PAYLOAD, words, Cause.REFUSED), now=now)
        except Exception as error:
            # Where the database is away this raises as well, and the lease brings everything back.
            _fail(claimed, Failure(WebhookCode.HANDLER_ERROR, _words(error)), now=now)
            fault = GHLWebhookFault(
                envelope.event_type(claimed.topic), WebhookCode.HANDLER_ERROR, webhook_id=claimed.id
            )
            fault.__cause__ = error
            log.error("webhook_failed", webhook_id=claimed.id, topic=claimed.topic, exc_info=fault)


@atomic_retry
def _process(claimed: Claimed, *, now: datetime) -> None:
    webhook = _in_hand(claimed)
    if webhook is None:
        return
    done = _handle(webhook, now=now)
    webhook.state = done.state
    webhook.code = done.code
    webhook.tries += 1
    webhook.processed_at = now
    webhook.save(update_fields=["state", "code", "tries", "processed_at"])
    if webhook.is_redrive:
        letters.webhooks_ended([webhook.pk], now=now)


def _handle(webhook: Webhook, *, now: datetime) -> Done:
    document = envelope.document_of(bytes(webhook.body))
    if document is None:
        if not webhook.body:
            return Done(ERASED)
        raise Unreadable
    if webhook.topic == "uninstall":
        return _uninstalled(webhook, document, now=now)
    if webhook.location is None:
        return Done(NO_LOCATION)
    seen = reading.read(webhook, document, timezone=webhook.location.timezone)
    if seen.contacts:
        contacts.observe(seen.contacts, now=now)
    if seen.appointments:
        appointments.observe(seen.appointments, now=now)
    if seen.messages:
        conversation.note(seen.messages, now=now)
    if seen.consents:
        consent.note(seen.consents)
    return Done() if seen else Done(NOT_USED)


def _uninstalled(webhook: Webhook, document: Document, *, now: datetime) -> Done:
    """Hold the location: its token is void. An uninstall that comes in behind a newer install is history.

    The token of a private integration is none of the app's, and stays valid.
    """
    if webhook.location is None:
        words = "The app was uninstalled in GoHighLevel by a company or location that is not set up here."
        if not envelope.read(document).location_id:
            words = (
                "The app was uninstalled for a whole company in GoHighLevel. Check which locations that is."
            )
        trouble = Trouble(kind="sync", code=SyncCode.UNAUTHORIZED, location_id="", words=words)
        signals.troubled.send(sender=None, troubles=[trouble])
        return Done(NO_LOCATION)
    if Credential.objects.filter(pk=webhook.location.pk, kind=Credential.Kind.PRIVATE).exists():
        return Done(NOT_USED)
    sent_at = webhook.sent_at or webhook.received_at
    newer = Webhook.objects.filter(location=webhook.location, topic="install", sent_at__gt=sent_at)
    if newer.exists():
        return Done(OVERTAKEN)
    words = "The app was uninstalled in GoHighLevel. Install it there again, then connect the location."
    locations.hold(webhook.location.pk, SyncCode.UNAUTHORIZED, words, now=now)
    return Done()


@atomic_retry
def _fail(claimed: Claimed, failure: Failure, *, now: datetime) -> None:
    webhook = _in_hand(claimed)
    if webhook is not None:
        webhook.tries += 1
        _write_failure(webhook, failure, now=now)


@atomic_retry
def _is_given_up(claimed: Claimed, *, now: datetime) -> bool:
    """Charge the try that was lost with its worker; return whether there is none left."""
    webhook = _in_hand(claimed)
    if webhook is None:
        return True
    webhook.tries += 1
    if webhook.tries < backoff.MOST_TRIES:
        webhook.save(update_fields=["tries"])
        return False
    words = (
        "The process that worked on it died, each time. It may be what kills it: show it to the developers."
    )
    _write_failure(webhook, Failure(LOST, words, Cause.EXHAUSTED), now=now)
    return True


def _write_failure(webhook: Webhook, failure: Failure, *, now: datetime) -> None:
    webhook.code = failure.code
    wait = None if failure.cause else backoff.delay(webhook.tries)
    if wait is not None:
        webhook.state = Webhook.State.WAITING
        webhook.next_at = now + wait
    else:
        webhook.state = Webhook.State.DEAD
        webhook.processed_at = now
    webhook.save(update_fields=["tries", "code", "state", "next_at", "processed_at"])
    if wait is None:
        letters.died([_death(webhook, failure)], now=now)


def _in_hand(claimed: Claimed) -> Webhook | None:
    """Return the webhook, locked, if the claim still holds."""
    return (
        Webhook.objects.select_for_update(of=("self",))
        .select_related("location")
        .filter(pk=claimed.id, fence=claimed.fence, state=Webhook.State.LEASED)
        .first()
    )


def _death(webhook: Webhook, failure: Failure) -> Death:
    return Death(
        job_id=None,
        webhook_id=webhook.pk,
        location_id=webhook.location_id or "",
        subject=webhook.topic,
        cause=failure.cause or Cause.EXHAUSTED,
        code=failure.code,
        status=None,
        words=failure.words,
    )


def _words(error: Exception) -> str:
    """Return what staff may read: the kind of the error. Its text may quote the body."""
    return f"Our own software failed on it: {type(error).__name__}."
