"""What is to be told, and who brings it there: written with the change, delivered by whoever holds the lease.

The rule: of an incident and channel, nothing overtakes what came before it. A lease has a number; who comes
back after it ran out changes nothing. No request is made in a transaction. What cannot be delivered is dead,
stays visible, and is told on another channel. What waits on a channel that is off goes to nobody after an
hour: it is silenced, so that turning a channel on lets no old alarms loose. Who was told that something began
is told how it ends, whatever is silent by then; who was told nothing, nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from observability.models import Channel, Incident, Notification

LEASE = timedelta(seconds=30)
FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=5)
MOST_TRIES = 50
# Whoever tries a channel looks at the page for a minute, not for hours.
MOST_TRIES_OF_TEST = 5
# After so many, which is a quarter of an hour, the other channels are told, and it is tried on.
ESCALATED_AFTER = 10
# So long what is to be told waits for a channel that is off.
OFF_FOR = timedelta(hours=1)
CHANNEL_OFF = "channel_off"
OVERTAKEN = "overtaken"
# Channels that take one message at a time, with such a pause between them.
PACE = {"slack": timedelta(seconds=1)}
# PagerDuty calls people again by itself and writes no reports: these are not for it.
NOT_FOR_PAGERDUTY = frozenset({"repeat", "report_24h", "report_72h", "digest"})
# What begins something: that it could not be told is news also to those who have heard of it.
_BEGINS = frozenset({"trigger", "overdue"})
_ENDS = frozenset({"acknowledge", "resolve"})

State = Notification.State


@dataclass(frozen=True, slots=True)
class Delivered:
    """The other side has taken it. code: what went wrong all the same, such as one of the recipients."""

    code: str = ""


@dataclass(frozen=True, slots=True)
class Again:
    """It may work later. code: why not now. after: by the other side's word, or None."""

    code: str
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Impossible:
    """It will never work like this. code: why."""

    code: str


@dataclass(frozen=True, slots=True)
class Overtaken:
    """It is not true any more, and nobody was told. code: for the outbox."""

    code: str = OVERTAKEN


Outcome = Delivered | Again | Impossible | Overtaken
# Brings one notification to its channel; makes its requests outside of any transaction, within half a lease.
Deliver = Callable[[Notification, Channel], Outcome]


def write(
    incident: Incident, act: str, *, channels: Iterable[str], is_silent: bool, now: datetime
) -> list[Notification]:
    """Write what is to be told about an incident, one row a channel; in the transaction of the change.

    The same act of the same episode is written once; but a beginning that was silenced can be told again.
    Whoever has heard of the episode is told, silent or not, that somebody sees to it and that it is over: a
    channel that was told in place of another, or that is not the rule's any more, too.
    """
    written = []
    told = list(channels)
    heard, unheard = _heard(incident)
    if act in _ENDS:
        told += heard
    for channel in dict.fromkeys(told):
        if not is_for(channel, act):
            continue
        is_hushed = is_silent
        if act in _ENDS and channel in heard | unheard:
            is_hushed = channel in unheard
        number = 0
        if act == "repeat" or (act == "trigger" and channel in unheard and not is_silent):
            number = incident.notifications.filter(channel=channel, act=act).count()
        key = f"{incident.dedup_key}/{incident.episode}/{act}/{number}/{channel}"
        one, is_new = Notification.objects.get_or_create(
            key=key,
            defaults={
                "incident": incident,
                "channel": channel,
                "act": act,
                "body": {"value": incident.value, "episode": incident.episode} | _by(incident, act),
                "state": State.SILENCED if is_hushed else State.WAITING,
                "due_at": now,
                "created_at": now,
            },
        )
        if is_new:
            written.append(one)
    return written


def _by(incident: Incident, act: str) -> dict[str, str]:
    if act not in _ENDS:
        return {}
    return {"by": incident.acknowledged_by if act == "acknowledge" else incident.resolved_by}


def _heard(incident: Incident) -> tuple[set[str], set[str]]:
    """Return the channels that were told of this episode or will be, and those where all was silenced."""
    of_episode = incident.notifications.filter(body__episode=incident.episode)
    rows = list(of_episode.values_list("channel", "state").distinct().order_by())
    heard = {channel for channel, state in rows if state != State.SILENCED}
    return heard, {channel for channel, _ in rows} - heard


def untold(incident: Incident) -> set[str]:
    """Return the channels that would have been told that this episode began, were it not for a silence."""
    _, unheard = _heard(incident)
    if not unheard:
        return set()
    begun = incident.notifications.filter(body__episode=incident.episode, act="trigger", channel__in=unheard)
    last = dict(begun.order_by("id").values_list("channel", "code"))
    # What was silenced for a reason of its own, as that the channel was off, is not let loose.
    return {channel for channel, code in last.items() if not code}


def is_overtaken(one: Notification) -> bool:
    """Whether a reminder is not true any more; it has its incident at hand. What happened stays true."""
    incident = one.incident
    if incident is None:
        return False
    match one.act:
        case "repeat" | "overdue":
            is_same = one.body.get("episode", incident.episode) == incident.episode
            return incident.state != Incident.State.OPEN or not is_same
        case "report_24h":
            return incident.first_report_at is not None
        case "report_72h":
            return incident.final_report_at is not None
        case _:
            return False


def is_for(channel: str, act: str) -> bool:
    """Whether a channel is told of such an act at all."""
    return channel != "pagerduty" or act not in NOT_FOR_PAGERDUTY


# A test goes out on a channel that is off, too: it is tried before it is turned on.
_CLAIM = """
with due as (
    select n.id from observability_notification n
    where n.channel = %(channel)s and (%(is_on)s or n.act = 'test')
    and n.state = 'waiting' and n.due_at <= %(now)s
    and (n.leased_until is null or n.leased_until <= %(now)s)
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


def claim(*, now: datetime, most: int = 10, room: Mapping[str, int] | None = None) -> list[tuple[int, int]]:
    """Take what is due, under a lease; return (id, number of the lease).

    room: how many of each channel at most, where the caller has only so many hands for it.
    """
    claimed: list[tuple[int, int]] = []
    what: dict[str, Any]
    with transaction.atomic(), connection.cursor() as cursor:
        # One at a time looks at a channel, so that two cannot both find that nothing is in hand there.
        for channel in Channel.objects.select_for_update().order_by("kind"):
            if channel.rests_until and channel.rests_until > now:
                continue
            wanted = min(most - len(claimed), most if room is None else room.get(channel.kind, 0))
            if channel.kind in PACE:
                wanted = min(wanted, 0 if _is_in_hand(channel, now) else 1)
            if wanted < 1:
                continue
            what = {"channel": channel.kind, "is_on": channel.is_enabled, "most": wanted}
            cursor.execute(_CLAIM, what | {"now": now, "until": now + LEASE})
            claimed += cursor.fetchall()
    return claimed


def _is_in_hand(channel: Channel, now: datetime) -> bool:
    waiting = Notification.objects.filter(channel=channel.kind, state=State.WAITING)
    return waiting.filter(leased_until__gt=now).exists()


def settle(notification_id: int, fence: int, outcome: Outcome, *, now: datetime) -> bool:
    """Write how a delivery has ended; return whether the lease still held.

    What has died is told on another channel that is on: see `escalate`.
    """
    with transaction.atomic():
        one = Notification.objects.select_for_update().filter(pk=notification_id, fence=fence).first()
        if one is None or one.state != State.WAITING:
            return False
        if isinstance(outcome, Overtaken):
            one.leased_until, one.state, one.code = None, State.SILENCED, outcome.code
            one.save(update_fields=["leased_until", "state", "code"])
            return True
        one.leased_until, one.tries = None, one.tries + 1
        channel = Channel.objects.select_for_update().get(pk=one.channel)
        channel.code = one.code = outcome.code
        if outcome.code:
            channel.failed_at = now
        rests = PACE.get(channel.kind)
        match outcome:
            case Delivered():
                one.state, one.sent_at = State.SENT, now
                channel.sent_at = now
            case Again(_, after):
                pause = min(FIRST_PAUSE * 2 ** min(one.tries - 1, 20), LONGEST_PAUSE)
                one.due_at = now + (after or pause)
                rests = after or rests
                if one.tries >= (MOST_TRIES_OF_TEST if one.act == "test" else MOST_TRIES):
                    one.state = State.DEAD
                if one.state == State.DEAD or one.tries == ESCALATED_AFTER:
                    escalate(one, now=now)
            case Impossible():
                one.state = State.DEAD
                escalate(one, now=now)
        if rests:
            channel.rests_until = max(now + rests, channel.rests_until or now)
        one.save()
        channel.save(update_fields=["sent_at", "failed_at", "code", "rests_until"])
        return True


def escalate(dead: Notification, *, now: datetime) -> list[Notification]:
    """Tell on every other channel that is on what one could not be told, once; return what was written.

    That something began is told to all; what follows, to those who are not told of it anyway. A digest is
    told on in Slack, and a test nowhere. PagerDuty calls nobody to what somebody sees to, or what is over.
    """
    if "escalated" in dead.body or (dead.incident_id is None and dead.act != "digest"):
        return []
    incident = None
    if dead.incident_id:
        # Whoever ends it meanwhile must see who was told here, or they would not be told of the end.
        incident = Incident.objects.select_for_update(no_key=True).get(pk=dead.incident_id)
    written = []
    for channel in Channel.objects.filter(is_enabled=True).exclude(pk=dead.channel):
        if not is_for(channel.kind, dead.act) or (incident and not _is_news(channel.kind, dead, incident)):
            continue
        one, is_new = Notification.objects.get_or_create(
            key=f"{dead.key}/escalated/{channel.kind}"[:200],
            defaults={
                "incident": incident,
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


def _is_news(channel: str, dead: Notification, incident: Incident) -> bool:
    if channel == "pagerduty":
        # It calls somebody, where nobody sees to it; of the end it is told by `write`.
        return dead.act in _BEGINS and incident.state == Incident.State.OPEN
    told = incident.notifications.filter(channel=channel, act=dead.act, state__in=[State.WAITING, State.SENT])
    return dead.act in _BEGINS or not told.filter(body__episode=dead.body.get("episode")).exists()


def let_go(*, now: datetime) -> int:
    """Silence what has waited for an hour on channels that are off; return how many were."""
    on = Channel.objects.filter(is_enabled=True).values("kind")
    waiting = Notification.objects.filter(state=State.WAITING, due_at__lte=now - OFF_FOR)
    left = waiting.exclude(channel__in=on).exclude(leased_until__gt=now)
    return left.update(state=State.SILENCED, code=CHANNEL_OFF, leased_until=None)
