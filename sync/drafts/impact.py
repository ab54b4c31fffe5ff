"""How much depends on a draft, and why it is suggested: pure, from its kind and what the app knows.

The rule: what the app says itself wins; the nearness of a booking is added to it.
"""

from datetime import datetime, timedelta
from typing import Any

from sync.models import Draft
from sync.webhooks import fields

Kind = Draft.Kind
MOST = 100
LONGEST_WHY = 300

_BY_KIND = {
    Kind.AT_RISK_OUTREACH: 80,
    Kind.NO_SHOW_RECOVERY: 70,
    Kind.BOOKING_RESCHEDULE: 65,
    Kind.GENERAL_REPLY: 60,
    Kind.BOOKING_CONFIRMATION: 55,
    Kind.BOOKING_REMINDER: 50,
    Kind.PROGRESS_CELEBRATION: 40,
    Kind.WEEKLY_CHECKIN: 30,
}
_WHY = {
    Kind.AT_RISK_OUTREACH: "The client may be about to leave.",
    Kind.NO_SHOW_RECOVERY: "The client did not come to a booking.",
    Kind.BOOKING_RESCHEDULE: "A booking was moved.",
    Kind.GENERAL_REPLY: "The client has written and waits for an answer.",
    Kind.BOOKING_CONFIRMATION: "The client has booked.",
    Kind.BOOKING_REMINDER: "The client has a booking ahead.",
    Kind.PROGRESS_CELEBRATION: "The client has made progress.",
    Kind.WEEKLY_CHECKIN: "It is time for the weekly check-in.",
}
_ABOUT_BOOKINGS = frozenset({Kind.BOOKING_CONFIRMATION, Kind.BOOKING_REMINDER, Kind.BOOKING_RESCHEDULE})
# The first that fits: within so long, so much more.
_NEAR = ((timedelta(hours=2), 30), (timedelta(hours=24), 15), (timedelta(days=3), 5))


def score(kind: str, context: dict[str, Any], *, now: datetime) -> int:
    """Return 0 to 100: what the app says, else the kind's own; more, the nearer a booking ahead is."""
    said = context.get("impact")
    own = _BY_KIND[Kind(kind)]
    if isinstance(said, int | float) and not isinstance(said, bool) and 0 <= said <= MOST:
        own = round(said)
    return min(MOST, own + _nearness(kind, context, now))


def why(kind: str, context: dict[str, Any]) -> str:
    """Return why a draft is suggested, in at most 300 characters: as the app says, else by its kind."""
    reason = context.get("reason")
    said = " ".join(reason.split()) if isinstance(reason, str) else ""
    return said[:LONGEST_WHY] or _WHY[Kind(kind)]


def _nearness(kind: str, context: dict[str, Any], now: datetime) -> int:
    if kind not in _ABOUT_BOOKINGS:
        return 0
    starts_at = fields.moment(fields.child(context, "booking"), "starts_at")
    if starts_at is None or starts_at < now:
        return 0
    return next((more for within, more in _NEAR if starts_at - now <= within), 0)
