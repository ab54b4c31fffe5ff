"""Strategies that make histories, and questions to them, for what must hold of every history there is.

The rule: Hypothesis draws a few stories by name and number, and a way of delivery; dice that are named by
these do the rest. So an example is short, shrinks by leaving stories out, and always comes out the same.

    @given(asked())
    def test_...(pair: tuple[History, Question]) -> None: ...
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from random import Random
from uuid import UUID

from hypothesis import strategies as st

from observability.capture import Occurrence
from observability.dashboards.question import Question
from tests.observability.dashboards import stories
from tests.observability.dashboards.edges import FIRST, NOW, ZONES, Dice
from tests.observability.dashboards.past import Past, local_day

# (name of a story, number of its dice)
Tale = tuple[str, int]


@dataclass(frozen=True, slots=True)
class History:
    """Batches of events in the order in which they arrive: late, early, and some of them twice.

    tales, home: of what it is made; home is the zone near whose midnights most happens. now: later than all.
    """

    tales: tuple[Tale, ...]
    home: str
    batches: tuple[tuple[Occurrence, ...], ...]
    now: datetime = NOW

    @property
    def events(self) -> list[Occurrence]:
        """Everything delivered, what came twice twice."""
        return [one for batch in self.batches for one in batch]

    def __repr__(self) -> str:
        # What one needs to have it again: history(tales, home=home).
        sizes = [len(batch) for batch in self.batches]
        return f"History(tales={self.tales!r}, home={self.home!r}, batches of {sizes})"


def told(tale: Tale, home: str = "UTC") -> list[Occurrence]:
    """Return the events of one tale, with the same uuids each time."""
    name, number = tale
    rng = Dice(f"{name}:{number}", home)
    return [
        Occurrence(event, who, at, UUID(int=rng.getrandbits(128), version=4))
        for at, who, event in stories.STORIES[name](rng)
    ]


def history(tales: Sequence[Tale], delivery: int = 0, home: str = "UTC") -> History:
    """Return a history of these tales. delivery 0: in one batch, in order; any other number shuffles."""
    events = sorted(
        (one for tale in dict.fromkeys(tales) for one in told(tale, home)),
        key=lambda one: (one.timestamp, one.uuid),
    )
    if not delivery:
        return History(tuple(tales), home, (tuple(events),) if events else ())
    rng = Random(delivery)
    events += rng.sample(events, len(events) // 5)
    rng.shuffle(events)
    cuts = sorted(rng.sample(range(len(events) + 1), min(len(events), rng.randrange(4))))
    edges = [0, *cuts, len(events)]
    batches = tuple(tuple(events[a:b]) for a, b in pairwise(edges) if a < b)
    return History(tuple(tales), home, batches)


def histories(*, most: int = 25, kinds: Sequence[str] = tuple(stories.STORIES)) -> st.SearchStrategy[History]:
    """Return a strategy for histories of `most` stories at most, of these kinds."""
    tales = st.tuples(st.sampled_from(list(kinds)), st.integers(0, 9_999))
    lists = st.lists(tales, max_size=most, unique=True)
    return st.builds(history, lists, st.integers(0, 99), st.sampled_from(ZONES))


def periods(told: History) -> st.SearchStrategy[tuple[date, date]]:
    """Return a strategy for periods: of lengths that are offered up to about today, or between any two days
    on or beside which something happens or begins, up to some days that are still to come."""
    past = Past(told.events)
    moments = [one.timestamp for one in past.events] + [one.starts_at for one in past.bookings]
    days = {FIRST, NOW.date(), *(local_day(at, told.home) for at in moments)}
    near = st.sampled_from(sorted({day + timedelta(days=beside) for day in days for beside in (-1, 0, 1)}))
    offered = st.builds(
        lambda last, length: (last - timedelta(days=length - 1), last),
        st.integers(-3, 12).map(lambda back: NOW.date() - timedelta(days=back)),
        st.sampled_from((1, 2, 7, 28, 30, 90)),
    )
    return st.one_of(offered, st.tuples(near, near).map(lambda pair: (min(pair), max(pair))))


def questions(told: History) -> st.SearchStrategy[Question]:
    """Return a strategy for questions to a history. Filters name what stories tell of, or nobody."""
    nothing: dict[str, str] = {}
    filters = st.fixed_dictionaries(
        {},
        optional={
            "trainer": st.sampled_from((*stories.TRAINERS, "t9")),
            "segment": st.sampled_from(("new", "regular", "unknown", "vip")),
            "location": st.sampled_from((*stories.LOCATIONS, "l9")),
            "operation": st.sampled_from((*stories.OPERATIONS, "note.create")),
        },
    )
    return st.builds(
        lambda period, zone, filters: Question(period[0], period[1], zone, **filters),
        periods(told),
        st.one_of(st.just(told.home), st.sampled_from(ZONES)),
        st.one_of(st.just(nothing), filters),
    )


def asked(
    *, most: int = 25, kinds: Sequence[str] = tuple(stories.STORIES)
) -> st.SearchStrategy[tuple[History, Question]]:
    """Return a strategy for a history and a question to it."""
    return histories(most=most, kinds=kinds).flatmap(lambda told: st.tuples(st.just(told), questions(told)))
