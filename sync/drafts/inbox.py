"""The AI Inbox: the drafts of a tab in their order, page by page, and how many there are.

The rules: every question begins with the drafts that somebody may see. What is ranked goes by state, then by
impact, then by age. Pages go on from a draft, and nothing is counted further than a phone has room for.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Coalesce

from sync.drafts import tabs
from sync.drafts.tabs import RANKED, Tab
from sync.models import Draft
from trainu.bounded_query import bounded

State = Draft.State
Rows = QuerySet[Draft]

PAGE = 25
MOST_COUNTED = 99
MOST_FAILED = 1_000
TIME_LIMIT_MS = 3_000
COUNT_LIMIT_MS = 1_000


# Those that are not ranked go by one moment each. Scheduled ones have the latter at least.
_MOMENTS = {Tab.SCHEDULED: "goes_at", Tab.SENT: "-ended_at", Tab.SNOOZED: "snoozed_until"}
_WRITTEN = "writing"


@dataclass(frozen=True, slots=True)
class Age:
    """How long ago a draft came, or was sent. is_over: longer ago than that, else less."""

    words: str
    length: timedelta
    is_over: bool


AGES = {
    "under_1h": Age("Less than an hour", timedelta(hours=1), False),
    "under_24h": Age("Less than a day", timedelta(hours=24), False),
    "over_4h": Age("More than 4 hours", timedelta(hours=4), True),
    "over_24h": Age("More than a day", timedelta(hours=24), True),
    "over_3d": Age("More than 3 days", timedelta(days=3), True),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows a tab; empty for all. day: in UTC, on which a draft came, or was sent. age: see AGES."""

    client_id: str = ""
    trainer_id: str = ""
    kind: str = ""
    day: date | None = None
    age: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some drafts of a tab. following: what the next page goes on from, empty at the end."""

    drafts: Sequence[Draft]
    following: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    figure: int

    def __str__(self) -> str:
        return f"{MOST_COUNTED}+" if self.figure > MOST_COUNTED else str(self.figure)


@dataclass(frozen=True, slots=True)
class Failed:
    """Drafts that could not be written and wait for somebody. since: when the oldest was asked for."""

    figure: int
    since: datetime | None


def page(rows: Rows, tab: Tab, filters: Filters, *, now: datetime, after: str = "") -> Page:
    """Return a page of a tab. rows: what the reader may see. after: `following` of the page before.

    Raises trainu.bounded_query.TooBroad. A word that no page has ended with begins at the top.
    """
    chosen = _narrowed(rows, tab, filters, now).select_related("location", "job")
    with bounded(TIME_LIMIT_MS):
        if tab in RANKED:
            found = _by_rank(chosen, RANKED[tab], after)
        else:
            found = _by_moment(chosen, _MOMENTS[tab], after)
    following = _written(found[PAGE - 1], tab) if len(found) > PAGE else ""
    return Page(found[:PAGE], following)


def dismissed(rows: Rows, *, after: str = "") -> Page:
    """Return a page of what was dismissed, newest first. rows, after: as in `page`.

    Raises trainu.bounded_query.TooBroad.
    """
    chosen = rows.filter(state=State.DISMISSED).select_related("location", "job")
    with bounded(TIME_LIMIT_MS):
        found = _by_moment(chosen, _MOMENTS[Tab.SENT], after)
    # Both go by when they ended.
    return Page(found[:PAGE], _written(found[PAGE - 1], Tab.SENT) if len(found) > PAGE else "")


def counts(rows: Rows, filters: Filters, *, now: datetime) -> tuple[dict[str, Count], Count]:
    """Return how many stand in each tab, and how many are being written; no further than MOST_COUNTED.

    Raises trainu.bounded_query.TooBroad.
    """
    being_written = _matching(
        rows.filter(state__in=(State.WAITING, State.WRITING)), "created_at", filters, now
    )
    sets = {tab.value: _narrowed(rows, tab, filters, now) for tab in Tab} | {_WRITTEN: being_written}
    parts = [
        chosen.order_by().annotate(tab=Value(name)).values_list("tab", flat=True)[: MOST_COUNTED + 1]
        for name, chosen in sets.items()
    ]
    with bounded(COUNT_LIMIT_MS):
        counted = Counter(parts[0].union(*parts[1:], all=True))
    return {tab.value: Count(counted[tab.value]) for tab in Tab}, Count(counted[_WRITTEN])


def waiting(*, now: datetime, most: int) -> int:
    """Return how many drafts of all trainers wait for a decision; `most` at most."""
    return _in(Draft.objects.all(), Tab.REVIEW, now).order_by()[:most].count()


def failed(*, now: datetime) -> Failed:
    """Return how many of all trainers' drafts could not be written; MOST_FAILED + 1 for more than that."""
    rows = Draft.objects.filter(tabs.awake(now), state=State.FAILED)
    moments = list(rows.order_by().values_list("created_at", flat=True)[: MOST_FAILED + 1])
    return Failed(len(moments), min(moments, default=None))


def _in(rows: Rows, tab: Tab, now: datetime) -> Rows:
    found = rows.filter(tabs.of(tab, now))
    return found.annotate(goes_at=Coalesce("send_at", "approved_at")) if tab is Tab.SCHEDULED else found


def _narrowed(rows: Rows, tab: Tab, filters: Filters, now: datetime) -> Rows:
    # Of what was sent nobody looks for the day on which it was asked for, and the index is of the other.
    return _matching(_in(rows, tab, now), "ended_at" if tab is Tab.SENT else "created_at", filters, now)


def _matching(rows: Rows, moment: str, filters: Filters, now: datetime) -> Rows:
    named = {"client_id": filters.client_id, "trainer_id": filters.trainer_id, "kind": filters.kind}
    chosen = rows.filter(**{name: value for name, value in named.items() if value})
    if filters.day:
        begins = datetime(filters.day.year, filters.day.month, filters.day.day, tzinfo=UTC)
        chosen = chosen.filter(
            **{f"{moment}__gte": begins, f"{moment}__lte": begins + timedelta(days=1, microseconds=-1)}
        )
    if age := AGES.get(filters.age):
        chosen = chosen.filter(**{f"{moment}__{'lte' if age.is_over else 'gt'}": now - age.length})
    return chosen


def _by_rank(rows: Rows, states: Sequence[State], after: str) -> list[Draft]:
    """Return a page and one more: each state by itself, as the index has it."""
    last = _read_rank(after)
    found: list[Draft] = []
    for state in states[states.index(last[0]) if last and last[0] in states else 0 :]:
        beyond = Q()
        if last and state == last[0]:
            _, impact, at, id = last
            beyond = Q(impact__lte=impact) & (
                Q(impact__lt=impact) | Q(created_at__gt=at) | Q(created_at=at, pk__gt=id)
            )
        part = rows.filter(beyond, state=state).order_by("-impact", "created_at", "pk")
        found += part[: PAGE + 1 - len(found)]
        if len(found) > PAGE:
            break
    return found


def _by_moment(rows: Rows, order: str, after: str) -> list[Draft]:
    name, is_newest_first = order.removeprefix("-"), order.startswith("-")
    at, id = _read_moment(after)
    if at and id:
        way = "lt" if is_newest_first else "gt"
        rows = rows.filter(**{f"{name}__{way}e": at}).filter(
            Q(**{f"{name}__{way}": at}) | Q(**{f"pk__{way}": id})
        )
    return list(rows.order_by(order, "-pk" if is_newest_first else "pk")[: PAGE + 1])


def _written(draft: Draft, tab: Tab) -> str:
    if tab in RANKED:
        return f"{draft.state},{draft.impact},{draft.created_at.isoformat()},{draft.pk}"
    return f"{getattr(draft, _MOMENTS[tab].removeprefix('-')).isoformat()},{draft.pk}"


def _read_rank(word: str) -> tuple[State, int, datetime, UUID] | None:
    try:
        state, impact, *rest = word.split(",")
        at, id = _read_moment(",".join(rest))
        if not (at and id and impact.isascii() and impact.isdigit() and len(impact) <= 3):
            return None
        return State(state), int(impact), at, id
    except ValueError:
        return None


def _read_moment(word: str) -> tuple[datetime | None, UUID | None]:
    at, _, id = word.partition(",")
    try:
        moment = datetime.fromisoformat(at)
        return (moment, UUID(id)) if moment.tzinfo else (None, None)
    except ValueError:
        return None, None
