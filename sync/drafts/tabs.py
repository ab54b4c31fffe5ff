"""The tabs of the AI Inbox, on pages and in the API: which drafts stand in each.

The rule: what is to be decided stands in Needs review, what failed in Failed besides, and what is snoozed in
neither until its time. What is being written, or was dismissed, stands in none.
"""

from datetime import datetime
from enum import StrEnum

from django.db.models import Q

from sync.models import Draft

State = Draft.State


class Tab(StrEnum):
    """Where a draft stands."""

    REVIEW = "review"
    SCHEDULED = "scheduled"
    SENT = "sent"
    FAILED = "failed"
    SNOOZED = "snoozed"


# In the order in which a page shows them, where that is not by time.
RANKED = {
    Tab.REVIEW: (State.FAILED, State.REVIEW),
    Tab.FAILED: (State.UNDELIVERED, State.FAILED),
}


def of(tab: Tab, now: datetime) -> Q:
    """Return what the drafts of a tab have in common."""
    match tab:
        case Tab.SCHEDULED:
            return Q(state=State.SCHEDULED)
        case Tab.SENT:
            return Q(state=State.SENT)
        case Tab.SNOOZED:
            return Q(snoozed_until__gt=now, state__in=(State.REVIEW, State.FAILED))
        case _:
            return awake(now) & Q(state__in=RANKED[tab])


def awake(now: datetime) -> Q:
    """Return what tells a draft that nobody has put off, or whose time has come."""
    return Q(snoozed_until=None) | Q(snoozed_until__lte=now)
