"""One person's data in drafts, conversations, insights and digests, and what erasure leaves of it.

The rules: that a draft was written, approved and sent stays, for figures and audit must hold; who it was for
and what it said goes, and an open one is dismissed. Messages and insights go. What is about others stays, and
names the person no more. Of consents, that somebody does not want to be written to stays, under a keyed name
(`suppressed`): whoever said STOP gets no message, erased or not. A trainer is a person too.
"""

import re
from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from sync.drafts import suppressed
from sync.models import Consent, Insight, Message, TrainerDigest, TrainerLogin
from trainu.personal_data import Place, register

ERASED = "Erased, at the wish of the person it was about."

_THEIRS = "%(id)s in (client_id, contact_id, trainer_id)"
# Whoever has one in hand finds its fence passed; its job goes with the jobs (`sync.personal`).
_EMPTY = f"""
update sync_draft
set context = '{{}}', why = '', hint = '', subject = '', text = '', written_subject = '', written_text = '',
    client_id = '', contact_id = '', trainer_id = case when trainer_id = %(id)s then '' else trainer_id end,
    idempotency_key = '', asked_digest = '', snoozed_until = null, held_by = '', fence = fence + 1,
    dismissed_reason = case when state = 'sent' then '' else %(words)s end,
    ended_at = coalesce(ended_at, %(now)s),
    state = case when state = 'sent' then 'sent' else 'dismissed' end
where {_THEIRS}
"""


def declare() -> None:
    """Register these places; a second call changes nothing."""
    register("sync.drafts", places)


def places() -> Iterator[Place]:
    """Yield every place of drafts and of what belongs to them: first what is the person's own."""
    yield Place("drafts", "Drafts of messages", find_drafts, erase_drafts)
    yield _mentions(
        "draft_mentions",
        "Mentions in drafts for others",
        "sync_draft",
        texts=("why", "hint", "subject", "text", "written_subject", "written_text", "dismissed_reason"),
        documents=("context",),
    )
    yield _deleted("messages", "Messages with clients", _messages)
    yield Place("consents", "Who wants messages", find_consents, erase_consents)
    yield _deleted("insights", "What the agent has found out", _insights)
    yield _mentions("insight_mentions", "Mentions in what was found out", "sync_insight", texts=("text",))
    yield _deleted("trainer_digests", "Weekly digests of a trainer", _digests)
    yield _mentions(
        "digest_mentions", "Clients in weekly digests", "sync_trainerdigest", documents=("content",)
    )
    yield _deleted("trainer_logins", "Who logs in as which trainer", _logins)


def find_drafts(person_id: str) -> int:
    """Return how many drafts are for a client of that id, TrainU's or GoHighLevel's, or by such a trainer."""
    return _asked(f"select count(*) from sync_draft where {_THEIRS}", {"id": person_id})


def erase_drafts(person_id: str) -> int:
    """Empty these drafts, and dismiss those that were still open; return how many."""
    return _done(_EMPTY, {"id": person_id, "words": ERASED, "now": timezone.now()})


def find_consents(contact_id: str) -> int:
    """Return how many things are known that a contact has said about getting messages."""
    return Consent.objects.filter(contact_id=contact_id).count()


def erase_consents(contact_id: str) -> int:
    """Keep that they do not want any, under a name that leads to nobody; delete the rest; return how many."""
    found = Consent.objects.filter(contact_id=contact_id)
    refused = list(found.filter(may_be_sent=False))
    erased, _ = found.delete()
    for one in refused:
        one.pk, one.contact_id = None, suppressed.kept_as(contact_id)
    # Who was erased once before, and has come back since, may have one already.
    Consent.objects.bulk_create(refused, ignore_conflicts=True)
    return erased


def _messages(contact_id: str) -> QuerySet[Message]:
    return Message.objects.filter(contact_id=contact_id)


def _insights(person_id: str) -> QuerySet[Insight]:
    return Insight.objects.filter(Q(client_id=person_id) | Q(contact_id=person_id) | Q(trainer_id=person_id))


def _digests(trainer_id: str) -> QuerySet[TrainerDigest]:
    return TrainerDigest.objects.filter(trainer_id=trainer_id)


def _logins(trainer_id: str) -> QuerySet[TrainerLogin]:
    return TrainerLogin.objects.filter(trainer_id=trainer_id)


def _deleted(name: str, label: str, rows: Any) -> Place:
    """Return a place whose rows are the person's own, and go."""
    return Place(name, label, lambda id: int(rows(id).count()), lambda id: int(rows(id).delete()[0]))


def _mentions(
    name: str, label: str, table: str, *, texts: tuple[str, ...] = (), documents: tuple[str, ...] = ()
) -> Place:
    """Return a place whose rows are about others, in whose texts the id is replaced by a word."""
    where = " or ".join(f"{column}::text ~ %(word)s" for column in (*texts, *documents))
    # The word may be longer than the id; the limits of these columns are far from what is in them.
    changes = [f"{column} = regexp_replace({column}, %(word)s, 'erased', 'g')" for column in texts]
    changes += [
        f"{column} = regexp_replace({column}::text, %(word)s, 'erased', 'g')::jsonb" for column in documents
    ]

    def given(person_id: str) -> dict[str, Any]:
        # As a whole word: a longer id that contains it is another's.
        return {"word": rf"(?<![[:alnum:]_-]){re.escape(person_id)}(?![[:alnum:]_-])"}

    return Place(
        name,
        label,
        lambda id: _asked(f"select count(*) from {table} where {where}", given(id)),
        lambda id: _done(f"update {table} set {', '.join(changes)} where {where}", given(id)),
    )


def _asked(statement: str, given: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return int(cursor.fetchone()[0])


def _done(statement: str, given: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return int(cursor.rowcount)
