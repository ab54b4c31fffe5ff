"""What holds locations, told where nobody can miss it: a line above every page, and on the home page.

The rule: the line costs one statement, at most every ten seconds; whoever pauses or resumes sees it at once.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.utils import quote
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from sync import signals
from sync.signals import Act
from sync.stats import held
from sync.stats.held import Held, Needing, One
from trainu.admin_rendering import seen
from trainu.admin_site import Banner, Need, site

AGE = timedelta(seconds=10)
FORGOTTEN_AFTER = timedelta(hours=24)
MOST_NEEDS = 5
_KEY = "sync_held"
_SHORT = 80
_FILTERS = {
    "misconfigured": {"state__exact": "misconfigured"},
    "paused": {"state__exact": "paused"},
    "unanswered": {"breaker__state__exact": "open"},
}


def banners() -> list[Banner]:
    """Return a line for each kind of reason for which locations are held."""
    found: Any = cache.get_or_set(_KEY, lambda: held.in_short(now=timezone.now()), AGE.total_seconds())
    return [_SAID[one.kind](one) for one in found]


def forget() -> None:
    """Have the next page look again."""
    cache.delete(_KEY)


def on_acts(acts: Sequence[Act], **_signal: Any) -> None:
    """Look again when something was done to a location in this process."""
    if any(act.action.startswith("location.") for act in acts):
        forget()
        # Another page may have looked before this was committed.
        transaction.on_commit(forget)


def needs(_request: HttpRequest) -> list[Need]:
    """Return the locations that nothing is sent for until somebody does something."""
    now = timezone.now()
    refused = held.misconfigured(most=MOST_NEEDS + 1)
    forgotten = held.forgotten(before=now - FORGOTTEN_AFTER, most=MOST_NEEDS + 1)
    return [
        *(_refused(one) for one in refused[:MOST_NEEDS]),
        *_more(refused, "misconfigured", "More locations are misconfigured, and nothing is sent for them", 1),
        *(_forgotten(one) for one in forgotten[:MOST_NEEDS]),
        *_more(forgotten, "paused", "More locations were paused long ago, without an end", 3),
    ]


def _refused(one: Needing) -> Need:
    return Need(
        title=f"The token of {_name(one.name)} is refused; {_waiting(one)}",
        url=_address(one.id),
        detail=f"{seen(one.reason)} Enter a valid token for it, or connect it again; then its jobs go on.",
        since=one.since,
        urgency=1,
    )


def _forgotten(one: Needing) -> Need:
    return Need(
        title=f"{_name(one.name)} is paused, and nobody has said until when; {_waiting(one)}",
        url=_address(one.id),
        detail=f"The reason: {_reason(one.reason)}. Resume it, or say until when it is to wait.",
        since=one.since,
        urgency=3,
    )


def _more(found: Sequence[Needing], kind: str, words: str, urgency: Any) -> list[Need]:
    return [Need(title=words, url=_list(kind), urgency=urgency)] if len(found) > MOST_NEEDS else []


def _waiting(one: Needing) -> str:
    return "1 job waits" if one.waiting.number == 1 else f"{one.waiting} jobs wait"


def _misconfigured(kind: Held) -> Banner:
    if kind.number == 1:
        one = kind.first[0]
        words = f"{_name(one.name)} is misconfigured: its token was refused. {seen(one.reason)}"
    else:
        names = _listed([_name(one.name) for one in kind.first], kind.number)
        words = f"{kind.number:,} locations are misconfigured, their tokens were refused: {names}."
    return Banner(words, _where(kind), "bad")


def _paused(kind: Held) -> Banner:
    if kind.number == 1:
        one = kind.first[0]
        words = f"{_name(one.name)} is paused {_until(one)} ({_reason(one.reason)})."
    else:
        each = [f"{_name(one.name)} {_until(one)} ({_reason(one.reason)})" for one in kind.first]
        words = f"{kind.number:,} locations are paused: {_listed(each, kind.number)}."
    return Banner(words, _where(kind), "warn")


def _unanswered(kind: Held) -> Banner:
    if kind.number == 1:
        whose = f"{_name(kind.first[0].name)}; its"
    else:
        names = _listed([_name(one.name) for one in kind.first], kind.number)
        whose = f"{kind.number:,} locations ({names}); their"
    return Banner(f"GoHighLevel does not answer for {whose} jobs wait and cost no try.", _where(kind), "info")


_SAID = {"misconfigured": _misconfigured, "paused": _paused, "unanswered": _unanswered}


def _listed(names: Sequence[str], number: int) -> str:
    more = number - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more else "")


def _until(one: One) -> str:
    return f"until {_moment(one.until)}" if one.until else "until somebody resumes it"


def _moment(at: datetime) -> str:
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%b, %H:%M} UTC"


def _name(name: str) -> str:
    return _short(name, _SHORT // 2)


def _reason(words: str) -> str:
    return _short(words, _SHORT).rstrip(".")


def _short(words: str, most: int) -> str:
    return seen(words if len(words) <= most else f"{words[: most - 1].rstrip()}…")


def _where(kind: Held) -> str:
    return _address(kind.first[0].id) if kind.number == 1 else _list(kind.kind)


def _address(location_id: str) -> str:
    return reverse("admin:sync_location_change", args=[quote(location_id)])


def _list(kind: str) -> str:
    return f"{reverse('admin:sync_location_changelist')}?{urlencode(_FILTERS[kind])}"


signals.acted.connect(on_acts, dispatch_uid="sync.admin.held")
site.register_banner(banners, permission="sync.view_location")
site.register_need(needs, permission="sync.view_location")
