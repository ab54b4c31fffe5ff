"""How many dead letters wait for somebody, since when, and of which causes.

The rule: the groups' own counters are read, never the letters themselves counted.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

# Causes that are worked on; whoever has more of them has one cause behind them all.
MOST_GROUPS = 1_000


@dataclass(frozen=True, slots=True)
class Letters:
    """Dead letters, counted. groups: of one cause each. oldest_at: when the first of the open ones died."""

    open: int
    redriving: int
    groups: int
    oldest_at: datetime | None


_LETTERS = """
select coalesce(sum(open), 0), coalesce(sum(redriving), 0), count(*) filter (where open + redriving > 0),
       (select died_at from sync_deadletter where state = 'open' order by died_at, id limit 1)
from (
    select open, redriving from sync_causegroup where state <> 'resolved'
    order by last_seen_at desc, id desc limit %s
) unresolved
"""


def letters() -> Letters:
    """Return how many letters are open, snoozed ones included."""
    with connection.cursor() as cursor:
        cursor.execute(_LETTERS, [MOST_GROUPS])
        return Letters(*cursor.fetchone())


@dataclass(frozen=True, slots=True)
class Cause:
    """A cause with open letters. key: of its page. subject: operation of jobs, or topic of webhooks."""

    key: int
    subject: str
    code: str
    open: int
    last_seen_at: datetime


_CAUSES = """
select id, subject, code, open, last_seen_at
from (
    select id, subject, code, open, last_seen_at from sync_causegroup where state <> 'resolved'
    order by last_seen_at desc, id desc limit %s
) unresolved
where open > 0 and code = any(%s) order by open desc, id limit %s
"""


def causes(codes: Collection[str], most: int) -> list[Cause]:
    """Return the causes with open letters of these codes, those with most letters first."""
    with connection.cursor() as cursor:
        cursor.execute(_CAUSES, [MOST_GROUPS, list(codes), most])
        return [Cause(*row) for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Named:
    """What a cause is told by. subject: operation of jobs, or topic of webhooks."""

    subject: str
    code: str


def named(cause: int) -> Named | None:
    """Return what a cause is told by; None where there is none of that number."""
    with connection.cursor() as cursor:
        cursor.execute("select subject, code from sync_causegroup where id = %s", [cause])
        row = cursor.fetchone()
        return Named(*row) if row else None
