"""What an answer over HTTP or a broken connection means for a delivery: pure, the same for every channel.

The rule: 429 and what is the other side's fault is tried again; what is refused as it is, is not. A code is a
word of ours or a number, never what the other side wrote.
"""

import ssl
from datetime import timedelta
from urllib.error import URLError

from observability.alerts.outbox import Again, Impossible

# What is longer than this is not believed: an alert has to arrive.
LONGEST_REST = timedelta(minutes=15)
SHORTEST_REST = timedelta(seconds=1)


def refused(status: int, retry_after: str | None = None, *, word: str = "") -> Again | Impossible:
    """Return what a status that is not the wanted one means. word: a code that says more, where there is one.

    retry_after: the header of that name.
    """
    code = word or f"status_{status}"
    if status in (429, 503):
        return Again(code, rest(retry_after))
    if 400 <= status < 500 and status != 408:
        return Impossible(code)
    return Again(code)


def broken(error: Exception) -> Again:
    """Return what a connection that failed means: it may have been taken in, or not."""
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        return Again("timeout")
    return Again("tls" if isinstance(reason, ssl.SSLError) else "connection")


def rest(retry_after: str | None) -> timedelta | None:
    """Return how long the other side wants to be left alone, within bounds; None where it does not say."""
    if retry_after is None or not retry_after.strip().isdecimal():
        return None
    # Longer numbers are no timedelta any more.
    seconds = int(retry_after.strip()[:9])
    return min(max(timedelta(seconds=seconds), SHORTEST_REST), LONGEST_REST)
