"""What is to be told, and who brings it there: written with the change, delivered by whoever holds the lease.

The rule: of an incident and channel, nothing overtakes what came before it. A lease has a number; who comes
back after it ran out changes nothing. No request is made in a transaction. What cannot be delivered is dead,
stays visible, and is told on another channel.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from observability.models import Channel, Incident, Notification

LEASE = timedelta(seconds=30)
FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=5)
MOST_TRIES = 50

State = Notification.State


@dataclass(frozen=True, slots=True)
class Delivered:
    """The other side has taken it."""


@dataclass(frozen=True, slots=True)
class Again:
    """It may work later. code: why not now. after: by the other side's word, or None."""

    code: str
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Impossible:
    """It will never work like this. code: why."""

    code: str


Outcome = Delivered | Again | Impossible
# Brings one notification to its channel; makes its requests outside of any transaction, within half a lease.
Deliver = Callable[[Notification, Channel], Outcome]


def write(
    incident: Incident, act: str, *, channels: Iterable[str], is_silent: bool, now: datetime
) -> list[Notification]:
    """Write what is to be told about an incident, one row a channel; in the transaction of the change.

    The same act of the same episode is written once.
    """
    written = []
    for channel in channels:
        number = incident.notifications.filter(channel=channel, act=act).count() if act == "repeat" else 0
        key = f"{incident.dedup_key}/{incident.episode}/{act}/{number}/{channel}"
        one, is_new = Notification.objects.get_or_create(
            key=key,
            defaults={
                "incident": incident,
                "channel": channel,
                "act": act,
                "body": {"value": incident.value, "episode": incident.episode},
                "state": State.SILENCED if is_silent else State.WAITING,
                "due_at": now,
                "created_at": now,
            },
        )
        if is_new:
            written.append(one)
    return written


_CLAIM = """
with due as (
    select n.id from observability_notification n
    join observability_channel c on c.kind = n.channel and c.is_enabled
    where n.state = 'waiting' and n.due_at <= %(now)s
    and (n.leased_until is null or n.leased_until <= %(now)s)
    and (c.rests_until is null or c.rests_until <= %(now)s)
    and not exists (
        select from observability_notification earlier
        where earlier.incident_id = n.incident_id and earlier.channel = n.channel and earlier.id < n.id
        and earlier.state = 'waiting')
    order by n.due_at, n.id
    for update of n skip locked
    limit %(most)s
)
update observability_notification n set leased_until = %(until)s, fence = n.fence + 1
from due where n.id = due.id returning n.id, n.fence
"""


def claim(*, now: datetime, most: int = 10) -> list[tuple[int, int]]:
    """Take what is due, under a lease; return (id, number of the lease)."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"now": now, "until": now + LEASE, "most": most})
        return list(cursor.fetchall())


def settle(notification_id: int, fence: int, outcome: Outcome, *, now: datetime) -> bool:
    """Write how a delivery has ended; return whether the lease still held.

    What has died is told on another channel that is on: see `escalate`.
    """
    with transaction.atomic():
        one = Notification.objects.select_for_update().filter(pk=notification_id, fence=fence).first()
        if one is None or one.state != State.WAITING:
            return False
        one.leased_until, one.tries = None, one.tries + 1
        channel = Channel.objects.select_for_update().get(pk=one.channel)
        match outcome:
            case Delivered():
                one.state, one.sent_at, one.code = State.SENT, now, ""
                channel.sent_at, channel.code = now, ""
            case Again(code, after):
                pause = min(FIRST_PAUSE * 2 ** min(one.tries - 1, 20), LONGEST_PAUSE)
                one.code, one.due_at = code, now + (after or pause)
                channel.failed_at, channel.code = now, code
                if after:
                    channel.rests_until = now + after
                if one.tries >= MOST_TRIES:
                    _die(one, code, now=now)
            case Impossible(code):
                channel.failed_at, channel.code = now, code
                _die(one, code, now=now)
        one.save()
        channel.save()
        return True


def _die(one: Notification, code: str, *, now: datetime) -> None:
    one.state, one.code = State.DEAD, code
    escalate(one, now=now)


def escalate(dead: Notification, *, now: datetime) -> list[Notification]:
    """Tell on every other channel that is on what one could not be told; return what was written."""
    if dead.incident is None or "escalated" in dead.body:
        return []
    written = []
    for channel in Channel.objects.filter(is_enabled=True).exclude(pk=dead.channel):
        one, is_new = Notification.objects.get_or_create(
            key=f"{dead.key}/escalated/{channel.kind}"[:200],
            defaults={
                "incident": dead.incident,
                "channel": channel.kind,
                "act": dead.act,
                "body": {**dead.body, "escalated": dead.channel, "code": dead.code},
                "due_at": now,
                "created_at": now,
            },
        )
        if is_new:
            written.append(one)
    return written
