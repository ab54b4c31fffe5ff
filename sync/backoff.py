"""How long a job waits before each retry: one minute, five, fifteen, an hour, six hours.

The rule: five retries, so six tries. What GoHighLevel asks for is obeyed where it asks for longer.
"""

from datetime import timedelta

DELAYS = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=6),
)
MOST_TRIES = len(DELAYS) + 1


def delay(tries: int, asked_for: timedelta | None = None) -> timedelta | None:
    """Return the wait after so many tries that failed, None when there shall be no other.

    tries: 1 or more. asked_for: what the answer asked to wait.
    """
    if tries >= MOST_TRIES:
        return None
    return max(DELAYS[tries - 1], asked_for or timedelta(0))
