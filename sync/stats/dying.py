"""How many jobs are about to become dead letters; see `sync.dying` for what that means.

The rule: counted no further than MOST.
"""

from datetime import datetime

from sync import dying
from sync.stats.queues import Count

# The last pause: what dies within it has its last try before it.
HOURS = 6
MOST = 1_000


def count(*, now: datetime) -> Count:
    """Return how many jobs die within HOURS, if every further try fails."""
    return dying.count(HOURS, now=now, most=MOST)
