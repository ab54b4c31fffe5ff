"""One person's id in dead letters: in what GoHighLevel said of it, and in what people noted.

The rule: the text that names the person goes as a whole; the letter itself stays, so that the ledger adds up.
A saved view that asks for the person goes with it.
"""

from collections.abc import Iterator
from urllib.parse import quote_plus

from django.db import connection
from django.db.models import Q, QuerySet

from sync.models import SavedView
from trainu.personal_data import Place, register

ERASED = "Erased, at the wish of the person it was about."
# Where texts are, and what then stands in them.
_TEXTS = {
    "dead_letters": ("Dead letters", "sync_deadletter", "words", ""),
    "discard_reasons": ("Reasons for discarding dead letters", "sync_deadletter", "discard_reason", ERASED),
    "letter_notes": ("Notes on dead letters", "sync_letternote", "words", ERASED),
    "group_notes": ("Notes on groups of dead letters", "sync_groupnote", "words", ERASED),
}


def declare() -> None:
    """Register these places; a second call changes nothing."""
    register("sync.dead_letters", places)


def places() -> Iterator[Place]:
    """Yield each text that may name a person."""
    for name, (label, table, column, instead) in _TEXTS.items():
        yield _place(name, label, table, column, instead)
    yield Place("saved_views", "Saved views of dead letters", _views, _remove_views)


def _place(name: str, label: str, table: str, column: str, instead: str) -> Place:
    where = f"position(%s in {column}) > 0"

    def find(contact_id: str) -> int:
        with connection.cursor() as cursor:
            cursor.execute(f"select count(*) from {table} where {where}", [contact_id])
            return int(cursor.fetchone()[0])

    def erase(contact_id: str) -> int:
        with connection.cursor() as cursor:
            cursor.execute(f"update {table} set {column} = %s where {where}", [instead, contact_id])
            return int(cursor.rowcount)

    return Place(name, label, find, erase)


def _asking(contact_id: str) -> "QuerySet[SavedView]":
    return SavedView.objects.filter(Q(query__contains=quote_plus(contact_id)) | Q(name__contains=contact_id))


def _views(contact_id: str) -> int:
    return _asking(contact_id).count()


def _remove_views(contact_id: str) -> int:
    return _asking(contact_id).delete()[0]
