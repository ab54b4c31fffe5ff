"""Where a number of sync leads: the admin's pages with the rows behind it, narrowed to what was asked.

The rule: a page is named by its URL, and nothing of sync is imported; one that does not exist is no link.
"""

from datetime import datetime
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse

from observability import event_search
from observability.dashboards.question import Question

FLIGHT = "sync_flight"
CAUSES = "sync_causegroup_changelist"
LETTERS = "sync_deadletter_changelist"
LEDGER = "sync_ledgercheck_changelist"
JOBS = "sync_syncjob_changelist"
LOCATIONS = "sync_location_changelist"
LOCATION = "sync_location_change"
KILL_SWITCH = "sync_kill_switch"
WEBHOOKS = "sync_webhook_changelist"
FORWARDING = "forwarding"
ERRORS = "errors"
EVENTS = "events"
SCHEDULES = "django_q_schedule_changelist"


def page(name: str, *args: str, **words: str) -> str:
    """Return the address of a page of the admin; empty words are left out of its query."""
    try:
        address = reverse(f"admin:{name}", args=args)
    except NoReverseMatch:
        return ""
    query = urlencode({word: value for word, value in words.items() if value})
    return f"{address}?{query}" if query else address


def events(event: str, *, since: datetime, now: datetime) -> str:
    """Return the address of the stored events of a kind, of the shortest time offered that holds `since`."""
    spans = ((name, span) for name, (_, span) in event_search.RANGES.items())
    covering = next((name for name, span in spans if now - span <= since), "2y")
    return page(EVENTS, event=event, range=covering)


def jobs(question: Question, **words: str) -> str:
    """Return the address of the list of jobs, of the question's location and operation."""
    return page(JOBS, location=question.location, operation=question.operation, **words)


def letters(question: Question, **words: str) -> str:
    """Return the address of the dead letters that died in the period, whatever became of them."""
    return page(
        LETTERS,
        state="all",
        after=question.starts_at.isoformat(),
        before=question.ends_at.isoformat(),
        location=question.location,
        subject=question.operation,
        **words,
    )
