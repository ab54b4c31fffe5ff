"""What the list of letters is narrowed by, in words: chips that take a filter away, menus that set one.

The rule: every choice is an address of the same list, so it works without a script and can be sent to others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

from sync.dead_letters import views
from sync.dead_letters.admin.saved_views import ADD, VIEW
from sync.dead_letters.filters import LABELS, STATES, changed
from sync.models import CauseGroup, DeadLetter, Location, SavedView
from trainu.admin_rendering import seen

# As many as anybody reads through; the others are typed.
MOST_OFFERED = 100

_STATE_WORDS = {**dict(DeadLetter.State.choices), "all": "All"}
# Which two words of the address they set.
_AGES = {
    "Any time": ("", ""),
    "In the last hour": ("1h", ""),
    "In the last 24 hours": ("24h", ""),
    "More than a day ago": ("", "1d"),
    "More than a week ago": ("", "7d"),
}


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is on. url: the list without it."""

    label: str
    words: str
    url: str


@dataclass(frozen=True, slots=True)
class Choice:
    words: str
    url: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class Menu:
    """Choices for one filter. words: the one that is on, empty where it narrows nothing."""

    title: str
    words: str
    choices: Sequence[Choice]


@dataclass(frozen=True, slots=True)
class Offers:
    """What there is to choose from, by value and words. me: the reader's number."""

    me: int
    causes: Mapping[str, str]
    locations: Mapping[str, str]
    people: Mapping[str, str]
    subjects: Sequence[str]
    codes: Sequence[str]
    views: Sequence[SavedView]

    @classmethod
    def now(cls, user: AbstractBaseUser | AnonymousUser, query: Mapping[str, str]) -> "Offers":
        """Return what there is now; with the cause, location and person that the query names."""
        groups = list(CauseGroup.objects.order_by("-last_seen_at", "-pk")[:MOST_OFFERED])
        there = {str(group.pk) for group in groups}
        if (named := query.get("group", "")).isdigit() and named not in there and len(named) < 19:
            groups += CauseGroup.objects.filter(pk=int(named))
        groups.sort(key=lambda group: (-group.open, group.pk))
        places = Location.objects.order_by("name").values_list("pk", "name")
        staff = get_user_model()._default_manager.filter(is_staff=True, is_active=True)
        names = staff.order_by("username").values_list("pk", "username")[:MOST_OFFERED]
        may_see_views = isinstance(user, AbstractBaseUser) and (user.has_perm(VIEW) or user.has_perm(ADD))  # type: ignore[attr-defined]
        return cls(
            me=user.pk or 0,
            causes={str(group.pk): _cause(group) for group in groups},
            locations={str(pk): seen(name) for pk, name in places[:MOST_OFFERED]},
            people={str(pk): name for pk, name in names},
            subjects=sorted({group.subject for group in groups}),
            codes=sorted({group.code for group in groups}),
            views=views.all_views() if may_see_views else [],
        )


def chips_of(query: Mapping[str, str], offers: Offers) -> list[Chip]:
    """Return the filters that are on, in the order of their labels; the state has a menu and is none."""
    return [
        Chip(label, _words(name, query[name], offers), f"?{changed(query, **{name: ''})}")
        for name, label in LABELS.items()
        if name in query
    ]


def menus_of(query: Mapping[str, str], state: str, offers: Offers) -> list[Menu]:
    """Return the menus above the list: state, cause, time, owner."""
    states = [
        Choice(_STATE_WORDS[one], f"?{changed(query, state='' if one == 'open' else one)}", one == state)
        for one in STATES
    ]
    now = (query.get("after", ""), query.get("before", ""))
    ages = [
        Choice(words, f"?{changed(query, after=after, before=before)}", (after, before) == now)
        for words, (after, before) in _AGES.items()
    ]
    owners = {"": "Anybody", str(offers.me): "Me", "0": "Nobody"}
    owners |= {pk: name for pk, name in offers.people.items() if pk not in owners}
    return [
        Menu("State", _STATE_WORDS[state], states),
        _menu("Cause", "group", {"": "Any"} | dict(offers.causes), query),
        Menu(
            "Died", "" if now == ("", "") else next((one.words for one in ages if one.is_on), "other"), ages
        ),
        _menu("Owner", "assignee", owners, query),
    ]


def _menu(title: str, name: str, choices: Mapping[str, str], query: Mapping[str, str]) -> Menu:
    on = query.get(name, "")
    return Menu(
        title,
        choices.get(on, "other") if on else "",
        [
            Choice(words, f"?{changed(query, **{name: value})}", value == on)
            for value, words in choices.items()
        ],
    )


def _words(name: str, value: str, offers: Offers) -> str:
    if name == "assignee":
        return {"0": "nobody", str(offers.me): "me"}.get(value) or offers.people.get(value, value)
    known = {"group": offers.causes, "location": offers.locations}.get(name, {})
    words = seen(known.get(value, value))
    if name in {"after", "before"} and value[-1:] in {"m", "h", "d"}:
        return f"{words} ago"
    return f"{words} times" if name == "times" else words


def _cause(group: CauseGroup) -> str:
    words = f"{group.subject}: {seen(group.message) or group.code}"
    return words if len(words) <= 70 else f"{words[:69]}…"
