"""One verb on the letters that were ticked in the list: a POST, and what became of each of them in words.

The rule: at most a hundred, those that were seen. Whatever a filter matches is worked on by bulk operations.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from sync.dead_letters import letters
from sync.dead_letters.admin.addresses import back
from sync.dead_letters.outcome import Outcome
from sync.dead_letters.refusal import Refused
from trainu import people
from trainu.admin_site import site

LIST = "admin:sync_deadletter_changelist"
# Lists of what may be ticked: of the others nothing can be done to several at once.
STATES = ("open", "redriving", "all")
# Of many, so many are named; the others are still in the list.
MOST_NAMED = 10

Call = Callable[[HttpRequest, Collection[int], str, datetime], Outcome]


@dataclass(frozen=True, slots=True)
class Verb:
    """permission: "app.codename". done: what is said of those it was done to, behind their number."""

    permission: str
    call: Call
    done: str


def _redrive(_request: HttpRequest, ids: Collection[int], by: str, now: datetime) -> Outcome:
    return letters.redrive(ids, by=by, now=now)


def _discard(request: HttpRequest, ids: Collection[int], by: str, now: datetime) -> Outcome:
    return letters.discard(ids, request.POST.get("reason", ""), by=by, now=now)


def _assign(request: HttpRequest, ids: Collection[int], by: str, _now: datetime) -> Outcome:
    return letters.assign(ids, request.user.pk, by=by)


VERBS = {
    "redrive": Verb("sync.redrive_deadletter", _redrive, "tried again now"),
    "discard": Verb("sync.discard_deadletter", _discard, "discarded; each can be restored"),
    "assign": Verb("sync.assign_deadletter", _assign, "yours now"),
}


def posted(verb: Verb) -> Callable[[HttpRequest], HttpResponse]:
    """Return the page that does a verb to the letters that were ticked. The form says: id (several), next."""

    @require_POST
    def act(request: HttpRequest) -> HttpResponse:
        try:
            ids = _ids(request.POST.getlist("id"))
            outcome = verb.call(request, ids, people.acting(request), timezone.now())
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            tell(request, outcome, verb.done)
        return back(request, reverse(LIST))

    return act


def tell(request: HttpRequest, outcome: Outcome, done: str) -> None:
    """Say what became of letters; nothing is left out. done: such as "tried again now"."""
    if outcome.done:
        messages.success(request, f"{_counted(len(outcome.done), 'is', 'are')} {done}.")
    if outcome.superseded:
        number = _counted(len(outcome.superseded), "was", "were")
        messages.info(request, f"{number} superseded: something newer had been done, so nothing was sent.")
    for why, ids in _by_reason(outcome.undecided).items():
        messages.warning(request, f"{_counted(len(ids), 'needs', 'need')} a decision: {why} {_named(ids)}")
    for why, ids in _by_reason(outcome.refused).items():
        messages.error(request, f"{_counted(len(ids), 'was', 'were')} left as before: {why} {_named(ids)}")


def _ids(words: Collection[str]) -> list[int]:
    if not words:
        raise Refused("nothing_chosen", "Tick the letters first that this is about.")
    if not all(word.isascii() and word.isdigit() and 0 < int(word) < 2**63 for word in words):
        raise Refused("invalid_id", "Letters are chosen by their numbers.")
    return sorted({int(word) for word in words})


def _counted(number: int, one: str, several: str) -> str:
    return f"{number} letter {one}" if number == 1 else f"{number} letters {several}"


def _by_reason(left: Mapping[int, str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for id, why in sorted(left.items()):
        found.setdefault(why, []).append(id)
    return found


def _named(ids: list[int]) -> str:
    more = f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else ""
    return f"(Number {', '.join(str(id) for id in ids[:MOST_NAMED])}{more}.)"


for _name, _verb in VERBS.items():
    site.register_view(
        f"sync/letters/{_name}/", posted(_verb), f"sync_letters_{_name}", permission=_verb.permission
    )
