"""Questions to the stored events, for a list that stays quick at a billion rows.

The rule: pages go by key, never by offset; a count stops at COUNT_LIMIT; a question that takes too
long is given up and says so.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet

from observability.models import Event

PAGE = 50
COUNT_LIMIT = 1_000
TIME_LIMIT_MS = 3_000
_CANCELED = "57014"

RANGES = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(days=1)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
    "2y": ("Two years", timedelta(days=731)),
}
DEFAULT_RANGE = "30d"


class TooBroad(Exception):
    """The question would read too much; a shorter time or one more filter mends it."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which events to show. Empty fields do not filter."""

    event: str = ""
    distinct_id: str = ""
    correlation_id: str = ""
    range: str = DEFAULT_RANGE


@dataclass(frozen=True, slots=True)
class Key:
    """The place of an event in the order of the list."""

    timestamp: datetime
    uuid: UUID

    def __str__(self) -> str:
        return f"{int(self.timestamp.timestamp() * 1_000_000)}_{self.uuid.hex}"


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
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("select set_config('statement_timeout', %s, true)", [str(TIME_LIMIT_MS)])
            return _page(_matching(question, now=now), older_than, newer_than)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == _CANCELED:
            raise TooBroad from None
        raise


def find(key: Key) -> Event | None:
    """Return one event by its key."""
    return Event.objects.filter(timestamp=key.timestamp, uuid=key.uuid).first()


def key_of(event: Event) -> Key:
    """Return the key of an event."""
    return Key(event.timestamp, event.uuid)


def parse_key(raw: str) -> Key | None:
    """Return the key that `str(key)` had written, or None for anything else."""
    from datetime import UTC

    micros, _, uuid = raw.partition("_")
    try:
        return Key(datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(micros)), UUID(uuid))
    except (ValueError, OverflowError):
        return None


def _matching(question: Question, *, now: datetime) -> QuerySet[Event]:
    _, span = RANGES.get(question.range, RANGES[DEFAULT_RANGE])
    rows = Event.objects.filter(timestamp__gte=now - span)
    if question.event:
        rows = rows.filter(event=question.event)
    if question.distinct_id:
        rows = rows.filter(distinct_id=question.distinct_id)
    if question.correlation_id:
        rows = rows.filter(correlation_id=question.correlation_id)
    return rows


def _page(rows: QuerySet[Event], older_than: Key | None, newer_than: Key | None) -> Page:
    if newer_than:
        # The bound on timestamp alone is what prunes partitions.
        after = rows.filter(
            timestamp__gte=newer_than.timestamp, pk__gt=(newer_than.timestamp, newer_than.uuid)
        )
        found = list(after.order_by("timestamp", "uuid")[: PAGE + 1])
        more_newer, more_older = len(found) > PAGE, True
        events = found[:PAGE][::-1]
    else:
        before = rows
        if older_than:
            before = rows.filter(
                timestamp__lte=older_than.timestamp, pk__lt=(older_than.timestamp, older_than.uuid)
            )
        found = list(before.order_by("-timestamp", "-uuid")[: PAGE + 1])
        more_newer, more_older = older_than is not None, len(found) > PAGE
        events = found[:PAGE]
    return Page(
        events=events,
        newer=key_of(events[0]) if events and more_newer else None,
        older=key_of(events[-1]) if events and more_older else None,
        count=len(rows.order_by()[:COUNT_LIMIT].values_list("uuid")),
    )
