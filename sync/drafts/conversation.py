"""What a contact and we have written to each other, as GoHighLevel tells of it.

The rules: a message is kept once, however often and late it is told. What is in it is personal: it is shown
to whoever works on a draft, and stands in no log. What an inbound one means for consent and for drafts is
looked at each time, and comes out the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sync.drafts import consent, staleness
from sync.models import Draft, Message
from trainu.transactions import atomic_retry

LONGEST_TEXT = 4_000
MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class MessageSeen:
    """A message that we were told of. channel: sms, email, or their word. text, subject: plain."""

    location_id: str
    contact_id: str
    message_id: str
    direction: Message.Direction
    channel: str
    text: str
    subject: str
    at: datetime


@atomic_retry
def note(seen: Sequence[MessageSeen], *, now: datetime) -> None:
    """Keep messages, and look at what clients have said by theirs."""
    rows = [
        Message(
            location_id=one.location_id,
            message_id=one.message_id,
            contact_id=one.contact_id,
            direction=one.direction,
            channel=one.channel,
            text=one.text[:LONGEST_TEXT],
            at=one.at,
        )
        for one in seen
    ]
    Message.objects.bulk_create(rows, ignore_conflicts=True)
    inbound = [one for one in seen if one.direction == Message.Direction.INBOUND]
    consent.note([said for one in inbound if (said := _said(one))])
    acts = [
        staleness.ClientActed(one.contact_id, one.location_id, Draft.ClientAct.WROTE, one.at)
        for one in inbound
    ]
    staleness.note(acts, now=now)


def of(contact_id: str, location_id: str, *, most: int = MOST_SHOWN) -> list[Message]:
    """Return the latest messages of a contact and us, the newest last."""
    found = Message.objects.filter(contact_id=contact_id, location_id=location_id)
    return list(found.order_by("-at", "-id")[:most])[::-1]


def _said(one: MessageSeen) -> consent.Said | None:
    """Return what a message says about getting more of them, if it does."""
    if one.channel not in Draft.Channel.values:
        return None
    texts = (one.text,) if one.channel == Draft.Channel.SMS else (one.subject, one.text)
    for text in texts:
        may_be_sent = consent.read(text, one.channel)
        if may_be_sent is not None:
            source = consent.Source.MESSAGE
            return consent.Said(one.contact_id, one.location_id, one.channel, source, may_be_sent, one.at)
    return None
