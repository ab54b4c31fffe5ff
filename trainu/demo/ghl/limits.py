"""The rate limits of GoHighLevel: so many requests in ten seconds, so many a day, for each location.

The rule: the window slides, the strictest reading of the documents, so a client that stays below this
limit stays below the real one. A refused request does not count.
"""

from collections import defaultdict, deque

_DAY_S = 86_400


class Limits:
    """burst requests in interval_ms and daily in a day of UTC. Off: nothing counts, no headers."""

    def __init__(self) -> None:
        self.enabled = True
        self.burst = 100
        self.interval_ms = 10_000
        self.daily = 200_000
        self._recent: defaultdict[str, deque[float]] = defaultdict(deque)
        self._today: dict[str, tuple[int, int]] = {}

    def take(self, resource: str, now: float) -> bool:
        """Count a request and return whether it is let in."""
        if not self.enabled:
            return True
        recent = self._recent[resource]
        oldest = now - self.interval_ms / 1000
        while recent and recent[0] <= oldest:
            recent.popleft()
        used = self._used(resource, now)
        if len(recent) >= self.burst or used >= self.daily:
            return False
        recent.append(now)
        self._today[resource] = (int(now // _DAY_S), used + 1)
        return True

    def exhaust(self, resource: str, now: float) -> None:
        """Use the day up: every request of this location is refused until midnight UTC."""
        self._today[resource] = (int(now // _DAY_S), self.daily)

    def headers(self, resource: str, now: float, *, day_is_over: bool = False) -> dict[str, str]:
        """Return the headers every answer carries."""
        if not self.enabled and not day_is_over:
            return {}
        left_today = 0 if day_is_over else max(0, self.daily - self._used(resource, now))
        return {
            "X-RateLimit-Limit-Daily": str(self.daily),
            "X-RateLimit-Daily-Remaining": str(left_today),
            "X-RateLimit-Interval-Milliseconds": str(self.interval_ms),
            "X-RateLimit-Max": str(self.burst),
            "X-RateLimit-Remaining": str(max(0, self.burst - len(self._recent[resource]))),
        }

    def forget(self) -> None:
        """Start anew, all windows empty."""
        self._recent.clear()
        self._today.clear()

    def _used(self, resource: str, now: float) -> int:
        day, used = self._today.get(resource, (0, 0))
        return used if day == int(now // _DAY_S) else 0
