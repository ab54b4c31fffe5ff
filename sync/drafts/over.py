"""Whether what a draft is about has passed: a session that began before its message went.

The rule: pure. It decides nothing: people are told, and may send it all the same.
"""

from datetime import datetime

from sync.drafts import delivery
from sync.models import Draft
from sync.webhooks import fields

_OPEN = (Draft.State.REVIEW, Draft.State.FAILED, Draft.State.SCHEDULED)
_ABOUT_SESSIONS = (
    Draft.Kind.BOOKING_CONFIRMATION,
    Draft.Kind.BOOKING_REMINDER,
    Draft.Kind.BOOKING_RESCHEDULE,
)


def is_over(draft: Draft, now: datetime) -> bool:
    """Whether a message that has not gone yet announces a session whose time has passed.

    A time without an offset is the client's. The draft's location is read.
    """
    if draft.kind not in _ABOUT_SESSIONS or draft.state not in _OPEN:
        return False
    starts_at = fields.moment(fields.child(draft.context, "booking"), "starts_at", zone=delivery.zone(draft))
    return starts_at is not None and starts_at <= now
