"""Questions to the kept log lines, for a list and its live tail.

The rule: pages go by key, newest first, nothing is counted, and a question that takes longer than
TIME_LIMIT_MS is given up and says so.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Q, QuerySet

from observability.models import LogLine
from trainu.bounded_query import bounded

PAGE = 50
TAIL = 200
TIME_LIMIT_MS = 2_000
# Lines come in batches of a second, and a busy process's later than others': the tail looks back so far.
OVERLAP = timedelta(seconds=10)
_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)

RANGES = {
    "15m": ("15 minutes", timedelta(minutes=15)),
    "1h": ("1 hour", timedelta(hours=1)),
    "24h": ("24 hours", timedelta(days=1)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
    "90d": ("90 days", timedelta(days=90)),
}
DEFAULT_RANGE = "24h"
LEVELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "": ("All levels", ()),
    "warn-up": ("Warnings and errors", ("warn", "error")),
    "error": ("Errors", ("error",)),
    "warn": ("Warnings only", ("warn",)),
    "info": ("Information only", ("info",)),
}


@dataclass(frozen=True, slots=True)
class Question:
    """Which lines to show. Empty fields do not filter. until: the end of the range; None for now."""

    range: str = DEFAULT_RANGE
    until: datetime | None = None
    level: str = ""
    service: str = ""
    correlation_id: str = ""
    user_id: str = ""
    text: str = ""

    @property
    def filters(self) -> dict[str, str]:
        """The words that are asked for, by field."""
        fields = ("level", "service", "correlation_id", "user_id", "text")
        return {field: getattr(self, field) for field in fields if getattr(self, field)}


@dataclass(frozen=True, slots=True)
class Key:
    """The place of a line in the order of the list."""

    logged_at: datetime
    id: int

    def __str__(self) -> str:
        return f"{(self.logged_at - _EPOCH) // _MICROSECOND}_{self.id}"


@dataclass(frozen=True, slots=True)
class Page:
    """Lines, newest first. older: where the next page begins, or None at the end."""

    lines: list[LogLine]
    older: Key | None


@dataclass(frozen=True, slots=True)
class Tail:
    """Lines since a while ago, newest first. is_cut: there were more new ones than TAIL."""

    lines: list[LogLine]
    since: datetime
    is_cut: bool


def search(question: Question, *, now: datetime, older_than: Key | None = None) -> Page:
    """Return the page that begins behind a key, or the first one; raises TooBroad."""
    lines = _matching(question, now)
    if older_than:
        # The bound on the time alone is what prunes partitions.
        lines = lines.filter(
            logged_at__lte=older_than.logged_at, pk__lt=(older_than.logged_at, older_than.id)
        )
    with bounded(TIME_LIMIT_MS):
        found = list(lines.order_by("-logged_at", "-id")[: PAGE + 1])
    shown = found[:PAGE]
    return Page(shown, key_of(shown[-1]) if len(found) > PAGE else None)


def tail(question: Question, *, since: datetime, now: datetime) -> Tail:
    """Return what was logged since `since`, less OVERLAP: some lines come twice, but none is passed over.

    The next call takes `since` of this answer. Raises TooBroad.
    """
    lines = _matching(question, now).filter(logged_at__gt=since - OVERLAP)
    with bounded(TIME_LIMIT_MS):
        found = list(lines.order_by("-logged_at", "-id")[: TAIL + 1])
    newest = found[0].logged_at if found else since
    is_cut = len(found) > TAIL and found[TAIL].logged_at > since
    # A clock that runs ahead must not carry the tail past what others log.
    return Tail(found[:TAIL], min(max(since, newest), now), is_cut)


def key_of(line: LogLine) -> Key:
    """Return the key of a line."""
    return Key(line.logged_at, line.id)


def parse_key(raw: str) -> Key | None:
    """Return the key that `str(key)` had written, or None for anything else."""
    micros, _, number = raw.partition("_")
    try:
        key = Key(_EPOCH + timedelta(microseconds=int(micros)), int(number))
    except (ValueError, OverflowError):
        return None
    return key if 0 <= key.id < 1 << 63 else None


def _matching(question: Question, now: datetime) -> QuerySet[LogLine]:
    _, span = RANGES.get(question.range, RANGES[DEFAULT_RANGE])
    until = question.until or now
    lines = LogLine.objects.filter(logged_at__gte=until - span)
    if question.until:
        lines = lines.filter(logged_at__lt=until)
    if levels := LEVELS.get(question.level, LEVELS[""])[1]:
        lines = lines.filter(level__in=levels)
        if len(levels) == 1:
            # Says which half of the table it can be in.
            lines = lines.filter(kind="error" if "error" in levels else "application")
    for field in ("service", "correlation_id", "user_id"):
        if word := getattr(question, field):
            lines = lines.filter(**{field: word})
    if question.text:
        lines = lines.filter(
            Q(event__icontains=question.text)
            | Q(logger__icontains=question.text)
            | Q(rest__exception__icontains=question.text)
            | Q(rest__code=question.text)
        )
    return lines
