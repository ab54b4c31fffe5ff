"""Saved views: filters of the list of dead letters that the team shares, saved and removed.

The rules: what is saved can be read again, and chooses the same: ages stay ages. Nothing personal is kept in
one, for everybody sees it. Both verbs are audited in their own transaction.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from django.db import IntegrityError, transaction

from sync import signals
from sync.dead_letters.filters import changed, chosen_of, given, state_of
from sync.dead_letters.refusal import Refused
from sync.models import SavedView
from sync.signals import Act
from trainu.personal_data import redacted

TARGET_KIND = "sync.savedview"
MOST = 100
LONGEST_NAME = 60
LONGEST_QUERY = 1_000


def all_views() -> list[SavedView]:
    """Return the team's views, by name."""
    return list(SavedView.objects.order_by("name")[:MOST])


@transaction.atomic
def save(name: str, query: str, *, by: str, now: datetime) -> SavedView:
    """Keep a filter under a name. query: of the list's address; its page is left out. Raises Refused."""
    called, words = _name(name), _query(query, now)
    if SavedView.objects.count() >= MOST:
        raise Refused("too_many_views", f"There are {MOST} views already. Remove one that nobody needs.")
    try:
        with transaction.atomic():
            view = SavedView.objects.create(name=called, query=words, by=by, saved_at=now)
    except IntegrityError:
        raise Refused(
            "name_taken", "There is a view of this name. Choose another name, or remove that one first."
        ) from None
    _tell("save", view, by, {"name": (None, called), "query": (None, words)})
    return view


@transaction.atomic
def remove(id: int, *, by: str) -> None:
    """Take a view away from everybody; the letters stay. Raises Refused."""
    view = SavedView.objects.select_for_update().filter(pk=id).first()
    if view is None:
        raise Refused("unknown_view", "There is no such view. Somebody may have removed it.")
    _tell("remove", view, by, {"name": (view.name, None), "query": (view.query, None)})
    view.delete()


def _name(name: str) -> str:
    called = name.strip()
    if not called or len(called) > LONGEST_NAME or not called.isprintable():
        raise Refused("invalid_name", f"Give the view a name of up to {LONGEST_NAME} characters.")
    if redacted(called) != called:
        raise Refused(
            "personal_view", "The name holds what may be personal. Everybody sees it: leave it out."
        )
    return called


def _query(query: str, now: datetime) -> str:
    """Return a query as it is kept; what it says can be read, and is nobody's data."""
    said = dict(parse_qsl(query))
    chosen = chosen_of(said, now=now)
    state_of(said)
    if not given(said):
        raise Refused("nothing_chosen", "Choose a filter first: this would be the whole list.")
    # Together, for the name of a field tells what its value is.
    payload = f"{chosen.payload_name}={chosen.payload_value}"
    if chosen.payload_name and (
        redacted(payload) != payload or redacted(chosen.payload_value) != chosen.payload_value
    ):
        raise Refused(
            "personal_view",
            "The payload filter asks for what may be personal, and everybody sees saved views. Save it"
            " without that filter.",
        )
    words = changed(said)
    if len(words) > LONGEST_QUERY:
        raise Refused("too_long", f"The filter is longer than {LONGEST_QUERY:,} characters.")
    return words


def _tell(name: str, view: SavedView, by: str, changes: Mapping[str, tuple[Any, Any]]) -> None:
    act = Act(f"view.{name}", TARGET_KIND, str(view.pk), actor=by, changes=changes)
    signals.acted.send(sender=None, acts=[act])
