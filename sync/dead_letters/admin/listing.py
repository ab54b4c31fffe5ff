"""The list of dead letters: what its address asks for, found, counted and put into words for its template.

The rule: a bad filter is said and chooses nothing; none of what was typed is lost. What takes too long is
given up, and the page says what would help.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.safestring import SafeString

from sync.dead_letters import cursors, explanations, filters, search
from sync.dead_letters.admin import acting
from sync.dead_letters.admin.addresses import address
from sync.dead_letters.admin.chips import Chip, Menu, Offers, chips_of, menus_of
from sync.dead_letters.chosen import Chosen
from sync.dead_letters.filters import BadFilter
from sync.dead_letters.refusal import Refused
from sync.dead_letters.search import Count, Page
from sync.ghl.operations import OPERATIONS
from sync.models import DeadLetter
from trainu.admin_rendering import pill, seen
from trainu.bounded_query import TooBroad

ROWS = 50
RUN = "sync.run_bulkoperation"
# What may be done to a letter in each state, by the name of its address and the permission for it.
VERBS = {
    "redrive": (("open",), "sync.redrive_deadletter"),
    "discard": (("open",), "sync.discard_deadletter"),
    "restore": (("discarded",), "sync.discard_deadletter"),
    "assign": (("open", "redriving"), "sync.assign_deadletter"),
}
# Bulk operations for all that match, by the list's state.
_BULK = {
    "open": (("redrive", "Redrive"), ("discard", "Discard")),
    "discarded": (("restore", "Restore"),),
}
_TONES = {
    "open": "bad",
    "redriving": "info",
    "recovered": "ok",
    "discarded": "warn",
    "superseded": "warn",
}
_STATE_WORDS = {
    "open": "open",
    "redriving": "being tried again",
    "recovered": "recovered",
    "discarded": "discarded",
    "superseded": "superseded",
    "all": "in any state",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A letter as a line. title: what was to be done. happened: why it was not; said: in their own words.

    verbs: addresses of what may be done to it, by name.
    """

    letter: DeadLetter
    title: str
    happened: str
    said: str
    state: SafeString
    verbs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for. chosen: None where it cannot be read; then bad says which part, and why."""

    query: Mapping[str, str]
    chosen: Chosen | None
    state: str
    older_than: cursors.Position | None
    bad: Refused | None = None

    @property
    def is_narrowed(self) -> bool:
        return bool(self.query)

    @property
    def searched(self) -> str:
        """The state as searches take it."""
        return "" if self.state == "all" else self.state


def asked(sent: QueryDict) -> Asked:
    """Return what an address asks for."""
    query = filters.given(sent.dict())  # type: ignore[arg-type]
    try:
        if unknown := sent.keys() - filters.LABELS.keys() - {"state", "cursor"}:
            raise BadFilter(seen(sorted(unknown)[0][:40]), "there is no such filter.")
        state = filters.state_of(query)
        chosen = filters.chosen_of(query, now=timezone.now())
        return Asked(query, chosen, state, cursors.read(sent.get("cursor")))
    except Refused as refusal:
        return Asked(query, None, "open", None, refusal)


def context(request: HttpRequest) -> dict[str, Any]:
    """Return what the list's template shows, without the frame."""
    wanted = asked(request.GET)
    offers = Offers.now(request.user, wanted.query)
    page, too_broad = _page(wanted)
    is_whole = page is not None and page.older is None and wanted.older_than is None
    count = Count(len(page.letters)) if page and is_whole else _count(wanted) if page else None
    chips: list[Chip] = chips_of(wanted.query, offers)
    menus: list[Menu] = menus_of(wanted.query, wanted.state, offers)
    verbs = _verbs(request)
    return {
        "query": wanted.query,
        "bad": wanted.bad,
        "bad_name": getattr(wanted.bad, "name", ""),
        "state_words": _STATE_WORDS[wanted.state],
        "offers": offers,
        "chips": chips,
        "menus": menus,
        "is_narrowed": wanted.is_narrowed,
        "is_first": wanted.older_than is None,
        "too_broad": too_broad,
        "count": count,
        "more_than": len(page.letters) if page and not is_whole else 0,
        "rows": [_row(letter, verbs) for letter in page.letters] if page else [],
        "first": filters.changed(wanted.query),
        "older": filters.changed(wanted.query, cursor=cursors.written(page.older) or "")
        if page and page.older
        else "",
        "without_payload": "payload" in wanted.query and wanted.state not in search.WITH_PAYLOAD,
        "bulk": _bulk(request, wanted) if page and not is_whole else [],
        "may": {name: request.user.has_perm(permission) for name, (_, permission) in VERBS.items()},
        "can_act": wanted.state in acting.STATES
        and any(request.user.has_perm(verb.permission) for verb in acting.VERBS.values()),
    }


def _page(wanted: Asked) -> tuple[Page | None, bool]:
    if wanted.chosen is None:
        return None, False
    try:
        found = search.page(wanted.chosen, state=wanted.searched, older_than=wanted.older_than, most=ROWS)
    except TooBroad:
        return None, True
    return found, False


def _count(wanted: Asked) -> Count | None:
    """Return how many there are; None where that cannot be told in time."""
    try:
        return search.count(wanted.chosen or Chosen(), state=wanted.searched)
    except TooBroad:
        return None


def _row(letter: DeadLetter, verbs: Mapping[str, str]) -> Row:
    return Row(
        letter,
        _title(letter),
        explanations.explain(letter.code, letter.group.cause).words,
        seen(letter.words),
        pill(letter.get_state_display(), _TONES[letter.state]),
        {
            name: address(url_name, letter.pk)
            for name, url_name in verbs.items()
            if letter.state in VERBS[name][0]
        },
    )


def _title(letter: DeadLetter) -> str:
    subject = letter.group.subject
    if letter.webhook_id is not None:
        return f"Webhook: {subject.replace('_', ' ')}"
    operation = OPERATIONS.get(subject)
    return operation.description().partition(".")[0] if operation else subject


def _verbs(request: HttpRequest) -> dict[str, str]:
    """Return the names of addresses of what this reader may do, as far as there are any."""
    names = {name: f"sync_deadletter_{name}" for name in VERBS}
    return {
        name: url_name
        for name, url_name in names.items()
        if request.user.has_perm(VERBS[name][1]) and address(url_name, 1)
    }


def _bulk(request: HttpRequest, wanted: Asked) -> list[tuple[str, str]]:
    """Return words and addresses of what may be done to all that match: always to all, never to a page."""
    confirm = address("sync_bulk_confirm")
    if not confirm or wanted.chosen is None or not request.user.has_perm(RUN):
        return []
    query = filters.query_of(wanted.chosen)
    kinds = _BULK.get(wanted.state, ())
    return [(words, f"{confirm}?kind={kind}{'&' if query else ''}{query}") for kind, words in kinds]
