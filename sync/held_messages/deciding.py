"""What people decide of messages that the kill switch holds: some go all the same, some never will.

The rules: a released message goes as any other does, once, at its location's rate; that holds while the
switch stays on, and a later stop stops it too. A discarded one becomes a discarded dead letter, so that it
stands in the ledger and can be restored. Nothing in hand is touched.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from sync import signals
from sync.dead_letters import burial, letters, moves, wording
from sync.dead_letters.death import Death
from sync.dead_letters.refusal import Refused
from sync.drafts import delivery
from sync.drafts.delivery import End
from sync.ghl.errors import Code
from sync.held_messages.chosen import Chosen
from sync.models import DeadLetter, KillSwitch
from sync.signals import Act
from sync.transitions import Cause, State
from trainu.transactions import atomic_retry

# As many messages as one person may have sent from the dead letters.
MOST_RELEASED = 1_000
MOST_DISCARDED = 5_000
# So many by their numbers: an entry of the audit log each.
MOST_NAMED = 100
_MOST = {"release": MOST_RELEASED, "discard": MOST_DISCARDED}


@dataclass(frozen=True, slots=True)
class Decided:
    """messages: how many it was done to. left: how many of the chosen are still held, if not too many."""

    messages: int
    left: int


_CHOOSE = """
with chosen as (
    select id as chosen_id from sync_syncjob where {where}
    order by position limit %(most)s for update skip locked
)
"""
_RELEASE = (
    _CHOOSE
    + """
update sync_syncjob set released_at = greatest(%(now)s, %(since)s)
from chosen where id = chosen_id returning id, location_id
"""
)
_DISCARD = (
    _CHOOSE
    + """
update sync_syncjob
set state = 'dead', cause = %(cause)s, code = %(code)s, settled_at = %(now)s, is_suspect = false,
    is_redrive = false
from chosen where id = chosen_id returning id, location_id
"""
)


@atomic_retry
def release(chosen: Chosen, *, most: int, reason: str, by: str, now: datetime) -> Decided:
    """Let the oldest of the chosen messages go, although the switch is on. Raises Refused."""
    why, since = _begin("release", chosen, most, reason)
    done = _run(_RELEASE, chosen, since, most, {"now": now})
    return _decided("release", done, chosen, since, why, by)


@atomic_retry
def discard(chosen: Chosen, *, most: int, reason: str, by: str, now: datetime) -> Decided:
    """Never send the oldest of the chosen messages; their letters can be restored. Raises Refused."""
    why, since = _begin("discard", chosen, most, reason)
    given = {"now": now, "cause": Cause.WITHDRAWN.value, "code": Code.KILL_SWITCH.value}
    done = _run(_DISCARD, chosen, since, most, given)
    for start in range(0, len(done), burial.MOST):
        _bury(done[start : start + burial.MOST], why, by, now)
    return _decided("discard", done, chosen, since, why, by)


def most_at_once(verb: str) -> int:
    """Return how many messages a verb takes at once."""
    return _MOST[verb]


def _begin(verb: str, chosen: Chosen, most: int, reason: str) -> tuple[str, datetime]:
    why = wording.reason(reason)
    if not 1 <= most <= _MOST[verb]:
        raise Refused(
            "too_many",
            f"Choose between 1 and {_MOST[verb]:,} messages at once; the oldest are taken first. Look how"
            " that goes, then do it again for the rest.",
        )
    if len(chosen.ids) > MOST_NAMED:
        raise Refused("too_many", f"Tick at most {MOST_NAMED} messages, or choose their text instead.")
    # Whoever turns it meanwhile waits.
    switch = KillSwitch.objects.select_for_update().filter(pk=1, is_on=True).first()
    if switch is None or switch.changed_at is None:
        raise Refused("not_on", "The kill switch is off, so nothing is held: messages go by themselves.")
    return why, switch.changed_at


def _run(
    statement: str, chosen: Chosen, since: datetime, most: int, more: dict[str, Any]
) -> list[tuple[UUID, str]]:
    where, given = chosen.where(since)
    with connection.cursor() as cursor:
        cursor.execute(statement.format(where=where), given | more | {"most": most})
        return list(cursor.fetchall())


def _bury(done: list[tuple[UUID, str]], why: str, by: str, now: datetime) -> None:
    cause, code = Cause.WITHDRAWN.value, Code.KILL_SWITCH.value
    deaths = [Death(id, None, place, "message.send", cause, code, None, "") for id, place in done]
    letters.died(deaths, now=now)
    of_them = DeadLetter.objects.filter(job__in=[id for id, _ in done]).values_list("pk", flat=True)
    moves.discard(list(of_them), why, by=by, now=now)
    delivery.ended({id: End(State.DEAD, cause) for id, _ in done}, now=now)


def _decided(
    verb: str, done: list[tuple[UUID, str]], chosen: Chosen, since: datetime, why: str, by: str
) -> Decided:
    if not done:
        raise Refused("nothing_chosen", "None of these is held any more. Look again.")
    action = f"message.{verb}"
    if chosen.ids:
        acts = [Act(action, "sync.syncjob", str(id), why, by) for id, _ in done]
    else:
        changes = {"messages": (None, len(done)), "text": (None, chosen.text or "all")}
        places = sorted({place for _, place in done})
        target = ("sync.location", places[0]) if len(places) == 1 else ("sync.killswitch", "1")
        acts = [Act(action, *target, why, by, changes)]
    signals.acted.send(sender=None, acts=acts)
    return Decided(len(done), chosen.count(since, most=MOST_DISCARDED))
