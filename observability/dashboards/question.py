"""What a dashboard is asked: which days in which zone, and whose.

The rule: a day is a calendar day of the chosen zone, from its first moment to the next one's first moment;
whatever the address holds, a question comes out, or a `BadQuestion` that says what to write instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, available_timezones

DEFAULT_ZONE = "UTC"
DEFAULT_DAYS = 28
# Two years and a month: as long as rows are kept.
MOST_DAYS = 760
_LONGEST_WORD = 64
# What the page offers beside two dates of one's own.
PRESETS = {"7d": 7, "28d": 28, "90d": 90, "365d": 365}


class BadQuestion(ValueError):
    """The address asks for something that cannot be answered; says which field, and what to write."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


@dataclass(frozen=True, slots=True)
class Question:
    """first, last: days, both included. trainer, segment, location, operation: empty for all of them."""

    first: date
    last: date
    zone: str = DEFAULT_ZONE
    trainer: str = ""
    segment: str = ""
    location: str = ""
    operation: str = ""

    @property
    def days(self) -> list[date]:
        """Every day of the period."""
        return days_between(self.first, self.last)

    @property
    def starts_at(self) -> datetime:
        """The period's first moment."""
        return midnight(self.first, self.zone)

    @property
    def ends_at(self) -> datetime:
        """The first moment after the period."""
        return midnight(self.last + timedelta(days=1), self.zone)

    def before(self) -> "Question":
        """The period of as many days that ends where this one begins, with the same filters."""
        length = (self.last - self.first).days + 1
        return replace(self, first=self.first - timedelta(days=length), last=self.first - timedelta(days=1))

    def over(self, *, now: datetime) -> list[date]:
        """The days of the period that have ended."""
        today = now.astimezone(ZoneInfo(self.zone)).date()
        return [day for day in self.days if day < today]

    def settled(self, took: timedelta, *, now: datetime) -> list[date]:
        """The days of the period that have been over for so long."""
        return [day for day in self.days if midnight(day + timedelta(days=1), self.zone) + took <= now]

    def weeks(self) -> list[date]:
        """The Mondays of the weeks that the period touches."""
        monday = week_of(self.first)
        return [monday + timedelta(days=7 * i) for i in range((self.last - monday).days // 7 + 1)]

    def weeks_in_part(self) -> str:
        """Say which of the weeks are in the period in part only; empty where none is."""
        parts = [self.first] * bool(self.first.weekday()) + [self.last] * (self.last.weekday() != 6)
        mondays = sorted({week_of(day).isoformat() for day in parts})
        return f"In the period in part only: the week of {' and of '.join(mondays)}." if mondays else ""

    def address(self, **changes: str) -> str:
        """The question as a query string, with some of it replaced; an empty word leaves a filter out."""
        words = {
            "from": self.first.isoformat(),
            "to": self.last.isoformat(),
            "zone": self.zone,
            "trainer": self.trainer,
            "segment": self.segment,
            "location": self.location,
            "operation": self.operation,
        } | changes
        return urlencode({name: word for name, word in words.items() if word})


def parse(asked: Mapping[str, str], *, now: datetime, default_days: int = DEFAULT_DAYS) -> Question:
    """Read a question from a query string: from, to (days), or range (7d, 28d, 90d, 365d), zone, filters.

    Without days it is the last ones up to today. Raises BadQuestion.
    """
    zone = asked.get("zone", "") or DEFAULT_ZONE
    if zone not in zones():
        raise BadQuestion("zone", "There is no such time zone. Write a name such as Europe/Berlin or UTC.")
    today = now.astimezone(ZoneInfo(zone)).date()
    preset = asked.get("range", "")
    if preset and preset not in PRESETS:
        raise BadQuestion("range", f"Write one of {', '.join(PRESETS)}, or the days as from and to.")
    if preset and asked.get("from"):
        raise BadQuestion("range", "Write a range, or the first day, but not both.")
    last = _day(asked, "to") or today
    first = _day(asked, "from") or last - timedelta(days=PRESETS.get(preset, default_days) - 1)
    if first > last:
        what_to_do = (
            "Exchange them." if asked.get("to") else "The last day is today: choose an earlier first one."
        )
        raise BadQuestion("from", f"The first day lies behind the last one. {what_to_do}")
    if (last - first).days >= MOST_DAYS:
        raise BadQuestion("from", f"Ask for {MOST_DAYS} days at most: older rows are not kept.")
    words = {name: _word(asked, name) for name in ("trainer", "segment", "location", "operation")}
    # Pages show people as role:id, and that is what is copied from them.
    words["trainer"] = words["trainer"].removeprefix("trainer:")
    return Question(first, last, zone, **words)


@lru_cache(maxsize=1)
def zones() -> frozenset[str]:
    """Every time zone that may be chosen: all that have a place in their name, and UTC.

    Their offsets are whole quarters of an hour since 1972, which is what counts by the quarter rely on.
    """
    return frozenset(
        name
        for name in available_timezones()
        if "/" in name and not name.startswith(("Etc/", "posix/", "right/"))
    ) | {"UTC"}


@lru_cache(maxsize=4096)
def midnight(day: date, zone: str) -> datetime:
    """The first moment of a day in a zone, in UTC; where clocks skip midnight, the first moment there is."""
    # fold=0 of a skipped time is read with the offset before the change: the change's own moment.
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(ZoneInfo("UTC"))


def week_of(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def days_between(first: date, last: date) -> list[date]:
    """Every day from the first to the last, both included."""
    return [first + timedelta(days=i) for i in range((last - first).days + 1)]


def _day(asked: Mapping[str, str], name: str) -> date | None:
    written = asked.get(name, "").strip()
    if not written:
        return None
    try:
        day = date.fromisoformat(written)
    except ValueError:
        raise BadQuestion(name, "Write a day as 2026-11-28.") from None
    if not 2000 <= day.year <= 2100:
        raise BadQuestion(name, "Write a day between 2000 and 2100.")
    return day


def _word(asked: Mapping[str, str], name: str) -> str:
    word = asked.get(name, "").strip()
    if "\x00" in word or len(word) > _LONGEST_WORD:
        raise BadQuestion(name, f"An id or word has {_LONGEST_WORD} characters at most, and no NUL.")
    return word
