"""The kill switch: while it is on, no message goes out from any host. Everything else goes on.

The rules: whoever turns it says why, both ways. A claim reads it in its own snapshot, and the first byte of
a message leaves only after a look that is younger than FRESH_S: whatever was in hand goes back unsent. What
is held costs no try, keeps its time and its order, and goes at its location's rate once the switch is off.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime

from django.db import Error, transaction

from sync import signals
from sync.database_thread import DatabaseThread
from sync.models import KillSwitch
from sync.signals import Act, Trouble
from trainu.faults import MassSendCode
from trainu.personal_data import redacted

# What it holds. Statements that must match partial indexes write this out.
OPERATION = "message.send"
TARGET = ("sync.killswitch", "1")
LONGEST_REASON = 300
# A lane asks so often at most, however many messages it is about to send.
FRESH_S = 0.25


class Refused(ValueError):
    """The switch cannot be turned like this. code: a word for machines; str(): what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class State:
    """How the switch stands. by, reason, since: of whoever turned it last; empty where nobody ever has.

    by: as the audit log names people.
    """

    is_on: bool
    by: str = ""
    reason: str = ""
    since: datetime | None = None


def state() -> State:
    """Return how the switch stands now."""
    row = KillSwitch.objects.filter(pk=1).first()
    return State(row.is_on, row.by, row.reason, row.changed_at) if row else State(is_on=False)


@transaction.atomic
def turn_on(reason: str, *, by: str, now: datetime) -> bool:
    """Let no message go out until somebody turns it off; return whether it was off before.

    One that is on stays as it is, with the reason of whoever stopped the messages. by: as the audit log
    names people. Raises Refused without a reason.
    """
    words = "The kill switch was turned on: no message goes out until somebody turns it off."
    if not _turn(True, reason, by=by, now=now):
        return False
    trouble = Trouble("mass_send", MassSendCode.KILL_SWITCH_TRIPPED.value, "", words)
    signals.troubled.send(sender=None, troubles=[trouble])
    return True


@transaction.atomic
def turn_off(reason: str, *, by: str, now: datetime) -> bool:
    """Let messages go again, those that were held too; return whether it was on before.

    by: as the audit log names people. Raises Refused without a reason.
    """
    return _turn(False, reason, by=by, now=now)


def _turn(is_on: bool, reason: str, *, by: str, now: datetime) -> bool:
    kept = _reason(reason)
    KillSwitch.objects.bulk_create([KillSwitch(pk=1)], ignore_conflicts=True)
    row = KillSwitch.objects.select_for_update().get(pk=1)
    if row.is_on == is_on:
        return False
    row.is_on, row.by, row.reason, row.changed_at = is_on, by, kept, now
    row.save(update_fields=["is_on", "by", "reason", "changed_at"])
    action = "kill_switch.on" if is_on else "kill_switch.off"
    act = Act(action, *TARGET, reason=kept, actor=by, changes={"is_on": (not is_on, is_on)})
    signals.acted.send(sender=None, acts=[act])
    return True


def _reason(words: str) -> str:
    text = words.strip()
    if not text or len(text) > LONGEST_REASON or "\x00" in text:
        raise Refused("no_reason", f"Say why, in up to {LONGEST_REASON} characters: others must know.")
    return redacted(text)[:LONGEST_REASON]


class Gate:
    """Whether a message may leave at this moment. One a lane: messages that ask together share a look.

    Where nobody can tell, it is shut: a message that waits does less harm than one that should not go.
    """

    def __init__(self, database: DatabaseThread) -> None:
        self._database = database
        self._looked_at = -FRESH_S
        self._is_open = False
        self._look: asyncio.Task[None] | None = None

    async def __call__(self) -> bool:
        if time.monotonic() - self._looked_at >= FRESH_S:
            if self._look is None:
                self._look = asyncio.create_task(self._ask())
            # Whoever gives up waiting leaves the look to the others.
            await asyncio.shield(self._look)
        return self._is_open

    async def _ask(self) -> None:
        try:
            self._looked_at, self._is_open = await self._database(_looked)
        except Error:
            self._is_open = False
        finally:
            self._look = None


def _looked() -> tuple[float, bool]:
    at = time.monotonic()
    return at, not KillSwitch.objects.filter(is_on=True).exists()
