"""Deaths become letters in groups: a batch in a constant number of statements.

The rule: letters are locked before groups, both in one order, so that two batches cannot deadlock. What
GoHighLevel said is redacted before it is stored or compared.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from sync.dead_letters import fingerprint, moves, trend
from sync.dead_letters.death import Death
from sync.dead_letters.fingerprint import Kind
from sync.models import CauseGroup, DeadLetter
from trainu.personal_data import redacted

MOST = 500
LONGEST_WORDS = 500

_GROUPS = """
insert into sync_causegroup (fingerprint, version, integration, subject, code, cause, message, state,
    acknowledged_by, is_proven, open, redriving, recovered, discarded, superseded, total, first_seen_at,
    last_seen_at)
select k.fingerprint, %(version)s, k.integration, k.subject, k.code, k.cause, k.message, 'open', '', false,
    0, 0, 0, 0, 0, 0, %(now)s, %(now)s
from unnest(%(fingerprints)s::text[], %(integrations)s::text[], %(subjects)s::text[], %(codes)s::text[],
            %(causes)s::text[], %(messages)s::text[])
    as k(fingerprint, integration, subject, code, cause, message)
order by k.fingerprint
on conflict (fingerprint, version) do nothing
"""
# A letter that is open has this death already.
_LETTERS = """
insert into sync_deadletter (job_id, webhook_id, group_id, location_id, state, code, status, words,
    died_at, first_died_at, deaths, discard_reason, discarded_by)
select d.job_id, d.webhook_id, d.group_id, nullif(d.location_id, ''), 'open', d.code, d.status, d.words,
    %(now)s, %(now)s, 1, '', ''
from unnest(%(jobs)s::uuid[], %(webhooks)s::bigint[], %(groups)s::bigint[], %(locations)s::text[],
            %(codes)s::text[], %(statuses)s::smallint[], %(words)s::text[])
    as d(job_id, webhook_id, group_id, location_id, code, status, words)
order by d.job_id, d.webhook_id
on conflict ({subject}) do update
set state = 'open', group_id = excluded.group_id, code = excluded.code, status = excluded.status,
    words = excluded.words, died_at = excluded.died_at, deaths = sync_deadletter.deaths + 1,
    resolved_at = null, discard_reason = '', discarded_by = ''
where sync_deadletter.state <> 'open'
returning group_id
"""


def bury(deaths: Sequence[Death], *, now: datetime) -> None:
    """Write the letters of up to MOST deaths. Inside the caller's transaction."""
    told = {(death.job_id, death.webhook_id): death for death in deaths}
    known = list(moves.lockable(Q(job__in=_jobs(deaths)) | Q(webhook__in=_webhooks(deaths))))
    for letter in known:
        if letter.state == DeadLetter.State.OPEN:
            # Told before.
            told.pop((letter.job_id, letter.webhook_id), None)
    said = [_redacted(death.words) for death in told.values()]
    kinds = [fingerprint.kind_of(death, words) for death, words in zip(told.values(), said, strict=True)]
    ids = groups_of(kinds, now=now)
    moves.lock_groups([*ids.values(), *(letter.group_id for letter in known)])
    chosen = list(zip(told.values(), said, [ids[kind.fingerprint] for kind in kinds], strict=True))
    of_jobs = _insert("job_id", [one for one in chosen if one[0].job_id], now)
    of_webhooks = _insert("webhook_id", [one for one in chosen if one[0].webhook_id], now)
    trend.count([*of_jobs, *of_webhooks], now=now)


def groups_of(kinds: Sequence[Kind], *, now: datetime) -> dict[str, int]:
    """Return the groups of kinds by fingerprint; those that are missing are made."""
    distinct = {kind.fingerprint: kind for kind in kinds}
    given: dict[str, Any] = {
        "version": fingerprint.VERSION,
        "now": now,
        "fingerprints": list(distinct),
        "integrations": [kind.integration for kind in distinct.values()],
        "subjects": [kind.subject for kind in distinct.values()],
        "codes": [kind.code for kind in distinct.values()],
        "causes": [kind.cause for kind in distinct.values()],
        "messages": [kind.message for kind in distinct.values()],
    }
    with connection.cursor() as cursor:
        cursor.execute(_GROUPS, given)
    found = CauseGroup.objects.filter(fingerprint__in=distinct, version=fingerprint.VERSION)
    return dict(found.values_list("fingerprint", "pk"))


def _redacted(words: str) -> str:
    return redacted(words).replace("\x00", "")[:LONGEST_WORDS] if words else ""


def _jobs(deaths: Sequence[Death]) -> list[UUID]:
    return [death.job_id for death in deaths if death.job_id]


def _webhooks(deaths: Sequence[Death]) -> list[int]:
    return [death.webhook_id for death in deaths if death.webhook_id]


def _insert(subject: str, chosen: Sequence[tuple[Death, str, int]], now: datetime) -> list[int]:
    """Write letters; return their groups, one for each death that counts."""
    if not chosen:
        return []
    given: dict[str, Any] = {
        "now": now,
        "jobs": [death.job_id for death, _, _ in chosen],
        "webhooks": [death.webhook_id for death, _, _ in chosen],
        "groups": [group for _, _, group in chosen],
        "locations": [death.location_id for death, _, _ in chosen],
        "codes": [death.code[:32] for death, _, _ in chosen],
        "statuses": [death.status for death, _, _ in chosen],
        "words": [words for _, words, _ in chosen],
    }
    with connection.cursor() as cursor:
        cursor.execute(_LETTERS.format(subject=subject), given)
        return [group_id for (group_id,) in cursor.fetchall()]
