"""The question whether GoHighLevel answers again: a read that changes nothing, once in a while.

The rule: no job is risked to find out.
"""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from sync import breaker
from sync.database_thread import DatabaseThread
from sync.ghl import reads
from sync.ghl.errors import READ, Outcome, Verdict, classify
from sync.ghl.transport import Carrier
from sync.tokens import Keeper


async def ask(
    location_id: str,
    carrier: Carrier,
    tokens: Keeper,
    *,
    database: DatabaseThread,
    clock: Callable[[], datetime],
) -> None:
    """Ask for the location itself, and write whether there was an answer.

    Any answer but one of its failures counts, a refused token too: jobs then find out about that.
    """
    token = await tokens.token(location_id)
    if isinstance(token, Verdict):
        answers = token.outcome is Outcome.CONFIGURATION
    else:
        verdict = classify(READ, await carrier.send(reads.location(location_id), token), now=clock())
        answers = breaker.seen(verdict).answered > 0
    await database(_write, location_id, answers=answers, now=clock())


@transaction.atomic
def _write(location_id: str, *, answers: bool, now: datetime) -> None:
    breaker.note_question(location_id, answers=answers, now=now)
