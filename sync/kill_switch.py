"""The kill switch: while it is on, no message goes out from any host. Everything else goes on.

The rules: whoever turns it says why, both ways; off, that is for what has been enqueued, so no look out for a
mass counts it again. A claim reads it in its own snapshot, and the first byte of
a message leaves only after a look that is younger than FRESH_S: whatever was in hand goes back unsent. What
is held costs no try, keeps its time and its order, and goes at its location's rate once the switch is off.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import Error, transaction

from sync import signals
from sync.database_thread import DatabaseThread
from sync.mass_send import levels
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
# With so many messages in hand, a lane has a fresh look before the first of them leaves.
MANY = 10
# What began so soon after it was turned may have had the last look before that; and clocks differ.
GRACE = timedelta(seconds=5)
_TURNED_ON = "The kill switch was turned on: no message goes out until somebody turns it off."
_LEAKS = (
    "A message left although the kill switch is on, and nobody had released it. The switch does not hold:"
    " stop the workers, and tell the developers."
)


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


def held_since() -> datetime | None:
    """Return since when the switch is on; None: it is off. What was released since then goes all the same."""
    return KillSwitch.objects.filter(is_on=True).values_list("changed_at", flat=True).first()


@transaction.atomic
def turn_on(reason: str, *, by: str, now: datetime, trouble: Trouble | None = None) -> bool:
    """Let no message go out until somebody turns it off; return whether it was off before.

    One that is on stays as it is, with the reason of whoever stopped the messages. by: as the audit log
    names people. trouble: what is told of it, where it is more than that. Raises Refused without a reason.
    """
    if not _turn(True, reason, by=by, now=now):
        return False
    _tell(trouble or Trouble("mass_send", MassSendCode.KILL_SWITCH_TRIPPED.value, "", _TURNED_ON))
    return True


@transaction.atomic
def turn_off(reason: str, *, by: str, now: datetime) -> bool:
    """Let messages go again, those that were held too; return whether it was on before.

    by: as the audit log names people. Raises Refused without a reason.
    """
    # Locked before the switch, as by whoever looks out for a mass.
    watch = levels.take()
    if not _turn(False, reason, by=by, now=now):
        return False
    levels.accept(watch, now=now)
    return True


def check_sent(sent: Iterable[tuple[datetime, datetime | None]], *, now: datetime) -> None:
    """Tell, once, where messages have left although the switch was on: it leaks, which must never be.

    sent: when their attempts began, and when they were released. In the transaction that keeps the attempts.
    """
    switch = KillSwitch.objects.filter(is_on=True, leaked_at=None).first()
    if switch is None or switch.changed_at is None:
        return
    since = switch.changed_at
    if not any(began > since + GRACE and not (at and at >= since) for began, at in sent):
        return
    if KillSwitch.objects.filter(is_on=True, changed_at=since, leaked_at=None).update(leaked_at=now):
        _tell(Trouble("mass_send", MassSendCode.KILL_SWITCH_LEAKS.value, "", _LEAKS))


def _turn(is_on: bool, reason: str, *, by: str, now: datetime) -> bool:
    kept = _reason(reason)
    KillSwitch.objects.bulk_create([KillSwitch(pk=1)], ignore_conflicts=True)
    row = KillSwitch.objects.select_for_update().get(pk=1)
    if row.is_on == is_on:
        return False
    row.is_on, row.by, row.reason, row.changed_at, row.leaked_at = is_on, by, kept, now, None
    row.save(update_fields=["is_on", "by", "reason", "changed_at", "leaked_at"])
    action = "kill_switch.on" if is_on else "kill_switch.off"
    act = Act(action, *TARGET, reason=kept, actor=by, changes={"is_on": (not is_on, is_on)})
    signals.acted.send(sender=None, acts=[act])
    return True


def _tell(trouble: Trouble) -> None:
    signals.troubled.send(sender=None, troubles=[trouble])


def _reason(words: str) -> str:
    text = words.strip()
    if not text or len(text) > LONGEST_REASON or "\x00" in text:
        raise Refused("no_reason", f"Say why, in up to {LONGEST_REASON} characters: others must know.")
    return redacted(text)[:LONGEST_REASON]


class Gate:
    """Whether a message may leave at this moment. One a lane: messages that ask together share a look.

    Where nobody can tell, it is shut: a message that waits does less harm than one that should not go.
    look_out: looks for a mass of messages before the switch is looked at; given whether at once.
    """

    def __init__(self, database: DatabaseThread, look_out: Callable[[bool], None] | None = None) -> None:
        self._database = database
        self._look_out = look_out
        self._looked_at = self._look_after = -FRESH_S
        self._is_known = False
        self._held_since: datetime | None = None
        self._look: asyncio.Task[None] | None = None

    async def __call__(self, released_at: datetime | None = None) -> bool:
        """released_at: when a person let this message go, which holds while the switch stays on."""
        if time.monotonic() - self._looked_at >= FRESH_S:
            await self._asked()
        if self._looked_at < self._look_after:
            # That look had begun before there were many.
            await self._asked()
        if not self._is_known or self._looked_at < self._look_after:
            return False
        return self._held_since is None or (released_at is not None and released_at >= self._held_since)

    def expect(self, messages: int) -> None:
        """Have a fresh look before so many messages leave, if they are many."""
        if messages >= MANY:
            self._look_after = time.monotonic()

    async def _asked(self) -> None:
        if self._look is None:
            self._look = asyncio.create_task(self._ask())
        # Whoever gives up waiting leaves the look to the others.
        await asyncio.shield(self._look)

    async def _ask(self) -> None:
        try:
            if self._look_out is not None:
                await self._database(self._look_out, self._looked_at < self._look_after)
            self._looked_at, self._held_since = await self._database(_looked)
            self._is_known = True
        except Error:
            self._is_known = False
        finally:
            self._look = None


def _looked() -> tuple[float, datetime | None]:
    """Return when this was looked at, and since when the switch is on; None: it is off."""
    at = time.monotonic()
    return at, held_since()
