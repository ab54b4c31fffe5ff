"""The letters of a bulk operation, by what became of them, and why.

The rule: those that failed come first. A page of them costs the same however many there are.
"""

from collections.abc import Mapping
from typing import Any

from django.db.models import prefetch_related_objects

from sync.dead_letters import explanations, preflight, search
from sync.dead_letters.admin import bulk_words, filter_words
from sync.models import BulkItem, BulkOperation, CauseGroup
from trainu.admin_rendering import pill, seen
from trainu.bounded_query import TooBroad

MOST_ROWS = 50
MOST_CAUSES = 5
_LETTER_TONES = {
    "open": "bad",
    "redriving": "info",
    "recovered": "ok",
    "discarded": "warn",
    "superseded": "warn",
}


def listed(operation: BulkOperation, query: Mapping[str, str]) -> dict[str, Any]:
    """Return a page of an operation's letters. query: items (a state), after (where the last page ended)."""
    counters = bulk_words.counters(operation)
    known = {one.state for one in counters}
    state = query.get("items", "")
    state = state if state in known else first_state(operation)
    after = query.get("after", "")
    start = int(after) if after.isascii() and after.isdigit() and len(after) < 19 else None
    try:
        items, following = search.items(operation, state=state, after=start, most=MOST_ROWS)
    except TooBroad:
        items, following = [], None
    prefetch_related_objects(items, "letter__group", "letter__location")
    return {
        "tabs": [one for one in counters if one.count or one.state == state],
        "items_state": state,
        "items": [_row(one) for one in items],
        "items_after": following,
        "is_first_page": start is None,
    }


def first_state(operation: BulkOperation) -> str:
    """Return the first state that any item is in: of those that failed, if any did."""
    states = [state.value for state in bulk_words.ITEM_STATES]
    return next((state for state in states if getattr(operation, state)), BulkItem.State.PENDING.value)


def causes_of_failures(operation: BulkOperation) -> list[tuple[CauseGroup, str]]:
    """Return of what the first hundred letters died that have failed again, and what to call it."""
    failed = BulkItem.objects.filter(operation=operation, state__in=bulk_words.failed_states())
    items = failed.select_related("letter__group").order_by("pk")[: search.MOST_ROWS]
    groups = {item.letter.group_id: item.letter.group for item in items}
    return [(group, filter_words.title(group)) for group in list(groups.values())[:MOST_CAUSES]]


def _row(item: BulkItem) -> dict[str, Any]:
    letter = item.letter
    return {
        "letter": letter,
        "subject": seen(letter.group.subject),
        "place": seen(letter.location.name) if letter.location else "-",
        "why": seen(_why(item)),
        "letter_state": pill(letter.get_state_display(), _LETTER_TONES[letter.state]),
        "ended_at": item.ended_at,
    }


def _why(item: BulkItem) -> str:
    """Return what became of a letter in this operation, in words."""
    if item.words:
        return item.words
    match item.state:
        case BulkItem.State.FAILED_SAME_CAUSE | BulkItem.State.FAILED_NEW_CAUSE:
            said = explanations.explain(item.letter.code, item.letter.group.cause).words
            return f"{said} {item.letter.words}".strip()
        case BulkItem.State.SUPERSEDED:
            return preflight.OVERTAKEN
        case BulkItem.State.NEEDS_DECISION:
            return preflight.PARTLY
        case BulkItem.State.CANCELED:
            return "The operation was canceled before its turn."
        case BulkItem.State.SENT:
            return "It is being tried again."
    return ""
