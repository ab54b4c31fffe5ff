"""What staff are told of drafts outside the inbox: how many wait, and that some could not be written.

The rule: what is counted here is everybody's, so it is told to who may see all of it.
"""

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from sync.drafts import inbox, visible
from trainu import navigation
from trainu.admin_site import Need, site
from trainu.roles import TRAINER

INBOX = "admin:sync_inbox"


def badge() -> int:
    """Return how many drafts wait for a decision."""
    return inbox.waiting(now=timezone.now(), most=navigation.MOST_SHOWN + 1)


def needs(_request: HttpRequest) -> list[Need]:
    """Return that drafts could not be written, if any."""
    failed = inbox.failed(now=timezone.now())
    if not failed.figure:
        return []
    number = f"{min(failed.figure, inbox.MOST_FAILED):,}{'+' if failed.figure > inbox.MOST_FAILED else ''}"
    return [
        Need(
            title="1 draft could not be written"
            if failed.figure == 1
            else f"{number} drafts could not be written",
            url=f"{reverse(INBOX)}?tab=failed",
            detail="Each says why. Retry them once the reason is gone, or write the message yourself.",
            since=failed.since,
        )
    ]


site.register_badge(INBOX, badge, permission=visible.ALL)
site.register_need(needs, permission=visible.ALL)
site.register_home(INBOX, TRAINER.permissions)
