"""Which UTC days have rows that changed, so that what was derived of them is made anew.

The rule: the note is written in the transaction that changes the rows, with a version above any before.
"""

from enum import StrEnum

from django.db.backends.utils import CursorWrapper


class Subject(StrEnum):
    """What is counted by days. Each has rows of its own that it is derived from."""

    ACTIVITY = "activity"
    BOOKINGS = "bookings"
    DRAFTS = "drafts"
    REPLIES = "replies"
    SYNC = "sync"


_NOTE = """
insert into observability_touchedday as t (subject, day, version)
select '{subject}', day, %(version)s from ({days}) noted (day) where day is not null group by day
on conflict (subject, day) do update set version = excluded.version
"""


def note(subject: Subject, days: str) -> str:
    """Return the statement that notes days of a subject. days: a select of them; may use %(version)s."""
    return _NOTE.format(subject=subject.value, days=days)


def version(cursor: CursorWrapper) -> int:
    """Return the next version."""
    cursor.execute("select nextval('observability_touchedday_version')")
    return int(cursor.fetchone()[0])
