"""Looking out for a mass of messages, and stopping it before many have gone.

The rules: at most one look a second over all hosts, from whichever lane is about to send a message, and from
the recovery lane in any case; but a lane that has many messages in hand looks before the first of them
leaves. What is too much turns the kill switch on, and that is told once. Locks: the watch before the switch.
"""

from datetime import datetime, timedelta

from django.db import transaction

from sync import kill_switch
from sync.mass_send import levels, rule
from sync.mass_send.rule import Level
from sync.models import KillSwitch, MessageWatch
from sync.signals import Trouble

EVERY = timedelta(seconds=1)
# Who has noticed it, as the audit log names the service.
SERVICE = "system"


def look(*, now: datetime, at_once: bool = False) -> None:
    """Look whether too many messages have been enqueued; if so, turn the kill switch on.

    at_once: even if somebody has looked within this second.
    """
    if not at_once:
        looked_at = MessageWatch.objects.filter(pk=1).values_list("looked_at", flat=True).first()
        if not _is_due(looked_at, now):
            return
    with transaction.atomic():
        watch = levels.take()
        if not at_once and not _is_due(watch.looked_at, now):
            return
        # While it is on, what comes in waits for a person; whoever turns it off decides of all of it.
        if not KillSwitch.objects.filter(is_on=True).exists():
            if (level := rule.worst(levels.beyond(watch, now=now))) is not None:
                _stop(level, now)
            else:
                _learn(watch, now)
        watch.looked_at = now
        watch.save(update_fields=["looked_at", "learned_until"])


def _is_due(looked_at: datetime | None, now: datetime) -> bool:
    # A host whose clock is ahead must not keep the others from looking.
    return looked_at is None or abs(now - looked_at) >= EVERY


def _learn(watch: MessageWatch, now: datetime) -> None:
    hour = now.replace(minute=0, second=0, microsecond=0)
    if watch.learned_until is None or watch.learned_until < hour:
        levels.learn(watch, until=hour, now=now)


def _stop(level: Level, now: datetime) -> None:
    words = f"{level} The kill switch was turned on: the rest waits. Look at what is held, then decide."
    trouble = Trouble("mass_send", level.code.value, level.location_id, words)
    kill_switch.turn_on(f"{level}", by=SERVICE, now=now, trouble=trouble)
