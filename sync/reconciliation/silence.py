"""Webhooks that stopped coming: noticed by what usually comes, told once, made up for by asking.

The rules: a location is silent when nothing has come for half an hour and for four times its usual gap.
The usual gap is that of the same hours on the days before, for at night and at weekends fewer come. While
it is silent, GoHighLevel is asked every quarter of an hour for what it has not told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import structlog
from django.db import connection, transaction

from sync import signals
from sync.models import Reconciliation, Silence
from sync.reconciliation import runs
from sync.signals import Trouble
from trainu.faults import WebhookCode

log = structlog.get_logger(__name__)

SHORTEST = timedelta(minutes=30)
GAPS = 4.0
POLL_EVERY = timedelta(minutes=15)
# Before the last webhook too: some of those that were on their way then are lost as well.
MARGIN = timedelta(minutes=30)
DAYS = 7
# A location that has not been here for a week is judged by the mean of its last gaps.
LAST, FEWEST = 200, 10
BY = "silence"

_QUIET = """
select location.id, latest.at,
       (select array_agg(recent.received_at) from (
            select received_at from sync_webhook where location_id = location.id and kind = 'marketplace'
            order by received_at desc limit %(last)s) recent),
       (select array_agg((
            select count(*) from (
                select from sync_webhook w where w.location_id = location.id and w.kind = 'marketplace'
                  and w.received_at > latest.at - make_interval(days => day)
                  and w.received_at <= %(now)s - make_interval(days => day) limit %(most)s) span
            ) order by day) from generate_series(1, %(days)s) day),
       (select min(received_at) from sync_webhook
        where location_id = location.id and kind = 'marketplace')
from sync_location location
cross join lateral (
    select max(received_at) as at from sync_webhook
    where location_id = location.id and kind = 'marketplace'
) latest
where location.state = 'active' and latest.at <= %(quiet)s
order by location.id
"""
_ENDED = """
select silence.location_id from sync_silence silence
where exists (select from sync_webhook w where w.location_id = silence.location_id
                and w.kind = 'marketplace' and w.received_at > silence.last_at)
order by silence.location_id
"""


@dataclass(frozen=True, slots=True)
class Quiet:
    """A location from which nothing has come for a while.

    recent: when its last webhooks came, newest first. before: how many came in the same hours on each of
    the seven days before, yesterday first. first_at: when its first webhook came that is still here.
    """

    location_id: str
    last_at: datetime
    recent: Sequence[datetime]
    before: Sequence[int]
    first_at: datetime


def is_silent(one: Quiet, *, now: datetime) -> bool:
    """Whether so long a rest is unusual. Pure."""
    rest = now - one.last_at
    if rest < SHORTEST:
        return False
    if one.first_at <= one.last_at - timedelta(days=DAYS):
        # So many would have come: more than four is more than four usual gaps. A week ago counts by itself,
        # for it was the same day of the week.
        return min(median(one.before), one.before[-1]) > GAPS
    if len(one.recent) < FEWEST:
        return False
    usual_gap = (one.recent[0] - one.recent[-1]) / (len(one.recent) - 1)
    return rest > GAPS * usual_gap


def watch(*, now: datetime) -> int:
    """Notice silences and their ends, and ask for what was not told; return how many locations are silent."""
    _end(now)
    for one in _quiet(now):
        if is_silent(one, now=now):
            _begin(one, now)
    return _poll(now)


def _begin(one: Quiet, now: datetime) -> None:
    with transaction.atomic():
        row, is_new = Silence.objects.get_or_create(
            location_id=one.location_id, defaults={"last_at": one.last_at, "noticed_at": now}
        )
        if is_new:
            hours = (now - one.last_at).total_seconds() / 3600
            words = (
                f"No webhook has come for {hours:.1f} hours, which is unusual for this location. Until they"
                " come again, GoHighLevel is asked every 15 minutes. Check there whether the app is still"
                " installed, and whether the delivery of its webhooks was paused."
            )
            trouble = Trouble("webhook", WebhookCode.SILENCE, row.location_id, words)
            signals.troubled.send(sender=None, troubles=[trouble])


def _poll(now: datetime) -> int:
    silent = list(Silence.objects.filter(location__state="active").order_by("pk"))
    for row in silent:
        if row.polled_at is None or row.polled_at <= now - POLL_EVERY:
            _ask(row, now)
            Silence.objects.filter(pk=row.pk).update(polled_at=now)
    return len(silent)


def _end(now: datetime) -> None:
    """Let silences end that were broken, and ask a last time for what came about in them."""
    with connection.cursor() as cursor:
        cursor.execute(_ENDED)
        ended = [location_id for (location_id,) in cursor.fetchall()]
    for row in Silence.objects.filter(pk__in=ended).order_by("pk"):
        _ask(row, now)
        row.delete()


def _ask(row: Silence, now: datetime) -> None:
    """Begin a reconciliation of the silence, or of what the last one of it has left."""
    done = Reconciliation.objects.filter(
        location_id=row.location_id, started_by=BY, state="done", created_at__gte=row.noticed_at
    ).order_by("-created_at")
    until = done.values_list("until", flat=True).first()
    since = max(until or row.last_at, row.last_at) - MARGIN
    try:
        runs.start(row.location_id, since=max(since, now - runs.FARTHEST), now=now, by=BY, tell=False)
    except runs.Refused as refused:
        log.info("reconciliation_not_begun", location_id=row.location_id, code=refused.code)


def _quiet(now: datetime) -> list[Quiet]:
    parameters: dict[str, Any] = {
        "now": now,
        "quiet": now - SHORTEST,
        "last": LAST,
        "days": DAYS,
        "most": 1_000,
    }
    with connection.cursor() as cursor:
        cursor.execute(_QUIET, parameters)
        return [Quiet(*row) for row in cursor.fetchall()]
