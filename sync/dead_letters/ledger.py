"""The ledger: whatever has died is open, being tried again, recovered, discarded or superseded. Daily.

The rule: letters are counted against what their groups say, and against the jobs and webhooks they are
about. A difference is told at once and kept with the day; nothing is mended silently.
"""

from datetime import UTC, datetime

from django.db import connection, transaction

from sync import signals
from sync.models import LedgerCheck
from sync.signals import Trouble
from trainu.bounded_query import set_parameters
from trainu.faults import DataLossCode

TIME_LIMIT_MS = 60_000
# Of each kind of difference so many are counted, and a few are named.
MOST = 1_000
_NAMED = 5
STATES = ("open", "redriving", "recovered", "discarded", "superseded")
_COUNTS = "counts"

_COUNTED = f"""
select group_id, {", ".join(f"count(*) filter (where state = '{state}') as {state}" for state in STATES)}
from sync_deadletter group by group_id
"""
# Each finds by an index what it begins with: dead jobs, dead webhooks, letters by state.
_DIFFERENCES = {
    "groups whose counters are wrong": f"""
        select cause_group.id::text
        from sync_causegroup cause_group left join letters on letters.group_id = cause_group.id
        where ({", ".join(f"cause_group.{state}" for state in STATES)})
           is distinct from ({", ".join(f"coalesce(letters.{state}, 0)" for state in STATES)})
    """,
    "dead jobs without an open or discarded letter": """
        select job.id::text from sync_syncjob job
        where job.state = 'dead' and not exists (
            select from sync_deadletter letter
            where letter.job_id = job.id and letter.state in ('open', 'discarded'))
    """,
    "dead webhooks without an open or discarded letter": """
        select webhook.id::text from sync_webhook webhook
        where webhook.state = 'dead' and not exists (
            select from sync_deadletter letter
            where letter.webhook_id = webhook.id and letter.state in ('open', 'discarded'))
    """,
    "open or discarded letters of what is not dead": """
        select letter.id::text from sync_deadletter letter
        left join sync_syncjob job on job.id = letter.job_id
        left join sync_webhook webhook on webhook.id = letter.webhook_id
        where letter.state in ('open', 'discarded') and coalesce(job.state, webhook.state) <> 'dead'
    """,
}
# One statement sees one moment; in two, whatever moves in between would be a difference.
_CHECK = f"""
with letters as materialized ({_COUNTED})
select '{_COUNTS}' as what,
       (select array[{", ".join(f"coalesce(sum({state}), 0)::text" for state in STATES)}] from letters) as ids
""" + "".join(
    f"union all select '{what}', array({query} limit {MOST})\n" for what, query in _DIFFERENCES.items()
)


@transaction.atomic
def check(*, now: datetime) -> LedgerCheck:
    """Compare everything; return what was found, and keep it for the day. Differences are told as trouble."""
    set_parameters(statement_timeout=str(TIME_LIMIT_MS))
    with connection.cursor() as cursor:
        cursor.execute(_CHECK)
        found: dict[str, list[str]] = dict(cursor.fetchall())
    counts = dict(zip(STATES, map(int, found.pop(_COUNTS)), strict=True))
    differences = [_in_words(what, ids) for what, ids in found.items() if ids]
    row, _ = LedgerCheck.objects.update_or_create(
        day=now.astimezone(UTC).date(),
        defaults={
            "checked_at": now,
            "dead": sum(counts.values()),
            "differences": differences,
            **counts,
        },
    )
    if differences:
        words = f"The ledger of dead letters does not add up: {'; '.join(differences)}."
        trouble = Trouble("data_loss", DataLossCode.LEDGER_MISMATCH, "", words)
        signals.troubled.send(sender=None, troubles=[trouble])
    return row


def _in_words(what: str, ids: list[str]) -> str:
    number = f"{len(ids):,}{'+' if len(ids) == MOST else ''}"
    return f"{number} {what} ({', '.join(ids[:_NAMED])}{', …' if len(ids) > _NAMED else ''})"
