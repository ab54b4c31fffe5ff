"""Which week a digest tells of, and when it is due: pure.

The rule: a week is Monday to Sunday by the trainer's clock, and is told of from seven o'clock on the Monday
after it.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

HOUR = 7
WEEK = timedelta(days=7)


def begins(week: date, where: tzinfo) -> datetime:
    """Return when a week begins, in UTC. week: its Monday."""
    return datetime.combine(week, time(), where).astimezone(UTC)


def ends(week: date, where: tzinfo) -> datetime:
    """Return when a week is over, in UTC: the first moment of the next."""
    return begins(week + WEEK, where)


def due_at(week: date, where: tzinfo) -> datetime:
    """Return from when on a week is told of, in UTC."""
    return datetime.combine(week + WEEK, time(HOUR), where).astimezone(UTC)


def due(now: datetime, where: tzinfo) -> date:
    """Return the Monday of the last week that is to be told of."""
    today = now.astimezone(where).date()
    last = today - timedelta(days=today.weekday()) - WEEK
    return last if now >= due_at(last, where) else last - WEEK
