"""Questions to the audit log, for its list, its export and the trace page.

The rule: pages go by key, newest first, nothing is counted, and a question that takes longer than
TIME_LIMIT_MS is given up and says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.urls import reverse

from observability import trace
from observability.audit.actions import in_words
from observability.event_search import Key
from observability.models import AuditEntry
from observability.trace import Source
from sync.stats import buried
from trainu.bounded_query import bounded
from trainu.moments import Moment

PAGE = 50
TIME_LIMIT_MS = 3_000
CHUNK = 1_000
MOST_OF_A_RECORD = 50
# The longest that a policy keeps entries by default, and a month.
KEPT = timedelta(days=400)

# The longest reaches past any policy; partitions that are not there cost nothing.
RANGES = {
    "24h": ("24 hours", timedelta(days=1)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
    "all": ("Everything kept", timedelta(days=3_660)),
}
DEFAULT_RANGE = "30d"


@dataclass(frozen=True, slots=True)
class Question:
    """Which entries to show. Empty fields do not filter. group: the part of the action before the dot."""

    range: str = DEFAULT_RANGE
    group: str = ""
    actor_kind: str = ""
    actor_id: str = ""
    target: str = ""
    correlation_id: str = ""

    @property
    def filters(self) -> dict[str, str]:
        """The words that are asked for, by field."""
        fields = ("group", "actor_kind", "actor_id", "target", "correlation_id")
        return {field: getattr(self, field) for field in fields if getattr(self, field)}

    @property
    def address(self) -> str:
        """The question as it stands in an address; empty for the one that is asked by default."""
        words = dict(self.filters)
        return urlencode(words if self.range == DEFAULT_RANGE else words | {"range": self.range})


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first. older: where the next page begins, or None at the end."""

    entries: list[AuditEntry]
    older: Key | None


def search(question: Question, *, now: datetime, older_than: Key | None = None) -> Page:
    """Return the page that begins behind a key, or the first one; raises TooBroad."""
    with bounded(TIME_LIMIT_MS):
        found = list(_behind(_matching(question, now), older_than)[: PAGE + 1])
    shown = found[:PAGE]
    return Page(shown, key_of(shown[-1]) if len(found) > PAGE else None)


def count(question: Question, *, now: datetime, most: int) -> int:
    """Return how many entries match, counted no further than `most`; raises TooBroad."""
    with bounded(TIME_LIMIT_MS):
        return _matching(question, now).order_by()[:most].count()


def stream(question: Question, *, now: datetime, most: int) -> Iterator[AuditEntry]:
    """Yield the newest entries that match and are older than `now`, at most so many; by key, in chunks."""
    behind: Key | None = None
    left = most
    while left > 0:
        rows = _behind(_matching(question, now).filter(recorded_at__lt=now), behind)
        chunk = list(rows[: min(CHUNK, left)])
        yield from chunk
        if len(chunk) < CHUNK:
            return
        left -= len(chunk)
        behind = key_of(chunk[-1])


def find(key: Key) -> AuditEntry | None:
    """Return one entry by its key."""
    return AuditEntry.objects.filter(recorded_at=key.timestamp, id=key.uuid).first()


def key_of(entry: AuditEntry) -> Key:
    """Return the key of an entry."""
    return Key(entry.recorded_at, entry.id)


def moments(correlation_id: str, since: datetime, most: int) -> list[Moment]:
    """Return what was done under a correlation id, and later to its jobs and letters, for the trace page."""
    recent = AuditEntry.objects.filter(recorded_at__gte=since)
    with bounded(trace.TIME_LIMIT_MS):
        found = list(_newest(recent.filter(correlation_id=correlation_id), most))
        targets = [
            Q(target_type=kind, target_id__in=ids) for kind, ids in buried.names(correlation_id).items()
        ]
        if targets:
            found += _newest(recent.filter(reduce(or_, targets)), most)
    entries = {entry.id: entry for entry in found}.values()
    return [_moment(entry) for entry in sorted(entries, key=lambda entry: entry.recorded_at)[-most:]]


def history(target_kind: str, target_id: str, *, now: datetime) -> list[Moment]:
    """Return what was done last to a record, at most MOST_OF_A_RECORD; raises TooBroad."""
    done = AuditEntry.objects.filter(
        recorded_at__gte=now - KEPT, target_id=target_id, target_type=target_kind
    )
    with bounded(TIME_LIMIT_MS):
        return [_moment(entry) for entry in _newest(done, MOST_OF_A_RECORD)]


def _newest(entries: QuerySet[AuditEntry], most: int) -> QuerySet[AuditEntry]:
    return entries.order_by("-recorded_at", "-id")[:most]


def _moment(entry: AuditEntry) -> Moment:
    target = f"{entry.target_type} {entry.target_id}".strip()
    return Moment(
        at=entry.recorded_at,
        kind="Audit",
        title=in_words(entry.action),
        detail=f"{target}: {entry.reason}" if entry.reason else target,
        url=reverse("admin:audit_entry", args=[str(key_of(entry))]),
        by=entry.actor_id,
    )


def _behind(entries: QuerySet[AuditEntry], key: Key | None) -> QuerySet[AuditEntry]:
    if key:
        # The bound on the time alone is what prunes partitions.
        entries = entries.filter(recorded_at__lte=key.timestamp, pk__lt=(key.timestamp, key.uuid))
    return entries.order_by("-recorded_at", "-id")


def _matching(question: Question, now: datetime) -> QuerySet[AuditEntry]:
    _, span = RANGES.get(question.range, RANGES[DEFAULT_RANGE])
    entries = AuditEntry.objects.filter(recorded_at__gte=now - span)
    if question.group:
        entries = entries.filter(action__startswith=f"{question.group}.")
    for field in ("actor_kind", "actor_id", "correlation_id"):
        if word := getattr(question, field):
            entries = entries.filter(**{field: word})
    if question.target:
        # "observability.apikey 3", "observability.apikey" or "3".
        kind, _, key = question.target.partition(" ")
        if key:
            entries = entries.filter(target_type=kind, target_id=key.strip())
        elif "." in kind:
            entries = entries.filter(target_type=kind)
        else:
            entries = entries.filter(target_id=kind)
    return entries


trace.register(Source("audit entries", "observability.view_auditentry", moments, KEPT))
