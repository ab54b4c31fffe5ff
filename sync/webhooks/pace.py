"""How fast one workflow address may be used: a bucket each, in this process's memory.

The rule: it keeps a workflow that runs in a loop from filling the table; it is no limit to bill by.
"""

import threading
import time
from dataclasses import dataclass

PER_S = 20.0
BURST = 200.0
_MOST = 10_000


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


_buckets: dict[int, _Bucket] = {}
_lock = threading.Lock()


def wait_s(address_id: int, *, at: float | None = None) -> float:
    """Take one use; return 0, or after how many seconds the next one fits. at: of time.monotonic()."""
    now = time.monotonic() if at is None else at
    with _lock:
        if len(_buckets) >= _MOST:
            _buckets.clear()
        bucket = _buckets.setdefault(address_id, _Bucket(BURST, now))
        bucket.left = min(BURST, bucket.left + (now - bucket.at) * PER_S)
        bucket.at = now
        if bucket.left >= 1:
            bucket.left -= 1
            return 0.0
        return (1 - bucket.left) / PER_S


def forget() -> None:
    """Let every address begin anew."""
    with _lock:
        _buckets.clear()
