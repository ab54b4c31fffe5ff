"""Whether anybody would be told: the rules are looked at, and what is to be told gets out.

The rule: an evaluator that stands still fails health, for nothing else would say so from inside. A channel
that fails only warns.
"""

import time
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from observability.health.finding import Finding, Status
from observability.models import Channel, Evaluation

EVALUATED_WITHIN = timedelta(minutes=5)
PINGED_WITHIN = timedelta(minutes=5)
WAITING_FOR = timedelta(minutes=10)
# What was given up longer ago can be seen on its page, and nobody needs it any more.
DEAD_WITHIN = timedelta(days=7)
MOST = 1_000
_NOBODY_LOOKS = "No rule is looked at, so nobody is told of what goes wrong. See whether the workers run."
_NOT_HEARD = (
    "The heartbeat monitor cannot be reached. Alerts go out all the same; but it may say that they do not,"
    " and would not notice if they stopped. See whether it answers, and whether HEARTBEAT_URL is right."
)

_began = time.monotonic()


def begin() -> None:
    """Count from now how long this process has been there: workers need a moment for the first evaluation."""
    global _began
    _began = time.monotonic()


def check_alerts() -> Finding:
    """Whether all rules were looked at lately, none of them broke, and the dead man's switch heard of it."""
    now = timezone.now()
    last = Evaluation.objects.first()
    if last is None or last.evaluated_at is None:
        waits = time.monotonic() - _began <= EVALUATED_WITHIN.total_seconds()
        wrong = [] if waits else [_NOBODY_LOOKS]
        return Finding(Status.FAIL if wrong else Status.PASS, {"wrong": wrong, "state": "not evaluated yet"})
    wrong = []
    detail: dict[str, Any] = {
        "wrong": wrong,
        "age_s": round((now - last.evaluated_at).total_seconds(), 1),
        "broken": last.broken,
        "dead_man": _dead_man(last, now),
        "ping_code": last.ping_code,
    }
    if now - last.evaluated_at > EVALUATED_WITHIN:
        wrong.append(_NOBODY_LOOKS)
        return Finding(Status.FAIL, {"state": "stands still", **detail})
    if last.broken:
        named = ", ".join(last.broken)
        wrong.append(f"These rules broke, and nobody is told by them: {named}. Errors say why.")
    if detail["dead_man"] == "failing":
        wrong.append(_NOT_HEARD)
    state = "incomplete" if last.broken else "not heard outside" if wrong else "on"
    return Finding(Status.WARN if wrong else Status.PASS, {"state": state, **detail})


def _dead_man(last: Evaluation, now: datetime) -> str:
    if not settings.HEARTBEAT_URL:
        return "off"
    late = last.pinged_at is not None and now - last.pinged_at > PINGED_WITHIN
    return "failing" if last.ping_code or late else "on" if last.pinged_at else "not pinged yet"


# What waits, the longest first; and what was given up lately. A test is for whoever has sent it to look at.
_WAITING = """
select channel, count(*), min(created_at) from (
    select channel, created_at from observability_notification where state = 'waiting' and act <> 'test'
    order by due_at limit %s
) waiting group by channel
"""
_DEAD = """
select channel, count(*) from (
    select channel from observability_notification where state = 'dead' and act <> 'test' and created_at > %s
    order by created_at desc limit %s
) dead group by channel
"""


def check_channels() -> Finding:
    """Whether notifications get out, by channel. One that is off is somebody's choice, unless all are."""
    now = timezone.now()
    channels = {one.kind: one for one in Channel.objects.all()}
    waits, died = waiting(), dead(now=now)
    wrong: list[str] = []
    detail: dict[str, Any] = {"wrong": wrong}
    if waits and not any(one.is_enabled for one in channels.values()):
        wrong.append("No channel is on, and somebody was to be told something. Turn one on.")
    for kind in sorted(channels.keys() | waits.keys() | died.keys()):
        number, since = waits.get(kind, (0, now))
        told = _channel(channels.get(kind), now)
        detail[kind] = told | {
            "waiting": number,
            "oldest_waiting_s": round((now - since).total_seconds()),
            "dead": died.get(kind, 0),
        }
        if told["state"] == "on" and now - since > WAITING_FOR:
            wrong.append(f"Notifications wait for {kind}. See why it fails, and whether the workers run.")
        if died.get(kind):
            wrong.append(f"Notifications for {kind} were given up. Mend the channel, and send them again.")
    return Finding(Status.WARN if wrong else Status.PASS, detail)


def waiting() -> dict[str, tuple[int, datetime]]:
    """Return how many notifications wait, by channel, and since when the oldest does."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [MOST])
        return {kind: (number, since) for kind, number, since in cursor.fetchall()}


def dead(*, now: datetime) -> dict[str, int]:
    """Return how many notifications were given up lately, by channel."""
    with connection.cursor() as cursor:
        cursor.execute(_DEAD, [now - DEAD_WITHIN, MOST])
        return dict(cursor.fetchall())


def _channel(channel: Channel | None, now: datetime) -> dict[str, Any]:
    sent_at = channel.sent_at if channel else None
    return {
        "state": "on" if channel and channel.is_enabled else "off",
        "sent_s": round((now - sent_at).total_seconds()) if sent_at else None,
        "failed_code": channel.code if channel else "",
    }
