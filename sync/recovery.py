"""Jobs whose process was lost with them in hand, and jobs from the dead letters that came too late.

The rule: lost jobs are taken back one at a time, each in a transaction of its own, and are then tried one
at a time too: whatever killed the process takes no neighbour with it again.
"""

from datetime import datetime

from sync import attempt, queue, settlement
from sync.attempt import Ended
from sync.queue import Claimed
from sync.transitions import Next, State


def take_back(*, now: datetime) -> bool:
    """Take one job back whose lease has run out; return whether there was one."""
    lost = queue.claim_lost(now=now)
    if lost is None:
        return False
    job, began_at = lost
    settlement.settle([attempt.given_up(job, started_at=began_at, is_suspect=True)], now=now)
    return True


def overtaken(job: Claimed, *, wholly: bool, now: datetime) -> Ended:
    """Return how a revived job ends that something newer has been sent for: unsent, in any case."""
    ended = attempt.unsent(job, attempt.OVERTAKEN, now=now)
    if wholly:
        ended.next = Next(State.SUPERSEDED, job.tries, job.lookups)
    return ended
