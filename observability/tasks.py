"""What django-q2 runs, and when: entry points of a few lines, and the table of schedules.

The rule: a task calls one verb. Schedules are mirrored into django-q2 after every migration.
"""

import time
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django_q.models import Schedule

from observability import (
    database_figures,
    erasure,
    forward_refusals,
    forwarder,
    partitions,
    quarantine,
    rollups,
)
from observability.alerts import watch
from observability.alerts.dispatch import Dispatcher
from observability.audit import chain
from observability.dashboards import ahead
from observability.metrics import totals
from observability.models import ForwardRejection, QuarantineGroup
from observability.retention import daily
from observability.retention import purge as purging
from trainu import lanes, schedules
from trainu.datasets import find as find_dataset
from trainu.schedules import Entry


def roll_up() -> int:
    """Keep the roll-ups a second behind the events."""
    return lanes.run("roll-up", lambda: rollups.roll(now=timezone.now()).behind)


def forward() -> int:
    """Bring events to PostHog, as the only forwarder of all hosts; others wait for their turn."""
    sender = forwarder.configured_sender()
    run = forwarder.Forwarding(sender) if sender else None
    locked = False

    def step() -> bool:
        nonlocal locked
        locked = locked or forwarder.try_lock()
        return bool(run and locked and run.step(now=timezone.now()).behind)

    try:
        return lanes.run("forward", step)
    finally:
        if locked:
            forwarder.unlock()


def watch_alerts() -> int:
    """Look at the alert rules, write the daily digest, and tell the dead man's switch."""
    alerts = watch.Watch()
    return lanes.run("alert", lambda: alerts.step(timezone.now()))


def notify() -> int:
    """Bring what is to be told to Slack, PagerDuty and email."""
    dispatcher = Dispatcher()
    try:
        return lanes.run("notification", lambda: dispatcher.step(now=timezone.now()))
    finally:
        dispatcher.close(now=timezone.now())


def count_days() -> int:
    """Count the days of dashboards ahead, in the zones that they are asked for in."""
    return ahead.count(now=timezone.now())


def keep_partitions() -> list[str]:
    """Make partitions ahead, and summarise what was written for the block-range indexes."""
    made = make_partitions_ahead()
    for table in partitions.present():
        table.summarise(now=timezone.now())
    return made


def read_database_figures() -> int:
    """Count the deadlocks of the last minute."""
    return database_figures.read(now=timezone.now())


def keep_running_totals() -> int:
    """Fold the minutes that are over into the totals that only grow."""
    return totals.fold(now=timezone.now())


def reingest(group_id: int) -> tuple[int, int]:
    """Let a quarantine group in; started by staff."""
    return quarantine.reingest(QuarantineGroup.objects.get(pk=group_id), now=timezone.now())


def purge() -> dict[str, str]:
    """Remove what is older than its policy, a slice of it; the next run goes on."""
    return daily.run(now=timezone.now())


def checkpoint_audit() -> int | None:
    """Sign the head of the audit chain; return its place, or None where nothing was added."""
    signed = chain.checkpoint(now=timezone.now())
    return signed.seq if signed else None


def verify_audit() -> int:
    """Check the whole audit log; return how many findings there are. They have been reported by then."""
    return chain.verify(now=timezone.now()).count


def purge_now(name: str, by: str) -> str:
    """Purge one dataset; started by staff. Where the time is too short the schedule goes on."""
    dataset = find_dataset(name)
    if dataset is None:
        return "unknown"
    try:
        return purging.run(dataset, now=timezone.now(), by=by, budget_s=daily.BUDGET_S).state
    except purging.Busy:
        return "busy"


def forget() -> list[int]:
    """Go on with the erasures that are not done; return those that still are not."""
    ends = time.monotonic() + daily.BUDGET_S
    for started in erasure.unfinished():
        erasure.advance(started, budget_s=max(0.0, ends - time.monotonic()))
    return [left.pk for left in erasure.unfinished()]


SCHEDULES = (
    Entry("roll-up lane", "observability.tasks.roll_up", minutes=1),
    Entry("forward lane", "observability.tasks.forward", minutes=1),
    Entry("alert lane", "observability.tasks.watch_alerts", minutes=1),
    Entry("notification lane", "observability.tasks.notify", minutes=1),
    Entry("dashboard days", "observability.tasks.count_days", minutes=1),
    Entry("database figures", "observability.tasks.read_database_figures", minutes=1),
    Entry("running totals", "observability.tasks.keep_running_totals", minutes=1),
    Entry("partitions", "observability.tasks.keep_partitions", minutes=5),
    Entry("purge", "observability.tasks.purge", minutes=10),
    Entry("erasures", "observability.tasks.forget", minutes=5),
    Entry("audit checkpoint", "observability.tasks.checkpoint_audit", minutes=1440),
    Entry("audit verification", "observability.tasks.verify_audit", minutes=1440),
)


def mirror_schedules(**_signal: Any) -> None:
    """Make django-q2's schedules agree with what all apps declare.

    One that is declared no longer goes. Those of staff stay: they run other functions, or with arguments.
    """
    declared = schedules.registered()
    for entry in declared:
        Schedule.objects.update_or_create(
            name=entry.name,
            defaults={
                "func": entry.func,
                "schedule_type": Schedule.MINUTES,
                "minutes": entry.minutes,
                "repeats": -1,
            },
        )
    ours = Q(func__startswith="observability.tasks.") | Q(func__startswith="sync.tasks.")
    bare = Schedule.objects.filter(ours, args__isnull=True, kwargs__isnull=True)
    bare.exclude(name__in=[entry.name for entry in declared]).delete()


def make_partitions_ahead(**_signal: Any) -> list[str]:
    """After a migration a fresh database is ready to take rows in; return the partitions made."""
    now = timezone.now()
    return [table.partition(day) for table in partitions.present() for day in table.ensure_ahead(now)]


def resend(uuids: list[str]) -> tuple[int, int]:
    """Send events again that PostHog had refused; started by staff."""
    sender = forwarder.configured_sender()
    if sender is None:
        return 0, 0
    rejections = list(ForwardRejection.objects.filter(uuid__in=uuids, state=ForwardRejection.State.OPEN))
    return forward_refusals.resend(rejections, sender, now=timezone.now())
