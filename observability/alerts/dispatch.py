"""Bring what is to be told to its channels: claim, deliver, settle. The notification lane steps here.

The rule: requests are made by hands (threads) outside of any transaction, a few a channel, so that one that
hangs holds up no other. What is not back in time counts as not delivered, before its lease runs out. A door
that breaks is reported, and what it had in hand is tried again. A reminder that is not true any more is told
to nobody.
"""

import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import connection

from observability.alerts import outbox
from observability.alerts.channels import email, pagerduty, slack
from observability.alerts.outbox import Again, Deliver, Delivered, Outcome, Overtaken
from observability.errors import reporting
from observability.models import Channel, Notification

log = structlog.get_logger(__name__)

DOORS: Mapping[str, Deliver] = {
    "slack": slack.deliver,
    "pagerduty": pagerduty.deliver,
    "email": email.deliver,
}
# Hands of one dispatcher for each channel.
HANDS: Mapping[str, int] = {"slack": 1, "pagerduty": 4, "email": 2}
# Seconds. Well within a lease: who is not back by then is waited for no more.
DEADLINE_S = 20.0
# Seconds that a step waits for what is in hand.
LOOK_EVERY_S = 0.25
LET_GO_EVERY = timedelta(minutes=1)


@dataclass(slots=True)
class _InHand:
    notification: Notification
    fence: int
    deadline: float
    is_settled: bool = False


class Dispatcher:
    """Claims, delivers and settles, step by step. doors: how each channel is told."""

    def __init__(self, doors: Mapping[str, Deliver] = DOORS) -> None:
        self._doors = doors
        self._pool = ThreadPoolExecutor(sum(HANDS.values()), thread_name_prefix="notify")
        self._in_hand: dict[Future[Outcome], _InHand] = {}
        self._let_go_at: datetime | None = None

    def step(self, *, now: datetime) -> bool:
        """Settle what has come back, and hand out what is due; return whether anything is on its way."""
        if self._let_go_at is None or now - self._let_go_at >= LET_GO_EVERY:
            self._let_go_at = now
            outbox.let_go(now=now)
        self._settle(now)
        self._claim(now)
        if not self._in_hand:
            return False
        wait(self._in_hand, LOOK_EVERY_S, FIRST_COMPLETED)
        return True

    def close(self, *, now: datetime, patience_s: float = 1.5) -> None:
        """Settle what comes back soon; what does not is somebody else's when its lease has run out."""
        wait(self._in_hand, patience_s)
        self._settle(now)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _settle(self, now: datetime) -> None:
        for future, held in list(self._in_hand.items()):
            if future.done():
                del self._in_hand[future]
                outcome = future.result()
            elif time.monotonic() >= held.deadline and not held.is_settled:
                # Its hand stays taken until it comes back.
                outcome = Again("timeout")
            else:
                continue
            if not held.is_settled:
                held.is_settled = True
                self._write(held, outcome, now)

    def _write(self, held: _InHand, outcome: Outcome, now: datetime) -> None:
        one = held.notification
        is_ours = outbox.settle(one.pk, held.fence, outcome, now=now)
        say = log.info if isinstance(outcome, Overtaken) or outcome == Delivered() else log.warning
        how = type(outcome).__name__.lower()
        say(
            "notification", notification=one.pk, channel=one.channel, how=how, code=outcome.code, ours=is_ours
        )

    def _claim(self, now: datetime) -> None:
        taken = Counter(held.notification.channel for held in self._in_hand.values())
        room = {channel: hands - taken[channel] for channel, hands in HANDS.items()}
        claimed = dict(outbox.claim(now=now, most=sum(HANDS.values()), room=room))
        if not claimed:
            return
        channels = Channel.objects.in_bulk()
        for one in (
            Notification.objects.select_related("incident__rule").filter(pk__in=claimed).order_by("pk")
        ):
            future = self._pool.submit(_deliver, self._doors[one.channel], one, channels[one.channel])
            self._in_hand[future] = _InHand(one, claimed[one.pk], time.monotonic() + DEADLINE_S)


def _deliver(door: Deliver, one: Notification, channel: Channel) -> Outcome:
    """Make one try, in a hand. Everything is read by now; only a digest asks the database once more."""
    if outbox.is_overtaken(one):
        return Overtaken()
    try:
        return door(one, channel)
    except Exception as error:  # noqa: BLE001 - one broken door must not keep the others shut
        reporting.report(error, event="notification_broke", notification=one.pk, channel=channel.kind)
        return Again("broken")
    finally:
        connection.close()
