"""Questions to the stored events, for a list that stays quick at a billion rows.

The rule: pages go by key, never by offset; a count stops at COUNT_LIMIT; a question that takes too
long is given up and says so.

PostgreSQL believes that a bloom index over unsorted words finds nothing, and reads whole partitions
instead. So the newest rows are looked through first, which answers for common words; for the rare
ones the planner is then left no other way than the bloom index (measured: 8 ms instead of 70).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from observability.models import Event
from trainu.bounded_query import BY_BLOOM, bounded, set_parameters

PAGE = 50
COUNT_LIMIT = 1_000
TIME_LIMIT_MS = 3_000
# So many rows are looked through before a word counts as rare: a few milliseconds' worth.
NEAR = 5_000
_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)

RANGES = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(days=1)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
    "2y": ("Two years", timedelta(days=731)),
}
DEFAULT_RANGE = "30d"


@dataclass(frozen=True, slots=True)
class Question:
    """Which events to show. Empty fields do not filter."""

    event: str = ""
    distinct_id: str = ""
    correlation_id: str = ""
    range: str = DEFAULT_RANGE

    @property
    def filters(self) -> dict[str, str]:
        """The words that are asked for, by field."""
        words = {
            "event": self.event,
            "distinct_id": self.distinct_id,
            "correlation_id": self.correlation_id,
        }
        return {field: word for field, word in words.items() if word}


@dataclass(frozen=True, slots=True)
class Key:
    """The place of an event in the order of the list."""

    timestamp: datetime
    uuid: UUID

    def __str__(self) -> str:
        # In whole numbers: a float of this size would be off by a microsecond now and then.
        return f"{(self.timestamp - _EPOCH) // _MICROSECOND}_{self.uuid.hex}"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of events, newest first. count: how many match, at most COUNT_LIMIT."""

    events: list[Event]
    newer: Key | None
    older: Key | None
    count: int

    @property
    def count_words(self) -> str:
        return f"{COUNT_LIMIT:,}+" if self.count >= COUNT_LIMIT else f"{self.count:,}"


def search(
    question: Question, *, now: datetime, older_than: Key | None = None, newer_than: Key | None = None
) -> Page:
    """Return the page that begins behind a key (or the first one); raises TooBroad."""
    _, span = RANGES.get(question.range, RANGES[DEFAULT_RANGE])
    every = Event.objects.filter(timestamp__gte=now - span)
    with bounded(TIME_LIMIT_MS):
        if newer_than:
            return _newer(every, question.filters, newer_than)
        return _older(every, question.filters, older_than)


def find(key: Key) -> Event | None:
    """Return one event by its key."""
    return Event.objects.filter(timestamp=key.timestamp, uuid=key.uuid).first()


def key_of(event: Event) -> Key:
    """Return the key of an event."""
    return Key(event.timestamp, event.uuid)


def parse_key(raw: str) -> Key | None:
    """Return the key that `str(key)` had written, or None for anything else."""
    micros, _, uuid = raw.partition("_")
    try:
        return Key(_EPOCH + timedelta(microseconds=int(micros)), UUID(uuid))
    except (ValueError, OverflowError):
        return None


def _newer(every: QuerySet[Event], filters: dict[str, str], key: Key) -> Page:
    # The bound on timestamp alone is what prunes partitions.
    after = every.filter(timestamp__gte=key.timestamp, pk__gt=(key.timestamp, key.uuid))
    found = _nearest(after.order_by("timestamp", "uuid"), filters, ascending=True)
    events = found[:PAGE][::-1]
    return Page(
        events=events,
        newer=key_of(events[0]) if len(found) > PAGE else None,
        older=key_of(events[-1]) if events else None,
        count=_count(every, filters),
    )


def _older(every: QuerySet[Event], filters: dict[str, str], key: Key | None) -> Page:
    before = every
    if key:
        before = every.filter(timestamp__lte=key.timestamp, pk__lt=(key.timestamp, key.uuid))
    found = _nearest(before.order_by("-timestamp", "-uuid"), filters, ascending=False)
    events = found[:PAGE]
    return Page(
        events=events,
        newer=key_of(events[0]) if events and key else None,
        older=key_of(events[-1]) if len(found) > PAGE else None,
        count=_count(every, filters),
    )


def _nearest(ordered: QuerySet[Event], filters: dict[str, str], *, ascending: bool) -> list[Event]:
    """Return the first events that match, one more than a page holds."""
    if not filters:
        return list(ordered[: PAGE + 1])
    matching = ordered.filter(**filters)
    horizon = ordered.values_list("timestamp", flat=True)[NEAR : NEAR + 1]
    for end in horizon:
        near = matching.filter(timestamp__lte=end) if ascending else matching.filter(timestamp__gte=end)
        found = list(near[: PAGE + 1])
        if len(found) > PAGE:
            return found
        set_parameters(**BY_BLOOM)
    return list(matching[: PAGE + 1])


def _count(every: QuerySet[Event], filters: dict[str, str]) -> int:
    """Return how many events match, counted no further than COUNT_LIMIT."""
    if filters:
        set_parameters(**BY_BLOOM)
    return every.filter(**filters).order_by()[:COUNT_LIMIT].count()
