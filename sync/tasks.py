"""What django-q2 runs for sync, and when: entry points of a few lines, and the table of schedules.

The rule: a task calls one verb.
"""

import asyncio
import gc
import time

from django.conf import settings
from django.utils import timezone

from sync import idle_probe
from sync.dead_letters import impact, ledger, letters, ramp, regrouping
from sync.drafts import digest
from sync.drafts import queue as drafts
from sync.drafts.lane import Lane as DraftLane
from sync.drafts.llm import asking
from sync.ghl.transport import Carrier
from sync.lane import CONCURRENCY, Lane
from sync.mirror import contacts
from sync.reconciliation import regular, silence
from sync.webhooks import processing
from trainu import lanes
from trainu.schedules import Entry


def work(name: str = "sync 1") -> int:
    """Try what is due, for as long as a lane runs; return how many attempts were settled."""
    return _run(name, recovers=False)


def work_beside() -> int:
    """The same, in a second process."""
    return work("sync 2")


def recover() -> int:
    """Take back what lost lanes had in hand, one at a time."""
    return _run("recovery", recovers=True)


def _run(name: str, *, recovers: bool) -> int:
    ends = time.monotonic() + lanes.RUN_FOR_S
    carrier = Carrier(settings.GHL_BASE_URL, connections=CONCURRENCY)
    _few_collections()
    lane = Lane(carrier, recovers=recovers, on_beat=lambda: lanes.beat(name, {"settled": lane.settled}))
    return asyncio.run(lane.run(lambda: lanes.stopping.is_set() or time.monotonic() > ends))


def _few_collections() -> None:
    """A lane makes many small objects and few cycles: look for those less often, and not in old ones."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def process_webhooks() -> int:
    """Work off stored webhooks, for as long as a lane runs."""
    return lanes.run("webhook", lambda: processing.work(now=timezone.now()))


def decide_leads() -> int:
    """Tell the leads that waited for a job of ours to end."""
    return contacts.decide(now=timezone.now())


def begin_hourly_reconciliation() -> int:
    """Let every location be read back for the last hours."""
    return regular.begin(regular.HOURLY, now=timezone.now())


def begin_nightly_reconciliation() -> int:
    """Let every location be read back for the last day."""
    return regular.begin(regular.NIGHTLY, now=timezone.now())


def reconcile() -> int:
    """Work off reconciliations that were begun."""
    return regular.work_slice()


def watch_silence() -> int:
    """Notice webhooks that stopped coming."""
    return silence.watch(now=timezone.now())


def ask_when_idle() -> bool | None:
    """Ask GoHighLevel whether it answers, where no attempt has told lately."""
    return idle_probe.ask(now=timezone.now())


def run_bulk_operations() -> int:
    """Count whom causes are about, once; then let bulk operations on letters go on while the lane runs."""
    letters.catch_up(now=timezone.now())
    regrouping.step(now=timezone.now())
    impact.count(now=timezone.now())
    return lanes.run("dead letter", lambda: ramp.step(now=timezone.now()))


def write_drafts() -> int:
    """Have the language model write what is due, for as long as a lane runs; without a model, nothing."""
    asker = asking.from_settings()
    if asker is None:
        return lanes.run("draft", lambda: bool(drafts.take_back(now=timezone.now())))
    ends = time.monotonic() + lanes.RUN_FOR_S
    lane = DraftLane(asker, on_beat=lambda: lanes.beat("draft", {"settled": lane.settled}))
    return asyncio.run(
        lane.run(
            lanes.stopping.is_set,
            # What is begun shall have its time, and the next lane is there before this one ends.
            claims=lambda: time.monotonic() < ends - asker.timeout_s,
        )
    )


def check_ledger() -> list[str]:
    """Compare dead letters with what they are about; return the differences, in words."""
    letters.catch_up(now=timezone.now())
    return list(ledger.check(now=timezone.now()).differences)


def make_digests() -> int:
    """Write the weekly digests of trainers that are due."""
    return digest.make_due(now=timezone.now())


def mail_digests() -> int:
    """Bring weekly digests to their trainers."""
    return digest.mail_due(now=timezone.now())


SCHEDULES: tuple[Entry, ...] = (
    Entry("sync 1 lane", "sync.tasks.work", minutes=1),
    Entry("sync 2 lane", "sync.tasks.work_beside", minutes=1),
    Entry("recovery lane", "sync.tasks.recover", minutes=1),
    Entry("webhook lane", "sync.tasks.process_webhooks", minutes=1),
    Entry("leads in doubt", "sync.tasks.decide_leads", minutes=1),
    Entry("reconciliation", "sync.tasks.reconcile", minutes=1),
    Entry("hourly reconciliation", "sync.tasks.begin_hourly_reconciliation", minutes=60),
    Entry("nightly reconciliation", "sync.tasks.begin_nightly_reconciliation", minutes=1440),
    Entry("webhook silence", "sync.tasks.watch_silence", minutes=5),
    Entry("idle probe", "sync.tasks.ask_when_idle", minutes=5),
    Entry("dead letter lane", "sync.tasks.run_bulk_operations", minutes=1),
    Entry("draft lane", "sync.tasks.write_drafts", minutes=1),
    Entry("weekly digests", "sync.tasks.make_digests", minutes=60),
    Entry("digest mail", "sync.tasks.mail_digests", minutes=5),
    Entry("dead letter ledger", "sync.tasks.check_ledger", minutes=24 * 60),
)
